"""The behaviour job: event logs to histories, splits, TFRecords, vocabularies and item statistics.

Record batches are checked, divided by a hash of the user into partitions, and each partition is
finished with vectorised sorts and written as one shard of every record set. Events at the same time
keep the order of the input: by file name, then by row. A partition must fit into a worker's memory;
`data.shards` makes them smaller. Run it with `python -m pipelines.behaviour`.
"""

import argparse
import functools
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsDict, AsSingleton

from pipelines import job_progress, records, shards
from pipelines.cleaning import NEGATIVES_FILE, CleanPartitions
from pipelines.cores import KeepCore
from pipelines.input_check import former_statistics, judge, statistics_of
from pipelines.item_statistics import MergeCounts, TimeEdges
from pipelines.item_vocabularies import write_item_vocabularies
from pipelines.job_progress import JobProgress
from pipelines.job_report import check_report, report_of
from pipelines.rejects import WriteRejects
from pipelines.runners import new_pipeline, run_pipeline
from pipelines.statistics import CHECKED_BATCHES, PARTITIONS, WriteStatistics
from pipelines.timelines import Timelines, sort_timelines
from pipelines.transitions import WriteNeighbours
from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.config import Config, DataConfig, load_config
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.item_neighbours import NEIGHBOURS_FILE
from tfrs_mm.data.splits import Moment, cut_moments
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Owner

BEHAVIOUR_DIR, REJECTS_DIR, VOCABULARY_DIR = "behaviour", "rejects", "vocabulary"


def run(
    input_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    config: Config,
    beam_args: Sequence[str] = (),
) -> dict[str, Any]:
    """Writes `vocabulary/`, `behaviour/` and `rejects/` below `output_dir`.

    Args:
        input_dir: holds the logs and the catalogue.
        output_dir: exists; the caller makes it appear whole.
        config: the section `data` is used.
        beam_args: options for Beam.

    Returns:
        What `behaviour/report.json` says: counters, sizes of the splits, and seconds.

    Raises:
        UserError: the input is at fault, or too large a share of it, or `data.anomaly_stop` is set
            and it has anomalies that are errors.
    """
    started = time.monotonic()
    settings = config.data
    input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir).resolve()
    files = records.find_files(input_dir, settings)
    former = former_statistics(settings)
    for name in (BEHAVIOUR_DIR, REJECTS_DIR, VOCABULARY_DIR):
        (output_dir / name).mkdir(exist_ok=True)
    rejects_dir = output_dir / REJECTS_DIR
    catalogue = write_item_vocabularies(
        input_dir, output_dir / VOCABULARY_DIR, rejects_dir / "items.jsonl", settings
    )
    pipeline = new_pipeline(beam_args)
    logs = [
        (place, str(path.resolve()), path.relative_to(input_dir).as_posix())
        for place, path in enumerate(files)
    ]
    statistics = None
    if settings.statistics:
        items_path = output_dir / VOCABULARY_DIR / "items.txt"
        statistics = statistics_of(
            input_dir, logs, output_dir / BEHAVIOUR_DIR, items_path, catalogue["items"], settings
        )
    with (
        job_progress.shown("write shards", settings.shards, "shards") as written,
        job_progress.shown("read events", None, "events") as read,
    ):
        _build(pipeline, logs, output_dir, catalogue["items"], settings, statistics, read, written)
        result = run_pipeline(pipeline)
    report = {**report_of(result), **catalogue, "seconds": round(time.monotonic() - started, 1)}
    check_report(
        result, report, settings, [name for *_, name in logs], rejects_dir / "events.jsonl"
    )
    if settings.statistics:
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
    )


def _build(
    pipeline: beam.Pipeline,
    logs: list[tuple[int, str, str]],
    output_dir: pathlib.Path,
    num_items: int,
    settings: DataConfig,
    statistics: WriteStatistics | None,
    read: JobProgress,
    written: JobProgress,
) -> None:
    """Adds the whole job to the pipeline."""
    vocabulary_dir, behaviour_dir = output_dir / VOCABULARY_DIR, output_dir / BEHAVIOUR_DIR
    reading = records.ReadEvents(str(vocabulary_dir / "items.txt"), settings, read)
    writing = shards.WriteShards(str(behaviour_dir), num_items, settings, written)
    checked = (
        pipeline
        | "NameLogs" >> beam.Create(logs)
        | "SpreadLogs" >> beam.Reshuffle()
        | "ReadEvents"
        >> beam.ParDo(reading).with_outputs(records.REJECTS, records.EVENT_NAMES, main="batches")
    )
    grouped = checked.batches | "GroupUsers" >> beam.GroupByKey()
    if statistics is not None:
        inputs = {CHECKED_BATCHES: checked.batches, PARTITIONS: grouped}
        _ = inputs | "WriteStatistics" >> statistics
    cleaned = grouped | "CleanPartitions" >> CleanPartitions(
        str(behaviour_dir / NEGATIVES_FILE), settings
    )
    timelines = (
        cleaned.partitions
        | "SortTimelines" >> beam.MapTuple(_sort_timelines)
        | "KeepCore" >> KeepCore(num_items, settings)
    )
    sizes = timelines | "CountUsers" >> beam.MapTuple(_count_users)
    event_names = (
        checked[records.EVENT_NAMES]
        | "DistinctEvents" >> beam.Distinct()
        | "ListEvents" >> beam.combiners.ToList()
        | "WriteEvents" >> beam.Map(_write_event_names, str(vocabulary_dir / "events.txt"))
    )
    made = timelines | "WriteShards" >> beam.ParDo(
        writing,
        AsDict(sizes),
        AsSingleton(event_names),
        AsSingleton(_cuts(pipeline, timelines, settings)),
    ).with_outputs(shards.TIMES, shards.TRAINING_EVENTS, shards.TRAINING_TIMELINES, shards.USER_IDS)
    edges = made[shards.TIMES] | "FindTimeEdges" >> beam.CombineGlobally(
        TimeEdges(settings.time_buckets)
    )
    _ = (
        made[shards.TRAINING_EVENTS]
        | "CountItems" >> beam.Map(_count_items, num_items, AsSingleton(edges))
        | "MergeCounts" >> beam.CombineGlobally(MergeCounts(num_items))
        | "WriteCounts" >> beam.Map(_write_counts, str(behaviour_dir / "item_counts.npz"))
    )
    if settings.transition_window:
        _ = made[shards.TRAINING_TIMELINES] | "WriteNeighbours" >> WriteNeighbours(
            str(behaviour_dir / NEIGHBOURS_FILE),
            str(vocabulary_dir / "items.txt"),
            num_items,
            settings,
            edges,
        )
    _ = (
        made[shards.USER_IDS]
        | "GatherUsers" >> beam.GroupByKey()
        | "WriteUsers"
        >> beam.MapTuple(functools.partial(_write_users, str(vocabulary_dir / "users.txt")))
    )
    rejects_path = output_dir / REJECTS_DIR / "events.jsonl"
    _ = (
        (checked[records.REJECTS], cleaned.rejects)
        | "JoinRejects" >> beam.Flatten()
        | "WriteRejects" >> WriteRejects(str(rejects_path))
    )


def _cuts(
    pipeline: beam.Pipeline, timelines: beam.PCollection, settings: DataConfig
) -> beam.PCollection:
    """One element: where the temporal split cuts, or None where each user is cut on their own."""
    if settings.split != "temporal":
        return pipeline | "NoCuts" >> beam.Create([None])
    # Exact cuts need the global order: one worker holds 16 bytes of every event, and selects in
    # about three times as much.
    return (
        timelines
        | "TakeMoments" >> beam.MapTuple(_moments)
        | "GatherMoments" >> beam.GroupByKey()
        | "FindCuts" >> beam.MapTuple(_find_cuts)
    )


def _sort_timelines(partition: int, batches: Iterable[Any]) -> tuple[int, Timelines]:
    return partition, sort_timelines(batches)


def _count_users(partition: int, timelines: Timelines) -> tuple[int, int]:
    return partition, len(timelines.user_ids)


def _moments(_: int, timelines: Timelines) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
    return 0, (timelines.times, timelines.positions)


def _find_cuts(_: int, columns: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[Moment, Moment]:
    times, positions = zip(*columns, strict=True)
    return cut_moments(np.concatenate(times), np.concatenate(positions))


def _count_items(
    events: tuple[np.ndarray, np.ndarray], num_items: int, edges: np.ndarray
) -> ItemCounts:
    return ItemCounts.from_events(*events, num_items, edges)


def _write_counts(counts: ItemCounts, path: str) -> None:
    counts.write(path)


def _write_event_names(names: list[str], path: str) -> list[str]:
    Vocabulary(tuple(sorted(names))).write(path)
    return sorted(names)


def _write_users(path: str, _: int, parts: Iterable[tuple[int, list[str]]]) -> None:
    Vocabulary(tuple(user for _, users in sorted(parts) for user in users)).write(path)


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
    arguments, beam_args = parser.parse_known_args(argv)
    try:
        config = load_config(arguments.config, arguments.set)
        if arguments.previous is not None:
            config = config.with_overrides({"data.anomaly_previous": arguments.previous})
        with whole_directory(arguments.output, overwrite=arguments.overwrite) as output:
            report = run(arguments.input, output, config, beam_args)
    except UserError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    # By its own name: what is pickled out of `__main__` would not meet this process's progress
    # again.
    from pipelines import behaviour

    sys.exit(behaviour.main())
