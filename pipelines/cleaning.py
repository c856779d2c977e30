"""Partitions of checked events without those that nobody learns from: negative feedback, which is
kept in a file of its own, and events of robots, who are told in the rejects.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipelines.event_kinds import KindRules
from pipelines.records import (
    EVENT,
    ITEM,
    NAMESPACE,
    NEGATIVE,
    POSITION,
    REJECTS,
    TIME,
    UNTIMED,
    USER_ID,
)
from pipelines.sorted_timelines import logs_users
from tfrs_mm.artefacts import whole_file
from tfrs_mm.config import DataConfig

# Counters.
NEGATIVES, ROBOTS, OF_ROBOTS = "negative events", "robots", "events of robots"
COUNTERS = (NEGATIVES, ROBOTS, OF_ROBOTS)

_HOUR = 3_600.0
_TAKEN = (USER_ID, ITEM, EVENT, TIME)  # columns of the file of negative feedback


class Cleaned(NamedTuple):
    """What is left, and what was found.

    Attributes:
        partitions: `(partition, record batches)`, as they came; negative feedback is still there
            where `logs_users` says so.
        rejects: one for each robot.
    """

    partitions: beam.PCollection
    rejects: beam.PCollection


class CleanPartitions(beam.PTransform):
    """`(partition, record batches)` to `Cleaned`; writes the negative feedback, if there may be
    any."""

    def __init__(self, negatives_path: str, settings: DataConfig) -> None:
        """Says what is looked for.

        Args:
            negatives_path: takes user ids, item rows, kinds and times of negative events, ordered
                by user and time. One worker holds all of them.
            settings: kinds of events, and how many an hour a person may have.
        """
        super().__init__()
        self._path, self._limit = negatives_path, settings.max_events_per_hour
        self._know_negatives = KindRules.of(settings).know_negatives
        self._keep_negatives = logs_users(settings)

    def expand(self, partitions: beam.PCollection) -> Any:
        """See the class."""
        if not (self._know_negatives or self._limit):
            return Cleaned(partitions, partitions.pipeline | "NoRobots" >> beam.Create([]))
        cleaned = partitions | "CleanPartition" >> beam.ParDo(
            _CleanPartition(self._limit, self._keep_negatives)
        ).with_outputs(NEGATIVES, REJECTS, main="partitions")
        if self._know_negatives:
            _ = (
                cleaned[NEGATIVES]
                | "GatherNegatives" >> beam.GroupByKey()
                | "WriteNegatives" >> beam.MapTuple(functools.partial(_write_negatives, self._path))
            )
        return Cleaned(cleaned.partitions, cleaned[REJECTS])


class _CleanPartition(beam.DoFn):
    def __init__(self, limit: int, keep_negatives: bool) -> None:
        self._limit, self._keep_negatives = limit, keep_negatives
        self._counters = {name: Metrics.counter(NAMESPACE, name) for name in COUNTERS}

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        partition, batches = element
        batches = list(batches)
        table = pa.Table.from_batches(batches)
        users = table.column(USER_ID).dictionary_encode().combine_chunks()
        of_robot = np.zeros(table.num_rows, bool)
        if self._limit:
            robots = robots_of(
                users.indices.to_numpy(),
                table.column(TIME).to_numpy(),
                table.column(UNTIMED).to_numpy(),
                self._limit,
            )
            of_robot = np.isin(users.indices.to_numpy(), robots)
            counts = np.bincount(users.indices.to_numpy(), minlength=len(users.dictionary))
            for robot in robots.tolist():
                user_id = users.dictionary[robot].as_py()
                yield TaggedOutput(REJECTS, _reject(user_id, int(counts[robot]), self._limit))
            self._counters[ROBOTS].inc(len(robots))
            self._counters[OF_ROBOTS].inc(int(of_robot.sum()))
        negative = table.column(NEGATIVE).to_numpy() & ~of_robot
        self._counters[NEGATIVES].inc(int(negative.sum()))
        yield TaggedOutput(NEGATIVES, (0, table.filter(pa.array(negative))))
        gone = of_robot if self._keep_negatives else negative | of_robot
        yield partition, _filtered(batches, ~gone)


def robots_of(users: np.ndarray, times: np.ndarray, untimed: np.ndarray, limit: int) -> np.ndarray:
    """Users with more than `limit` events within less than an hour, ascending.

    Args:
        users: `[events]` numbers.
        times: `[events]` seconds.
        untimed: `[events]` bool; an event without a time tells nothing.
        limit: events, at least 1.
    """
    users, times = users[~untimed], times[~untimed]
    order = np.lexsort((times, users))
    users, times = users[order], times[order]
    # An event and the `limit`-th after it are the ends of a stretch of `limit + 1` events.
    same = users[limit:] == users[:-limit]
    return np.unique(users[limit:][same & (times[limit:] - times[:-limit] < _HOUR)])


def _filtered(batches: list[pa.RecordBatch], kept: np.ndarray) -> list[pa.RecordBatch]:
    ends = np.cumsum([batch.num_rows for batch in batches])
    return [
        batch.filter(pa.array(mask))
        for batch, mask in zip(batches, np.split(kept, ends[:-1]), strict=True)
    ]


def _reject(user_id: str, events: int, limit: int) -> dict[str, Any]:
    return {
        "reason": f"the user has more than {limit} events in an hour",
        "where": f"user {user_id}",
        "record": {"user_id": user_id, "events": events},
    }


def _write_negatives(path: str, _: int, tables: Iterable[pa.Table]) -> str:
    table = pa.concat_tables(tables)
    # By position as well, so that the order of a runner's bundles means nothing.
    table = table.sort_by([(name, "ascending") for name in (USER_ID, TIME, POSITION)])
    with whole_file(path) as temporary:
        pq.write_table(table.select(_TAKEN), temporary)
    return path
