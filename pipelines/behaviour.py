"""The behaviour job: event logs to histories, splits, TFRecords, vocabularies and item counts.

Record batches are checked, divided by a hash of the user into partitions, and each partition is
finished with vectorised sorts and written as one shard of every record set. Events at the same time
keep the order of the input: by file name, then by line. Run it with `python -m pipelines.behaviour`.
"""

import argparse
import functools
import json
import os
import pathlib
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsDict, AsSingleton, TaggedOutput

from pipelines.item_statistics import MergeCounts, TimeEdges, summarise_times
from pipelines.item_vocabularies import write_item_vocabularies
from pipelines.records import EVENT, ITEM_ID, MISSING_TIME, USER_ID, check_events, find_files, read_events
from pipelines.rejects import WriteRejects
from pipelines.runners import counters, new_pipeline, run_pipeline
from pipelines.timelines import RECORD_SETS, Timelines, encode_records, sort_timelines, split_sizes
from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.config import Config, DataConfig, load_config
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.splits import TRAIN, Moment, cut_moments, leave_one_out, temporal
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

BEHAVIOUR_DIR, REJECTS_DIR, VOCABULARY_DIR = "behaviour", "rejects", "vocabulary"
NAMESPACE = "behaviour"
READ, REJECTED, REPEATED, UNTIMED = "events read", "events rejected", "repeats dropped", "events without time"
_REJECTS, _NAMES, _SUMMARY, _EVENTS, _USERS = "rejects", "names", "summary", "events", "users"


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
        UserError: the input is at fault, or too large a share of it.
    """
    started = time.monotonic()
    settings = config.data
    input_dir, output_dir = pathlib.Path(input_dir), pathlib.Path(output_dir)
    for name in (BEHAVIOUR_DIR, REJECTS_DIR, VOCABULARY_DIR):
        (output_dir / name).mkdir(exist_ok=True)
    files = find_files(input_dir, settings.interactions)
    catalogue = write_item_vocabularies(
        input_dir / settings.items, output_dir / VOCABULARY_DIR, output_dir / REJECTS_DIR / "items.jsonl", settings
    )
    pipeline = new_pipeline(beam_args)
    _build(pipeline, files, output_dir.resolve(), settings)
    found = counters(run_pipeline(pipeline), NAMESPACE)
    report = {
        **{name: found.get(name, 0) for name in (READ, REJECTED, REPEATED, UNTIMED)},
        **{name: found.get(name, 0) for name in ("users", "train", "valid", "test")},
        **catalogue,
        "seconds": round(time.monotonic() - started, 1),
    }
    _judge(report, settings, files)
    write_json(output_dir / BEHAVIOUR_DIR / "report.json", report)
    return report


def behaviour_features(output_dir: str | os.PathLike[str], config: Config) -> tuple[FeatureSpec, ...]:
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


def _judge(report: dict[str, Any], settings: DataConfig, files: list[str]) -> None:
    if report[READ] == 0:
        raise UserError(f"{files} hold no event. Give a log with at least one line below its header.")
    share = report[REJECTED] / report[READ]
    if share > settings.max_reject_share:
        raise UserError(
            f"{report[REJECTED]} of {report[READ]} events were rejected, a share of {share:.3f}; "
            f"`data.max_reject_share` allows {settings.max_reject_share}. Correct the log, or raise the share."
        )
    if report[READ] == report[REJECTED]:
        raise UserError(f"every event of {files} was rejected. Correct the log.")
    if settings.split == "temporal" and report[UNTIMED]:
        raise UserError(
            f"`data.split` is temporal, but {report[UNTIMED]} events have no timestamp. "
            "Give them one, or split by leave_one_out."
        )


def _build(pipeline: beam.Pipeline, files: list[str], output_dir: pathlib.Path, settings: DataConfig) -> None:
    items_path = str(output_dir / VOCABULARY_DIR / "items.txt")
    checked = (
        pipeline
        | "NameLogs" >> beam.Create(list(enumerate(files)))
        | "ReadAndCheck"
        >> beam.ParDo(_ReadAndCheck(items_path, settings.shards)).with_outputs(_REJECTS, _NAMES, main="batches")
    )
    timelines = (
        checked.batches
        | "GroupUsers" >> beam.GroupByKey()
        | "SortTimelines" >> beam.MapTuple(lambda partition, batches: (partition, sort_timelines(batches)))
    )
    sizes = timelines | "CountUsers" >> beam.MapTuple(lambda partition, t: (partition, len(t.user_ids)))
    names = (
        checked[_NAMES]
        | "DistinctNames" >> beam.Distinct()
        | "ListNames" >> beam.combiners.ToList()
        | "WriteNames" >> beam.Map(_write_names, str(output_dir / VOCABULARY_DIR / "events.txt"))
    )
    if settings.split == "temporal":
        # Exact cuts need the global order: 16 bytes an event in one worker.
        cuts = (
            timelines
            | "TakeMoments" >> beam.MapTuple(lambda _, t: (0, (t.times, t.positions)))
            | "GatherMoments" >> beam.GroupByKey()
            | "FindCuts" >> beam.MapTuple(lambda _, columns: _cuts(columns))
        )
    else:
        cuts = pipeline | "NoCuts" >> beam.Create([None])
    made = timelines | "WriteRecords" >> beam.ParDo(
        _WriteRecords(str(output_dir), settings), AsDict(sizes), AsSingleton(names), AsSingleton(cuts)
    ).with_outputs(_SUMMARY, _EVENTS, _USERS)
    edges = made[_SUMMARY] | "FindTimeEdges" >> beam.CombineGlobally(TimeEdges(settings.time_buckets))
    _ = (
        made[_EVENTS]
        | "CountItems" >> beam.Map(_count_items, items_path, AsSingleton(edges))
        | "MergeCounts" >> beam.CombineGlobally(MergeCounts())
        | "WriteCounts" >> beam.Map(_write_counts, str(output_dir / BEHAVIOUR_DIR / "item_counts.npz"))
    )
    _ = (
        made[_USERS]
        | "GroupUserIds" >> beam.GroupByKey()
        | "WriteUsers" >> beam.MapTuple(functools.partial(_write_users, str(output_dir / VOCABULARY_DIR / "users.txt")))
    )
    _ = checked[_REJECTS] | "WriteRejects" >> WriteRejects(str(output_dir / REJECTS_DIR / "events.jsonl"))


class _ReadAndCheck(beam.DoFn):
    """A file to `(partition, record batch)`; every partition gets at least an empty batch."""

    def __init__(self, items_path: str, partitions: int) -> None:
        self._items_path, self._partitions = items_path, partitions
        self._read = Metrics.counter(NAMESPACE, READ)
        self._rejected = Metrics.counter(NAMESPACE, REJECTED)
        self._untimed = Metrics.counter(NAMESPACE, UNTIMED)

    def setup(self) -> None:
        self._items = Vocabulary.read(self._items_path)

    def process(self, element: tuple[int, str]) -> Iterator[Any]:
        place, path = element
        name = pathlib.PurePath(path).name
        for batch, broken in read_events(path, place):
            events, rejects = check_events(batch, self._items.rows_of(batch.column(ITEM_ID)), name)
            self._read.inc(batch.num_rows + len(broken))
            self._rejected.inc(len(rejects) + len(broken))
            self._untimed.inc(int(np.sum(events.column(MISSING_TIME).to_numpy(zero_copy_only=False))))
            yield from (TaggedOutput(_REJECTS, reject) for reject in (*broken, *rejects))
            yield from (TaggedOutput(_NAMES, name) for name in events.column(EVENT).unique().to_pylist())
            partition = partition_of(events.column(USER_ID), self._partitions)
            for number in range(self._partitions):
                yield number, events.take(pa.array(np.flatnonzero(partition == number)))


def partition_of(users: pa.Array, partitions: int) -> np.ndarray:
    """A stable hash of each user id; the same on every machine and in every run."""
    encoded = users.dictionary_encode()
    hashes = [zlib.crc32(user.encode("utf-8")) % partitions for user in encoded.dictionary.to_pylist()]
    return np.array(hashes, np.int64)[encoded.indices.to_numpy()] if hashes else np.zeros(0, np.int64)


class _WriteRecords(beam.DoFn):
    """A partition to its shard of every record set."""

    def __init__(self, output_dir: str, settings: DataConfig) -> None:
        self._output_dir, self._settings = pathlib.Path(output_dir), settings
        self._repeated = Metrics.counter(NAMESPACE, REPEATED)
        self._sizes = {name: Metrics.counter(NAMESPACE, name) for name in ("users", "train", "valid", "test")}

    def process(
        self,
        element: tuple[int, Timelines],
        sizes: dict[int, int],
        event_names: list[str],
        cuts: tuple[Moment, Moment] | None,
    ) -> Iterator[TaggedOutput]:
        partition, timelines = element
        first_row = 1 + sum(size for number, size in sizes.items() if number < partition)
        num_items = Vocabulary.read(self._output_dir / VOCABULARY_DIR / "items.txt").size
        schema = Schema(
            (
                FeatureSpec("user", Owner.USER, Kind.ID, 1 + sum(sizes.values())),
                FeatureSpec("item", Owner.ITEM, Kind.ID, num_items),
                FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, 1 + len(event_names)),
            ),
            self._settings.max_history,
        )
        split = (
            leave_one_out(timelines.starts, timelines.ends)
            if cuts is None
            else temporal(timelines.times, timelines.positions, cuts)
        )
        event_rows = Vocabulary(tuple(event_names)).rows_of(timelines.event_names)
        records = encode_records(
            timelines, split, ExamplesSpec(schema), first_row, event_rows, self._settings.max_history
        )
        for name in RECORD_SETS:
            path = self._output_dir / BEHAVIOUR_DIR / shard_name(name, partition, self._settings.shards)
            write_tfrecord(path, records[name])
        self._repeated.inc(timelines.repeats)
        self._sizes["users"].inc(len(timelines.user_ids))
        for name, size in split_sizes(split).items():
            self._sizes[name].inc(size)
        learnt = split == TRAIN
        seconds = np.floor(timelines.times[learnt]).astype(np.int64)
        yield TaggedOutput(_SUMMARY, summarise_times(seconds))
        yield TaggedOutput(_EVENTS, (timelines.items[learnt], seconds))
        yield TaggedOutput(_USERS, (0, (partition, timelines.user_ids)))


def _cuts(columns: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[Moment, Moment]:
    times, positions = zip(*columns, strict=True)
    return cut_moments(np.concatenate(times), np.concatenate(positions))


def _count_items(events: tuple[np.ndarray, np.ndarray], items_path: str, edges: np.ndarray) -> ItemCounts:
    return ItemCounts.from_events(*events, Vocabulary.read(items_path).size - 1, edges)


def _write_counts(counts: ItemCounts, path: str) -> None:
    counts.write(path)


def _write_names(names: list[str], path: str) -> list[str]:
    Vocabulary(tuple(sorted(names))).write(path)
    return sorted(names)


def _write_users(path: str, _: int, parts: Iterable[tuple[int, list[str]]]) -> None:
    Vocabulary(tuple(user for _, users in sorted(parts) for user in users)).write(path)


def main(argv: Sequence[str] | None = None) -> int:
    """The job as a command of its own; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.behaviour",
        description="Turn event logs into training records; options that are not listed go to Beam.",
        epilog="Example: python -m pipelines.behaviour --input films --output behaviour",
        allow_abbrev=False,
    )
    parser.add_argument("--input", required=True, metavar="DIR", help="logs and items.csv")
    parser.add_argument("--output", required=True, metavar="DIR", help="takes vocabulary/, behaviour/, rejects/")
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument("--config", metavar="FILE", help="TOML or JSON; the preset base where not given")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="overrides the file")
    arguments, beam_args = parser.parse_known_args(argv)
    try:
        config = load_config(arguments.config, arguments.set)
        with whole_directory(arguments.output, overwrite=arguments.overwrite) as output:
            report = run(arguments.input, output, config, beam_args)
    except UserError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
