import itertools

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from pipelines.item_statistics import MergeCounts, TimeEdges, summarise_times
from pipelines.runners import new_pipeline
from tfrs_mm.data.catalogue import ItemCounts

# Events `(item, time)` of partitions; few of each, so that ties are the rule, and -1 is a time as
# well.
partitions_of_events = st.lists(
    st.lists(st.tuples(st.integers(1, 5), st.integers(-3, 20)), max_size=12), max_size=6
)


def edges_of(parts: list[list[int]], buckets: int) -> np.ndarray:
    combine = TimeEdges(buckets)
    accumulators = [
        combine.add_input(combine.create_accumulator(), summarise_times(np.array(part, np.int64)))
        for part in parts
    ]
    return combine.extract_output(combine.merge_accumulators(accumulators))


def test_buckets_hold_about_equally_many_events():
    # Eight events in four buckets: two each, and the last edge behind the last event.
    assert edges_of([[0, 1, 2, 3], [4, 5, 60, 70]], 4).tolist() == [0, 1, 3, 5, 71]


def test_equal_times_stay_in_one_bucket():
    assert edges_of([[5] * 100], 4).tolist() == [5, 6]


def test_without_events_there_is_one_empty_bucket():
    assert edges_of([[], []], 4).tolist() == [0, 1]


def test_the_order_of_partitions_means_nothing():
    generator = np.random.default_rng(2)
    parts = [generator.integers(-50, 10**6, size).tolist() for size in (9_000, 20, 0, 7_000)]
    expected = edges_of(parts, 16)
    for order in itertools.permutations(parts):
        np.testing.assert_array_equal(edges_of(list(order), 16), expected)


@given(partitions_of_events, st.integers(1, 8), st.randoms())
def test_edges_hold_every_event_in_whatever_order_it_came(partitions, buckets, random):
    parts = [[time for _, time in part] for part in partitions]
    edges = edges_of(parts, buckets)
    together = [time for part in parts for time in part]
    assert 1 <= len(edges) - 1 <= buckets
    assert (np.diff(edges) > 0).all()
    if together:
        assert (edges[0], edges[-1]) == (min(together), max(together) + 1)
    random.shuffle(parts)
    np.testing.assert_array_equal(edges_of(parts, buckets), edges)
    np.testing.assert_array_equal(edges_of([together], buckets), edges)


def test_a_long_partition_is_summarised_and_its_quantiles_are_near():
    times = np.random.default_rng(1).integers(0, 10**9, 50_000)
    points, weights = summarise_times(times)
    assert len(points) < 5_000
    assert weights.sum() == 50_000
    assert (points.min(), points.max()) == (times.min(), times.max())
    shares = np.diff(np.searchsorted(np.sort(times), edges_of([times.tolist()], 10))) / 50_000
    np.testing.assert_allclose(shares, 0.1, atol=0.002)


@pytest.mark.parametrize("shift", [0, -1_000])  # times before 1970 are times as well
def test_counts_of_partitions_add_up_to_those_of_all(shift):
    generator = np.random.default_rng(3)
    items, times = generator.integers(1, 6, 40), generator.integers(0, 100, 40) + shift
    edges = np.array([0, 30, 31, 100]) + shift
    whole = ItemCounts.from_events(items, times, 7, edges)

    def check(found):
        (counts,) = found
        for name in ("time_edges", "counts", "first_time", "last_time"):
            np.testing.assert_array_equal(getattr(counts, name), getattr(whole, name))

    with new_pipeline([]) as pipeline:
        parts = [
            ItemCounts.from_events(items[part::3], times[part::3], 7, edges) for part in range(3)
        ]
        merged = pipeline | beam.Create(parts) | beam.CombineGlobally(MergeCounts(7))
        assert_that(merged, check)


@given(partitions_of_events, st.integers(1, 8), st.integers(0, 6))
def test_counts_merge_in_any_grouping(partitions, buckets, cut):
    edges = edges_of([[time for _, time in part] for part in partitions], buckets)

    def counts_of(events: list[tuple[int, int]]) -> ItemCounts:
        return ItemCounts.from_events(*np.array(events, np.int64).reshape(-1, 2).T, 5, edges)

    combine = MergeCounts(5)
    accumulators = []
    for group in (partitions[:cut], [], partitions[cut:]):
        accumulator = combine.create_accumulator()
        for part in group:
            accumulator = combine.add_input(accumulator, counts_of(part))
        accumulators.append(accumulator)
    for order in itertools.permutations(accumulators):
        merged = combine.extract_output(combine.merge_accumulators(order))
        whole = counts_of([event for part in partitions for event in part])
        for name in ("time_edges", "counts", "first_time", "last_time"):
            np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))


def test_counts_of_nothing_are_a_table_of_zeros():
    combine = MergeCounts(3)
    counts = combine.extract_output(combine.merge_accumulators([combine.create_accumulator()]))
    assert counts.counts.tolist() == [[0], [0], [0], [0]]
    assert counts.first_time.tolist() == [-1, -1, -1, -1]
