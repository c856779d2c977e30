"""The behaviour job: event logs to histories, splits, TFRecords, vocabularies and item statistics.

Record batches are checked, divided by a hash of the user into partitions, and each partition is
finished with vectorised sorts and written as one shard of every record set. Events at the same time
keep the order of the input: by file name, then by row. A partition must fit into a worker's memory;
`data.shards` makes them smaller. Run it with `python -m pipelines.behaviour`.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from pipelines import job_progress
from pipelines.behaviour_steps import BEHAVIOUR_DIR, REJECTS_DIR, VOCABULARY_DIR, add_steps
from pipelines.checked_events import EVENT_REJECTS, Base, Logs
from pipelines.event_store import write_description
from pipelines.input_check import former_statistics, judge, statistics_of
from pipelines.input_folder import AnyFolder, InputFolder
from pipelines.item_categories import write_item_categories
from pipelines.item_vocabularies import write_item_vocabularies
from pipelines.job_report import check_report, report_of
from pipelines.log_files import find_files
from pipelines.profile_maker import category_rows
from pipelines.runners import new_pipeline, run_pipeline
from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.config import Config, load_config
from tfrs_mm.data.event_weights import write_event_weights
from tfrs_mm.data.optional_features import optional_features
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.log_settings import weights_of
from tfrs_mm.schema import FeatureSpec, Kind, Owner
from tfrs_mm.termination import exit_code_of, termination_raised


def run(
    input_dir: AnyFolder,
    output_dir: str | os.PathLike[str],
    config: Config,
    beam_args: Sequence[str] = (),
    base_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Writes `vocabulary/`, `behaviour/` and `rejects/` below `output_dir`.

    Args:
        input_dir: a folder or URL that holds the logs and the catalogue.
        output_dir: exists; the caller makes it appear whole.
        config: the section `data` is used.
        beam_args: options for Beam.
        base_dir: the data folder of a former run to go on from: logs that it has read are not read
            again, and what has a row keeps it.

    Returns:
        What `behaviour/report.json` says: counters, sizes of the splits, and seconds.

    Raises:
        UserError: the input or the base is at fault, or too large a share of it, or
            `data.anomaly_stop` is set and it has anomalies that are errors.
    """
    started = time.monotonic()
    settings = config.data
    folder, output_dir = InputFolder.of(input_dir), pathlib.Path(output_dir).resolve()
    base = Base.read(pathlib.Path(base_dir), settings) if base_dir is not None else None
    logs = Logs.of(find_files(folder, settings), base)
    former = former_statistics(settings)
    for name in (BEHAVIOUR_DIR, REJECTS_DIR, VOCABULARY_DIR):
        (output_dir / name).mkdir(exist_ok=True)
    if settings.keep_events:
        write_description(output_dir / BEHAVIOUR_DIR, logs.sizes, settings)
    rejects_dir = output_dir / REJECTS_DIR
    catalogue = write_item_vocabularies(
        folder,
        output_dir / VOCABULARY_DIR,
        rejects_dir / "items.jsonl",
        settings,
        base.vocabulary_dir if base else None,
    )
    if settings.events:
        write_event_weights(output_dir / VOCABULARY_DIR, weights_of(settings.events))
    if settings.profiles:
        write_item_categories(folder, output_dir / VOCABULARY_DIR, settings)
    pipeline = new_pipeline(beam_args)
    statistics = None
    if settings.statistics and logs.new:
        items_path = output_dir / VOCABULARY_DIR / "items.txt"
        statistics = statistics_of(
            folder, logs.new, output_dir / BEHAVIOUR_DIR, items_path, catalogue["items"], settings
        )
    with (
        job_progress.shown("write shards", settings.shards, "shards") as written,
        job_progress.shown("read events", None, "events") as read,
    ):
        add_steps(
            pipeline, logs, output_dir, catalogue["items"], settings, statistics, read, written
        )
        result = run_pipeline(pipeline)
    report = {**report_of(result), **catalogue, "seconds": round(time.monotonic() - started, 1)}
    check_report(result, report, settings, list(logs.places), rejects_dir / EVENT_REJECTS)
    if statistics is not None:
        report["anomalies"] = judge(output_dir / BEHAVIOUR_DIR, report, former, settings)
    write_json(output_dir / BEHAVIOUR_DIR / "report.json", report)
    return report


def behaviour_features(
    output_dir: str | os.PathLike[str], config: Config
) -> tuple[FeatureSpec, ...]:
    """The features whose vocabularies the job wrote below `output_dir`."""
    folder = pathlib.Path(output_dir) / VOCABULARY_DIR

    def size(name: str) -> int:
        return Vocabulary.read(folder / f"{name}.txt").size

    width = config.data.max_categories
    return (
        FeatureSpec("user", Owner.USER, Kind.ID, size("users")),
        FeatureSpec("item", Owner.ITEM, Kind.ID, size("items")),
        FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, size("events")),
        *(
            FeatureSpec(name, Owner.ITEM, Kind.CATEGORY, size(name), width)
            for name in config.data.category_columns
            if (folder / f"{name}.txt").is_file()
        ),
        *optional_features(config.data, size("events"), category_rows(folder, config.data)),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The job as a command of its own; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.behaviour",
        description="Turn event logs into training records; "
        "options that are not listed go to Beam.",
        epilog="Example: python -m pipelines.behaviour --input films --output behaviour",
        allow_abbrev=False,
    )
    parser.add_argument("--input", required=True, metavar="DIR", help="logs and items.csv")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="takes vocabulary/, behaviour/ and rejects/"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument(
        "--config", metavar="FILE", help="TOML or JSON; the preset base where not given"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="overrides the file"
    )
    parser.add_argument(
        "--previous",
        metavar="DATA",
        help="a former data folder to compare with; as data.anomaly_previous",
    )
    parser.add_argument(
        "--base", metavar="DATA", help="a former data folder to go on from with new logs"
    )
    arguments, beam_args = parser.parse_known_args(argv)
    try:
        config = load_config(arguments.config, arguments.set)
        if arguments.previous is not None:
            config = config.with_overrides({"data.anomaly_previous": arguments.previous})
        with (
            termination_raised(),
            whole_directory(arguments.output, overwrite=arguments.overwrite) as output,
        ):
            report = run(arguments.input, output, config, beam_args, arguments.base)
    except UserError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return exit_code_of(stop)
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    # By its own name: what is pickled out of `__main__` would not meet this process's progress
    # again.
    from pipelines import behaviour

    sys.exit(behaviour.main())
