import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sessions import sessions_of


def test_a_pause_begins_a_session_and_so_does_a_user():
    users = np.array([0, 0, 0, 0, 1, 1])
    # Pauses of 30 minutes (not longer than that), of 31, and of none; then another user.
    times = np.array([0, 1800, 3660, 3660, 9.0, 99_999])
    assert sessions_of(users, times, 30).tolist() == [1, 1, 2, 2, 1, 2]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-9, 9)), max_size=30), st.integers(1, 4))
def test_sessions_are_those_of_counting_along(rows, gap):
    rows.sort()
    expected, last = [], {}
    for user, minute in rows:
        before, number = last.get(user, (minute, 1))
        number += minute - before > gap
        last[user] = (minute, number)
        expected.append(number)
    users = np.array([user for user, _ in rows], np.int64)
    times = np.array([60.0 * minute for _, minute in rows])
    assert sessions_of(users, times, gap).tolist() == expected
