import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cleaning import CleanPartitions, robots_of
from pipelines.runners import counters, new_pipeline
from tfrs_mm.config import DataConfig


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 9).map(lambda n: n * 900.0), st.booleans()),
        max_size=25,
    ),
    st.integers(1, 4),
)
def test_robots_are_those_of_the_definition(rows, limit):
    users, times, untimed = (
        np.array([row[place] for row in rows], kind)
        for place, kind in enumerate((np.int64, np.float64, bool))
    )
    expected = {
        user
        for user, start, _ in rows
        if sum(u == user and 0 <= t - start < 3600 and not bare for u, t, bare in rows) > limit
    }
    assert robots_of(users, times, untimed, limit).tolist() == sorted(expected)


def test_an_hour_ends_before_its_last_moment():
    users, timed = np.zeros(2, np.int64), np.zeros(2, bool)
    assert robots_of(users, np.array([0, 3599.9]), timed, 1).tolist() == [0]
    assert robots_of(users, np.array([0, 3600.0]), timed, 1).tolist() == []


def batch(rows: list[tuple[str, int, float, bool]], first: int) -> pa.RecordBatch:
    """A checked batch of `(user, item, time, negative)`."""
    users, items, times, negative = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = {
        "user_id": pa.array(users, pa.string()),
        "event": pa.array(["hate" if bad else "view" for bad in negative], pa.string()),
        "item": pa.array(items, pa.int64()),
        "time": pa.array(times, pa.float64()),
        "untimed": pa.array([False] * len(rows), pa.bool_()),
        "position": pa.array(range(first, first + len(rows)), pa.int64()),
        "negative": pa.array(negative, pa.bool_()),
    }
    return pa.RecordBatch.from_pydict(columns)


PARTITIONS = [
    (0, [batch([("r", 1, 10, False), ("b", 2, 9, True)], 0), batch([("r", 2, 20, True)], 2)]),
    (0, [batch([("r", 3, 30, False), ("b", 3, 5, True), ("b", 1, 7, False)], 3)]),
    (1, [batch([], 6), batch([("a", 3, 8, True)], 6)]),
    (2, [batch([], 7)]),
]


def clean(tmp_path, settings: DataConfig, expected: list, robots: list) -> dict[str, int]:
    """Cleans the partitions and compares what is left; the counters."""
    pipeline = new_pipeline([])
    grouped = [
        (0, [*PARTITIONS[0][1], *PARTITIONS[1][1]]), PARTITIONS[2], PARTITIONS[3],
    ]  # fmt: skip
    cleaned = pipeline | beam.Create(grouped) | CleanPartitions(str(tmp_path / "n"), settings)

    def check_left(found):
        assert sorted(partition for partition, _ in found) == [0, 1, 2]
        left = [row for _, batches in found for b in batches for row in b.to_pylist()]
        assert sorted((r["user_id"], r["item"], r["position"]) for r in left) == expected

    assert_that(cleaned.partitions, check_left, label="left")
    assert_that(
        cleaned.rejects, lambda found: _equal(sorted(found, key=str), robots), label="robots"
    )
    return counters(pipeline.run(), "behaviour")


def everything() -> list[tuple[str, int, int]]:
    """User, item and position of every event."""
    return sorted(
        (row["user_id"], row["item"], row["position"])
        for _, batches in PARTITIONS
        for one in batches
        for row in one.to_pylist()
    )


def _equal(found: list, expected: list) -> None:
    assert found == expected


def test_nothing_is_looked_for_where_nothing_is_set(tmp_path):
    assert clean(tmp_path, DataConfig(events=("view=1", "hate=2")), everything(), []) == {}
    assert not list(tmp_path.iterdir())


def test_negative_feedback_is_kept_apart_by_user_and_time(tmp_path):
    left = [("b", 1, 5), ("r", 1, 0), ("r", 3, 3)]
    counted = clean(tmp_path, DataConfig(events=("view=1", "hate=-2")), left, [])
    assert counted["negative events"] == 4
    assert pq.read_table(tmp_path / "n").to_pylist() == [
        {"user_id": user, "item": item, "event": "hate", "time": time}
        for user, item, time in [("a", 3, 8), ("b", 3, 5), ("b", 2, 9), ("r", 2, 20)]
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["n"]


def test_robots_are_left_out_and_told(tmp_path):
    # r has three events in 20 seconds, b has three in four; both count, whatever they say.
    told = [
        {
            "reason": "the user has more than 2 events in an hour",
            "where": f"user {user}",
            "record": {"user_id": user, "events": 3},
        }
        for user in "br"
    ]
    settings = DataConfig(events=("view=1", "hate=-2"), max_events_per_hour=2)
    counted = clean(tmp_path, settings, [], sorted(told, key=str))
    assert counted == {"negative events": 1, "robots": 2, "events of robots": 6}
    assert pq.read_table(tmp_path / "n").column("user_id").to_pylist() == ["a"]


def test_negative_feedback_stays_where_users_are_logged(tmp_path):
    settings = DataConfig(events=("view=1", "hate=-2"), exclude_negatives=True)
    assert clean(tmp_path, settings, everything(), [])["negative events"] == 4
    assert pq.read_table(tmp_path / "n").num_rows == 4
