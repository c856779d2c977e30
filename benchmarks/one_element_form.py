"""The behaviour job in the classic form of Beam: one element is one event.

A dict an event, grouped by user, sorted and cut in Python, one `Example` a record, written by
Beam's own sink. It is what `pipelines.behaviour` is measured against, and does the same: checks,
rejects, leave-one-out, vocabularies, and the same records. Like that job it does without
TensorFlow, whose import would cost it some seconds. Run it by hand:
`python benchmarks/one_element_form.py --input log --output made`.
"""

import argparse
import csv
import functools
import json
import math
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsDict, TaggedOutput
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from pipelines.runners import new_pipeline, run_pipeline
from tfrs_mm.data.vocabulary import Vocabulary, is_legal_id

SETS = ("train", "valid", "test", "users")
_MIN_EVENTS = 3  # a user with fewer events is only learnt from

Event = dict[str, Any]


def run(
    input_dir: pathlib.Path,
    output_dir: pathlib.Path,
    shards: int,
    max_history: int,
    beam_args: Sequence[str] = (),
) -> None:
    """Writes `vocabulary/`, `behaviour/` and `rejects/` below `output_dir`.

    Args:
        input_dir: holds `interactions.csv` and `items.csv`.
        output_dir: to make.
        shards: files of every record set.
        max_history: items of a history that are kept.
        beam_args: options for Beam.
    """
    for name in ("vocabulary", "behaviour", "rejects"):
        (output_dir / name).mkdir(parents=True)
    vocabulary_dir, behaviour_dir = output_dir / "vocabulary", output_dir / "behaviour"
    items = _write_items(input_dir / "items.csv", vocabulary_dir / "items.txt")
    pipeline = new_pipeline(beam_args)
    events = (
        pipeline
        | "NameLog" >> beam.Create([str(input_dir / "interactions.csv")])
        | "ReadEvents" >> beam.FlatMap(_read)
        | "CheckEvents" >> beam.ParDo(_Check(items)).with_outputs("rejects", main="events")
    )
    _ = (
        events.rejects
        | "ToLines" >> beam.Map(json.dumps, ensure_ascii=False)
        | "WriteRejects"
        >> beam.io.WriteToText(str(output_dir / "rejects" / "events.jsonl"), shard_name_template="")
    )
    kinds = (
        events.events
        | "TakeKinds" >> beam.Map(lambda event: event["event"])
        | "DistinctKinds" >> beam.Distinct()
        | "ListKinds" >> beam.combiners.ToList()
        | "WriteKinds" >> beam.Map(_write_rows, str(vocabulary_dir / "events.txt"))
        | "NameKindRows" >> beam.FlatMap(dict.items)
    )
    timelines = (
        events.events
        | "KeyByUser" >> beam.Map(lambda event: (event["user_id"], event))
        | "GroupUsers" >> beam.GroupByKey()
        | "SortTimelines" >> beam.MapTuple(_timeline)
    )
    users = (
        timelines
        | "TakeUsers" >> beam.Keys()
        | "ListUsers" >> beam.combiners.ToList()
        | "WriteUsers" >> beam.Map(_write_users, str(vocabulary_dir / "users.txt"), shards)
        | "NameUserRows" >> beam.FlatMap(dict.items)
    )
    records = timelines | "MakeRecords" >> beam.FlatMap(
        _records, max_history, AsDict(users), AsDict(kinds)
    ).with_outputs(*SETS)
    for name in SETS:
        _ = records[name] | f"Write_{name}" >> beam.io.WriteToTFRecord(
            str(behaviour_dir / name), file_name_suffix=".tfrecord.gz", num_shards=shards
        )
    run_pipeline(pipeline)


def _write_items(catalogue: pathlib.Path, path: pathlib.Path) -> dict[str, int]:
    with open(catalogue, encoding="utf-8", newline="") as file:
        found = [row["item_id"] for row in csv.DictReader(file)]
    return _write_rows([item for item in dict.fromkeys(found) if is_legal_id(item)], str(path), 0)


def _write_rows(names: list[str], path: str, in_order: bool = True) -> dict[str, int]:
    """Writes the names, sorted unless they are in order, and gives their rows."""
    names = sorted(names) if in_order else names
    Vocabulary(tuple(names)).write(path)
    return {name: row for row, name in enumerate(names, start=1)}


def _write_users(users: list[str], path: str, shards: int) -> dict[str, int]:
    ordered = sorted(users, key=lambda user: (zlib.crc32(user.encode("utf-8")) % shards, user))
    return _write_rows(ordered, path, in_order=False)


def _read(path: str) -> Iterator[Event]:
    """One dict a row, with its number; the header is row 1."""
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            yield {**row, "position": number}


class _Check(beam.DoFn):
    """Events that can be used, with their item's row and their time as a number."""

    def __init__(self, items: dict[str, int]) -> None:
        self._items = items

    def process(self, event: Event) -> Iterator[Any]:
        reason = None
        try:
            time = float(event["timestamp"])
        except ValueError:
            time = math.nan
        if not is_legal_id(event["user_id"]):
            reason = "user_id is illegal"
        elif not math.isfinite(time):
            reason = "timestamp is neither a number nor an ISO 8601 time"
        elif event["item_id"] not in self._items:
            reason = "item_id is not in the catalogue"
        if reason is None:
            yield {**event, "item": self._items[event["item_id"]], "time": time}
        else:
            names = ("user_id", "item_id", "timestamp", "event")
            yield TaggedOutput("rejects", {
                "reason": reason,
                "where": f"interactions.csv:{event['position']}",
                "record": {name: event[name] for name in names},
            })  # fmt: skip


def _timeline(user_id: str, events: Iterable[Event]) -> tuple[str, list[Event]]:
    """The user's events by time, each item once, the first time."""
    had: set[int] = set()
    kept = []
    for event in sorted(events, key=lambda event: (event["time"], event["position"])):
        if event["item"] not in had:
            had.add(event["item"])
            kept.append(event)
    return user_id, kept


def _records(
    element: tuple[str, list[Event]],
    max_history: int,
    users: dict[str, int],
    kinds: dict[str, int],
) -> Iterator[Any]:
    """The records of one user: windows to train on, and queries to ask."""
    user_id, events = element
    row, count = users[user_id], len(events)
    trained = count - 2 if count >= _MIN_EVENTS else count

    def history(start: int, end: int) -> dict[str, list[int]]:
        part = events[start:end]
        return {
            "history/item": [event["item"] for event in part],
            "history/time": [math.floor(event["time"]) for event in part],
            "history/event": [kinds[event["event"]] for event in part],
        }

    size = max_history + 1
    step = max(size // 2, 1)
    covered = 0
    while covered < trained:
        end = min(size, trained) if covered == 0 else min(covered + step, trained)
        start = max(end - size, 0)
        features = {"user": [row], **history(start, end), "first_target": [covered - start]}
        yield TaggedOutput("train", _example(features))
        covered = end
    cuts = [("users", count, count)]
    if count >= _MIN_EVENTS:
        cuts += [("valid", count - 2, count - 1), ("test", count - 1, count)]
    for name, cut, stop in cuts:
        features = {
            "user": [row],
            **history(max(cut - max_history, 0), cut),
            "target/item": [event["item"] for event in events[cut:stop]],
            "target/time": [math.floor(event["time"]) for event in events[cut:stop]],
            "seen/item": [event["item"] for event in events[:cut]],
        }
        yield TaggedOutput(name, _example(features))


def _example(features: dict[str, list[int]]) -> bytes:
    example = _example_class()()
    for key, values in features.items():
        example.features.feature[key].int64_list.value.extend(values)
    return example.SerializeToString(deterministic=True)


@functools.cache
def _example_class() -> type[Message]:
    """The part of `tf.train.Example` that records of numbers use."""
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="benchmark", syntax="proto3"
    )
    nested = (("Int64List", "value", 1, ""), ("Feature", "int64_list", 3, "Int64List"),
              ("Features", "feature", 1, "Features.FeatureEntry"),
              ("Example", "features", 1, "Features"))  # fmt: skip
    for name, field, number, kind in nested:
        message = file.message_type.add(name=name)
        _add_field(message, field, number, kind, repeated=name in ("Int64List", "Features"))
    entry = file.message_type[2].nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)  # a string
    _add_field(entry, "value", 2, "Feature", repeated=False)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("benchmark.Example"))


def _add_field(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str, repeated: bool
) -> None:
    """Adds a field of another message, or of int64 where `kind` is empty."""
    field = message.field.add(name=name, number=number, label=3 if repeated else 1)
    if kind:
        field.type, field.type_name = 11, f".benchmark.{kind}"
    else:
        field.type = 3


def main() -> None:
    """The job as a command."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--max-history", type=int, default=50)
    arguments, beam_args = parser.parse_known_args()
    run(arguments.input, arguments.output, arguments.shards, arguments.max_history, beam_args)


if __name__ == "__main__":
    main()
