"""How many events users and items have, partition by partition: exact, since a user's events are
in one.
"""

import dataclasses
import heapq
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.records import ITEM, USER_ID

_POWERS = 63  # of two, up to the largest count


@dataclasses.dataclass(frozen=True)
class Activity:
    """Events of some users.

    Attributes:
        histogram: `[63]` int64, how many users have from 2**i to 2**(i + 1) - 1 events.
        busiest: users and their events, most first, equal ones by id.
        items: `[items + 1]` int64 events by row of the item.
    """

    histogram: np.ndarray
    busiest: tuple[tuple[str, int], ...]
    items: np.ndarray

    @property
    def users(self) -> int:
        """How many users have an event."""
        return int(self.histogram.sum())


def activity_of(batches: Iterable[pa.RecordBatch], num_items: int, listed: int) -> Activity:
    """The activity of a partition.

    Args:
        batches: checked ones; all events of their users are among them.
        num_items: of the vocabulary, the unknown row not counted.
        listed: how many of the busiest users are named.
    """
    table = pa.Table.from_batches(list(batches))
    users = table.column(USER_ID).dictionary_encode().combine_chunks()
    counts = np.bincount(users.indices.to_numpy(), minlength=len(users.dictionary))
    items = np.bincount(table.column(ITEM).to_numpy(), minlength=num_items + 1)
    # Only those that may be listed become Python objects.
    least = np.partition(counts, -listed)[-listed] if len(counts) > listed else 0
    busy = np.flatnonzero(counts >= least)
    names = users.dictionary.take(pa.array(busy)).to_pylist()
    pairs = zip(names, counts[busy].tolist(), strict=True)
    return Activity(powers_of_two(counts), _most(pairs, listed), items.astype(np.int64))


class MergeActivity(beam.CombineFn):
    """Activities of partitions to that of all users; memory is a number for each item."""

    def __init__(self, num_items: int, listed: int) -> None:
        self._num_items, self._listed = num_items, listed

    def create_accumulator(self) -> Activity:
        return Activity(np.zeros(_POWERS, np.int64), (), np.zeros(self._num_items + 1, np.int64))

    def add_input(self, accumulator: Activity, activity: Activity) -> Activity:
        return Activity(
            accumulator.histogram + activity.histogram,
            _most([*accumulator.busiest, *activity.busiest], self._listed),
            accumulator.items + activity.items,
        )

    def merge_accumulators(self, accumulators: Iterable[Activity]) -> Activity:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged = self.add_input(merged, accumulator)
        return merged

    def extract_output(self, accumulator: Activity) -> Activity:
        return accumulator


def powers_of_two(counts: np.ndarray) -> np.ndarray:
    """`[63]` int64: how many of `[n]` counts, all above 0, lie from 2**i to 2**(i + 1) - 1."""
    return np.bincount(np.frexp(counts)[1] - 1, minlength=_POWERS).astype(np.int64)


def _most(pairs: Iterable[tuple[str, int]], listed: int) -> tuple[tuple[str, int], ...]:
    return tuple(heapq.nsmallest(listed, pairs, key=lambda pair: (-pair[1], pair[0])))
