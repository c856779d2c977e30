"""What is odd in the statistics of a job's input: `behaviour/anomalies.json`.

    as_of           the day (UTC) behind which times lie in the future
    previous        the former data folder, or empty
    errors          how many of the anomalies are errors
    warnings        and how many warnings
    anomalies       see `Anomaly`, errors first
    not_compared    columns that could not be compared with the former run, and why

Here is what one run shows by itself; `drift` compares two. Every rule has a threshold among the
settings `data.anomaly_...`; which rules are errors is set by `data.anomaly_errors`.
"""

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from pipelines.column_summary import Type
from pipelines.records import ITEM_ID, READ, REJECTED, TIMESTAMP, USER_ID
from pipelines.statistics import PATHS, STATISTICS_FILE, TITLE
from pipelines.statistics_report import VERSION
from tfrs_mm.errors import UserError
from tfrs_mm.settings import AnomalyRule, DataConfig

ANOMALIES_FILE = "anomalies.json"
INTERACTIONS, CATALOGUE = "interactions", "catalogue"
ERROR, WARNING = "error", "warning"

_SHOWN = 5  # anomalies that an error names


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """Something odd.

    Attributes:
        rule: that found it.
        table: interactions or catalogue.
        column: empty where it is about rows.
        expected: in words.
        found: in words.
        figure: what was measured.
        threshold: that the figure lies on the wrong side of.
    """

    rule: AnomalyRule
    table: str
    column: str
    expected: str
    found: str
    figure: float
    threshold: float


def odd_by_itself(
    statistics: dict[str, Any], report: dict[str, Any], settings: DataConfig, today: datetime.date
) -> Iterator[Anomaly]:
    """What one run shows without another.

    Args:
        statistics: of the run.
        report: its counters.
        settings: the thresholds.
        today: days after it lie in the future.
    """
    yield from _odd_catalogue(statistics[CATALOGUE], settings)
    yield from _odd_columns(statistics, settings)
    yield from _odd_times(statistics[INTERACTIONS], today)
    yield from _odd_activity(statistics[INTERACTIONS], settings)
    share = report[REJECTED] / max(report[READ], 1)
    if share > settings.anomaly_rejected:
        yield Anomaly(
            "rejected events", INTERACTIONS, "",
            f"at most {settings.anomaly_rejected:.1%} of the events rejected",
            f"{report[REJECTED]} of {report[READ]} rejected",
            share, settings.anomaly_rejected,
        )  # fmt: skip


def anomalies_report(
    found: list[Anomaly],
    not_compared: list[dict[str, str]],
    settings: DataConfig,
    today: datetime.date,
) -> dict[str, Any]:
    """See the module."""
    rows = [
        {
            "severity": ERROR if anomaly.rule in settings.anomaly_errors else WARNING,
            **dataclasses.asdict(anomaly),
            "figure": round(anomaly.figure, 6),
            "threshold": round(anomaly.threshold, 6),
        }
        for anomaly in found
    ]
    errors = [row for row in rows if row["severity"] == ERROR]
    warnings = [row for row in rows if row["severity"] == WARNING]
    return {
        "as_of": today.isoformat(),
        "previous": settings.anomaly_previous,
        "errors": len(errors),
        "warnings": len(warnings),
        "anomalies": errors + warnings,
        "not_compared": not_compared,
    }


def check_anomalies(report: dict[str, Any], settings: DataConfig) -> None:
    """Stops a job whose input has errors, where the settings say so.

    Raises:
        UserError: there is one.
    """
    if not settings.anomaly_stop or not report["errors"]:
        return
    errors = [row for row in report["anomalies"] if row["severity"] == ERROR]
    shown = "; ".join(
        f"{row['rule']} in {row['table']}{' ' if row['column'] else ''}{row['column']} "
        f"(expected {row['expected']}, found {row['found']})"
        for row in errors[:_SHOWN]
    )
    raise UserError(
        f"`data.anomaly_stop` is true, and the input has {len(errors)} anomalies that "
        f"`data.anomaly_errors` calls errors: {shown}. Correct the input, raise the threshold, or "
        "take the rule out of `data.anomaly_errors`."
    )


def read_statistics(data_dir: str, argument: str) -> dict[str, Any]:
    """The statistics of a data folder.

    Args:
        data_dir: the folder.
        argument: that named it, for the error.

    Raises:
        UserError: it has none, or they are of another version.
    """
    path = pathlib.Path(data_dir) / "behaviour" / STATISTICS_FILE
    if not path.is_file():
        raise UserError(
            f"`{argument}` is {data_dir!r}, but there is no {path}. Give a data folder "
            "that was made with `data.statistics`."
        )
    statistics = json.loads(path.read_text(encoding="utf-8"))
    if statistics.get("version") != VERSION:
        raise UserError(
            f"{path} must be of version {VERSION}, but is of {statistics.get('version')!r}. "
            "Make that data folder again, or compare with another one."
        )
    return statistics


def _odd_catalogue(catalogue: dict[str, Any], settings: DataConfig) -> Iterator[Anomaly]:
    rows, most = max(catalogue["rows"], 1), settings.anomaly_missing
    title = catalogue["columns"].get(TITLE)
    if title is None or title["missing"] > most * rows:
        missing = rows if title is None else title["missing"]
        said = "no column title" if title is None else f"{missing} of {rows} without title"
        yield Anomaly(
            "no title", CATALOGUE, TITLE, f"at most {most:.1%} of the items without title", said,
            missing / rows, most,
        )  # fmt: skip
    without = catalogue["without_media"]
    if without > most * rows:
        yield Anomaly(
            "no media", CATALOGUE, "",
            f"at most {most:.1%} of the items without {', '.join(PATHS)}",
            f"{without} of {rows} items without any",
            without / rows, most,
        )  # fmt: skip


def _odd_columns(statistics: dict[str, Any], settings: DataConfig) -> Iterator[Anomaly]:
    """Columns with little or always the same in them; titles and paths have rules of their own."""
    most = settings.anomaly_missing
    for table in (INTERACTIONS, CATALOGUE):
        for name, column in statistics[table]["columns"].items():
            missing, rows = column["missing"], max(column["rows"], 1)
            if missing > most * rows and name != TITLE and name not in PATHS:
                yield Anomaly(
                    "missing values", table, name, f"at most {most:.1%} of the cells empty",
                    f"{missing} of {rows} empty", missing / rows, most,
                )  # fmt: skip
            if (table, column["type"], column["distinct"]) == (CATALOGUE, Type.CATEGORY, 1):
                yield Anomaly(
                    "one value", table, name, "a category with two values or more",
                    f"only {next(iter(column['top']))!r}", 1.0, 2.0,
                )  # fmt: skip


def _odd_times(interactions: dict[str, Any], today: datetime.date) -> Iterator[Anomaly]:
    column = interactions["columns"][TIMESTAMP]
    timed = column["rows"] - column["missing"]
    if timed > 1 and column["distinct"] == 1:
        yield Anomaly(
            "equal times", INTERACTIONS, TIMESTAMP, "two different times or more",
            f"{timed} events, all at {column['quantiles']['min']:.0f} s", 1.0, 2.0,
        )  # fmt: skip
    # Years beyond 9999 have more digits, those before 0 a sign: the length is compared first.
    last = today.isoformat()
    later = {
        day: count
        for day, count in interactions["per_day"]["days"].items()
        if not day.startswith("-") and (len(day), day) > (len(last), last)
    }
    if later:
        count = sum(later.values())
        yield Anomaly(
            "future times", INTERACTIONS, TIMESTAMP, f"no event after {last}",
            f"{count} of {timed} events, up to {max(later, key=lambda day: (len(day), day))}",
            count / timed, 0.0,
        )  # fmt: skip


def _odd_activity(interactions: dict[str, Any], settings: DataConfig) -> Iterator[Anomaly]:
    users, items = interactions["per_user"], interactions["per_item"]
    rules: tuple[tuple[AnomalyRule, str, str, str, int, int, float], ...] = (
        ("single events", INTERACTIONS, USER_ID, "users with one event only",
         users["histogram"].get("1", 0), users["users"], settings.anomaly_single_events),
        ("items without events", CATALOGUE, ITEM_ID, "items without an event",
         items["without_events"], items["items"], settings.anomaly_without_events),
    )  # fmt: skip
    for rule, table, name, what, count, whole, most in rules:
        share = count / max(whole, 1)
        if share > most:
            yield Anomaly(
                rule, table, name, f"at most {most:.1%} of the {what}", f"{count} of {whole}",
                share, most,
            )  # fmt: skip
    for name, rule in ((USER_ID, "dominant user"), (ITEM_ID, "dominant item")):
        top = interactions["columns"][name]["top"]
        if not top:
            continue
        busiest, count = next(iter(top.items()))
        share, most = count / interactions["rows"], settings.anomaly_dominant
        if share > most:
            yield Anomaly(
                rule, INTERACTIONS, name, f"at most {most:.1%} of the events of one",
                f"{count} of {interactions['rows']} of {busiest!r}", share, most,
            )  # fmt: skip
