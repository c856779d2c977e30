"""Counts of training events by item and time bucket, merged from partitions in any order."""

from collections.abc import Iterable

import apache_beam as beam
import numpy as np

from tfrs_mm.data.catalogue import ItemCounts

_SUMMARY_POINTS = 4096
_NO_EDGES = np.array([0, 1], np.int64)  # of the one bucket where there are no events

Summary = tuple[
    np.ndarray, np.ndarray
]  # distinct times, ascending, and how many events each stands for


def summarise_times(times: np.ndarray) -> Summary:
    """A partition's times: all, or points at even ranks whose weights add up to their number."""
    ordered = np.sort(times)
    starts = np.flatnonzero(np.concatenate([[len(times) > 0], ordered[1:] > ordered[:-1]]))
    if len(starts) > _SUMMARY_POINTS:
        starts = np.linspace(0, len(times) - 1, _SUMMARY_POINTS).astype(np.int64)
    return ordered[starts], np.diff(np.concatenate([starts, [len(times)]]))


class TimeEdges(beam.CombineFn):
    """Summaries to the edges of buckets that hold about equally many events.

    Each partition gives at most 4,096 points, so memory grows with partitions, not with events.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets

    def create_accumulator(self) -> list[Summary]:
        return []

    def add_input(self, accumulator: list[Summary], summary: Summary) -> list[Summary]:
        return [*accumulator, summary]

    def merge_accumulators(self, accumulators: Iterable[list[Summary]]) -> list[Summary]:
        return [summary for accumulator in accumulators for summary in accumulator]

    def extract_output(self, accumulator: list[Summary]) -> np.ndarray:
        if not sum(len(points) for points, _ in accumulator):
            return _NO_EDGES
        points = np.concatenate([points for points, _ in accumulator])
        weights = np.concatenate([weights for _, weights in accumulator])
        # By time and weight: the order in which partitions arrive means nothing.
        order = np.lexsort((weights, points))
        points, reached = points[order], np.cumsum(weights[order])
        wanted = np.arange(1, self._buckets) * reached[-1] / self._buckets
        inner = points[np.searchsorted(reached, wanted)]
        # The last edge lies behind the last event: no event knows its own bucket.
        return np.unique(np.concatenate([[points[0]], inner, [points[-1] + 1]])).astype(np.int64)


class MergeCounts(beam.CombineFn):
    """Counts of partitions to the counts of all; memory is two tables of items by buckets."""

    def __init__(self, num_items: int) -> None:
        self._num_items = num_items

    def create_accumulator(self) -> ItemCounts | None:
        return None

    def add_input(self, accumulator: ItemCounts | None, counts: ItemCounts) -> ItemCounts:
        return counts if accumulator is None else _added(accumulator, counts)

    def merge_accumulators(self, accumulators: Iterable[ItemCounts | None]) -> ItemCounts | None:
        merged = None
        for counts in accumulators:
            if counts is not None:
                merged = self.add_input(merged, counts)
        return merged

    def extract_output(self, accumulator: ItemCounts | None) -> ItemCounts:
        if accumulator is not None:
            return accumulator
        none = np.zeros(0, np.int64)
        return ItemCounts.from_events(none, none, self._num_items, _NO_EDGES)


def _added(one: ItemCounts, other: ItemCounts) -> ItemCounts:
    # Whether an item has events is asked of the counts: a time may be negative, as NEVER is.
    had = one.counts.any(axis=1)
    both = had & other.counts.any(axis=1)
    first = np.where(had, one.first_time, other.first_time)
    last = np.where(had, one.last_time, other.last_time)
    first[both] = np.minimum(one.first_time, other.first_time)[both]
    last[both] = np.maximum(one.last_time, other.last_time)[both]
    return ItemCounts(one.time_edges, one.counts + other.counts, first, last)
