import collections

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cores import KeepCore, core_of
from pipelines.runners import counters, new_pipeline
from pipelines.timelines import sort_timelines
from tfrs_mm.config import DataConfig

Pair = tuple[int, int]


def core_by_hand(pairs: set[Pair], min_user: int, min_item: int) -> set[Pair]:
    """By its definition: one pair after another leaves until all that are left may stay."""
    pairs = set(pairs)
    while True:
        of_user = collections.Counter(user for user, _ in pairs)
        of_item = collections.Counter(item for _, item in pairs)
        leaving = [p for p in pairs if of_user[p[0]] < min_user or of_item[p[1]] < min_item]
        if not leaving:
            return pairs
        pairs.remove(min(leaving))


@given(
    st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_the_core_is_that_of_its_definition(pairs, min_user, min_item):
    users, items = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    found = core_of(users, items, min_user, min_item)
    expected = core_by_hand(pairs, min_user, min_item)
    assert found[0].tolist() == sorted({user for user, _ in expected})
    assert found[1].tolist() == sorted({item for _, item in expected})


def test_what_leaves_may_make_others_leave():
    # Item 3 has one event; without it user 2 has one, without whom item 2 has one, and so on.
    users, items = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 2], [2, 3]]).T
    assert [kept.tolist() for kept in core_of(users, items, 2, 2)] == [[0, 1], [0, 1]]
    assert [kept.tolist() for kept in core_of(users, items, 3, 3)] == [[], []]


def partition_of(rows: list[tuple[str, int, float]], first: int):
    """The timelines of `(user, item, time)`."""
    users, items, times = zip(*rows, strict=True)
    columns = {
        "user_id": pa.array(users),
        "event": pa.array(["view"] * len(rows)),
        "item": pa.array(items, pa.int64()),
        "time": pa.array(times, pa.float64()),
        "untimed": pa.array([False] * len(rows)),
        "position": pa.array(range(first, first + len(rows)), pa.int64()),
    }
    return sort_timelines([pa.RecordBatch.from_pydict(columns)])


@pytest.mark.parametrize("settings", [DataConfig(), DataConfig(min_user_events=2)])
def test_partitions_without_what_is_outside(settings):
    # User b has two events, but one item; users of both partitions are told apart.
    parts = [
        (0, partition_of([("a", 1, 3), ("b", 2, 1), ("a", 2, 1), ("b", 2, 2)], 0)),
        (1, partition_of([("c", 4, 5), ("d", 1, 2), ("d", 3, 1)], 4)),
    ]
    pipeline = new_pipeline([])
    kept = pipeline | beam.Create(parts) | KeepCore(5, settings)

    def check(found):
        found = {
            partition: {
                user: timelines.items[start:end].tolist()
                for user, start, end in zip(
                    timelines.user_ids, timelines.starts, timelines.ends, strict=True
                )
            }
            for partition, timelines in found
        }
        if settings.min_user_events:
            assert found == {0: {"a": [2, 1]}, 1: {"d": [3, 1]}}
        else:
            assert found == {0: {"a": [2, 1], "b": [2]}, 1: {"c": [4], "d": [3, 1]}}

    assert_that(kept, check)
    counted = counters(pipeline.run(), "behaviour")
    assert counted == (
        {
            "events outside the core": 2,
            "users outside the core": 2,
            "items outside the core": 1,
        }
        if settings.min_user_events
        else {}
    )
