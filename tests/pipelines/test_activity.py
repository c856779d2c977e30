import collections

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.activity import Activity, MergeActivity, activity_of, powers_of_two
from pipelines.records import ITEM, USER_ID

# Users and rows of items; a user of partition p is called "p..." and so is in one only.
partitions = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=20), max_size=4
)


def batches_of(events: list[tuple[str, int]], cut: int) -> list[pa.RecordBatch]:
    return [
        pa.RecordBatch.from_arrays(
            [pa.array([user for user, _ in part], pa.string()),
             pa.array([item for _, item in part], pa.int64())],
            [USER_ID, ITEM],
        )
        for part in (events[:cut], events[cut:])
    ]  # fmt: skip


@settings(deadline=None)
@given(partitions, st.integers(0, 20), st.randoms())
def test_users_and_items_are_counted_as_by_hand(partitions, cut, random):
    named = [[(f"{p}{user}", item) for user, item in own] for p, own in enumerate(partitions)]
    combine = MergeActivity(4, 2)
    parts = [
        combine.add_input(combine.create_accumulator(), activity_of(batches_of(own, cut), 4, 2))
        for own in named
    ]
    random.shuffle(parts)
    found: Activity = combine.extract_output(combine.merge_accumulators(parts))
    events = [event for own in named for event in own]
    users = collections.Counter(user for user, _ in events)
    items = collections.Counter(item for _, item in events)
    assert found.users == len(users)
    assert found.items.tolist() == [items[row] for row in range(5)]
    assert list(found.busiest) == sorted(users.items(), key=lambda pair: (-pair[1], pair[0]))[:2]
    for power in range(6):
        own = sum(2**power <= count < 2 ** (power + 1) for count in users.values())
        assert found.histogram[power] == own


def test_powers_of_two_have_sharp_edges():
    # 1 | 2 3 | 4 7 | 8
    assert powers_of_two(np.array([1, 2, 3, 4, 7, 8]))[:5].tolist() == [1, 2, 2, 1, 0]
    assert powers_of_two(np.array([2**52 - 1, 2**52]))[51:53].tolist() == [1, 1]
