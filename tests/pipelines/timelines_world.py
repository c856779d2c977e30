"""Random logs as checked batches, their timelines, and the columns of the records made of these."""

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from pipelines.sorted_timelines import Timelines, sort_timelines
from tfrs_mm.config import DataConfig

MAX_HISTORY = 4
NAMES = ["user_id", "event", "item", "time", "untimed", "position", "negative"]
DISLIKE = "z"  # the kind that is negative feedback
# (user, event, item, time); few of each, so that ties and repeats are the rule.
logs = st.lists(
    st.tuples(st.sampled_from("pqr"), st.sampled_from("xy"), st.integers(1, 9), st.integers(0, 6)),
    max_size=50,
)

# With negative feedback, over a quarter of a day to 54 days.
mixed_logs = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from("xyz"), st.integers(1, 6),
        st.integers(0, 6).map(lambda place: place**3 * 21_600),
    ),
    max_size=40,
)  # fmt: skip


class Columns:
    """Stands where the records are encoded, and keeps them as lists instead."""

    def __init__(self) -> None:
        self.window = self.query = self

    def encode_columns(self, columns: dict) -> list[dict]:
        def cells(column):
            if not hasattr(column, "splits"):
                return column.tolist()
            pairs = zip(column.splits[:-1], column.splits[1:], strict=True)
            return [column.values[a:b].tolist() for a, b in pairs]

        return [
            dict(zip(columns, row, strict=True))
            for row in zip(*map(cells, columns.values()), strict=True)
        ]


def batch_of(events: list[tuple], positions: list[int]) -> pa.RecordBatch:
    users, names, items, times = zip(*events, strict=True) if events else ([], [], [], [])
    arrays = [
        pa.array(users, pa.string()), pa.array(names, pa.string()), pa.array(items, pa.int64()),
        pa.array(map(float, times), pa.float64()), pa.array([False] * len(events), pa.bool_()),
        pa.array(positions, pa.int64()), pa.array([name == DISLIKE for name in names], pa.bool_()),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(arrays, NAMES)


def timelines_of(events: list[tuple], **settings: object) -> Timelines:
    return sort_timelines([batch_of(events, list(range(len(events))))], DataConfig(**settings))


def rows_of_users(timelines: Timelines) -> np.ndarray:
    """Where there is one partition: 1, 2, ..."""
    return np.arange(len(timelines.user_ids)) + 1


def kept_by_hand(events: list[tuple]) -> dict[str, list[tuple]]:
    """The events of each user in order, without repeats."""
    kept: dict[str, list[tuple]] = {}
    for user, name, item, time in sorted(events, key=lambda event: event[3]):  # stable
        own = kept.setdefault(user, [])
        if item not in [event[1] for event in own]:
            own.append((name, item, time))
    return kept
