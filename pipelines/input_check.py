"""Statistics of a job's input on the way, and what is odd in them at the end."""

import datetime
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from pipelines.anomalies import (
    ANOMALIES_FILE,
    anomalies_report,
    check_anomalies,
    odd_by_itself,
    read_statistics,
)
from pipelines.drift import odd_against
from pipelines.input_folder import InputFile, InputFolder
from pipelines.log_files import ITEM_ID, log_columns
from pipelines.statistics import DESCRIPTION, PATHS, STATISTICS_FILE, TITLE, WriteStatistics
from pipelines.tables import catalogue_dialect, column_names
from pipelines.volume import odd_volume
from tfrs_mm.artefacts import write_json
from tfrs_mm.config import DataConfig


def statistics_of(
    folder: InputFolder,
    files: Sequence[InputFile],
    behaviour_dir: pathlib.Path,
    items_path: pathlib.Path,
    num_items: int,
    settings: DataConfig,
) -> WriteStatistics:
    """The step that writes the statistics of these logs and of the catalogue.

    Args:
        folder: holds the logs and the catalogue.
        files: the logs, in the order of their places.
        behaviour_dir: takes the statistics.
        items_path: the vocabulary of items.
        num_items: of the vocabulary, the unknown row not counted.
        settings: how tables are read and how large summaries may become.
    """
    columns = dict.fromkeys(name for file in files for name in log_columns(file, settings))
    catalogue = folder.file(settings.items, "data.items")
    wanted = (TITLE, DESCRIPTION, *PATHS, *settings.category_columns)
    catalogue_columns = column_names(catalogue, (ITEM_ID,), catalogue_dialect(settings), wanted)
    return WriteStatistics(
        str(behaviour_dir / STATISTICS_FILE),
        [file.path for file in files],
        list(columns),
        catalogue.path,
        catalogue_columns,
        str(items_path),
        num_items,
        settings,
    )


def former_statistics(settings: DataConfig) -> dict[str, Any] | None:
    """What to compare with, if the settings name something; read before it may be replaced.

    Raises:
        UserError: there is nothing to compare with.
    """
    if not settings.anomaly_previous:
        return None
    return read_statistics(settings.anomaly_previous, "data.anomaly_previous")


def judge(
    behaviour_dir: pathlib.Path,
    report: dict[str, Any],
    former: dict[str, Any] | None,
    settings: DataConfig,
) -> dict[str, int]:
    """Writes `anomalies.json` beside the statistics.

    Args:
        behaviour_dir: holds the statistics of the job.
        report: its counters.
        former: statistics of the run before, if there are any.
        settings: the thresholds.

    Returns:
        How many anomalies are errors, and how many warnings.

    Raises:
        UserError: there are errors, and these are to stop the job.
    """
    statistics = json.loads((behaviour_dir / STATISTICS_FILE).read_text(encoding="utf-8"))
    today = datetime.datetime.now(datetime.UTC).date()
    found = list(odd_by_itself(statistics, report, settings, today))
    not_compared = []
    if former is not None:
        changed, not_compared = odd_against(former, statistics, settings)
        found += [*changed, *odd_volume(former, statistics, settings)]
    anomalies = anomalies_report(found, not_compared, settings, today)
    write_json(behaviour_dir / ANOMALIES_FILE, anomalies)
    check_anomalies(anomalies, settings)
    return {name: anomalies[name] for name in ("errors", "warnings")}
