"""Which session of its user an event belongs to: a new one begins after a long enough pause."""

import numpy as np

_SECONDS_A_MINUTE = 60.0


def sessions_of(users: np.ndarray, times: np.ndarray, gap_minutes: float) -> np.ndarray:
    """`[events]` int64 numbers of sessions, from 1 on for each user.

    The number of a session depends on what came before it alone.

    Args:
        users: `[events]` numbers; the events are sorted by user, then time.
        times: `[events]` seconds.
        gap_minutes: a pause longer than this ends a session.
    """
    first = np.diff(users, prepend=-1) != 0
    paused = np.diff(times, prepend=0.0) > gap_minutes * _SECONDS_A_MINUTE
    begun = np.cumsum(first | paused)
    return begun - np.repeat(begun[first], np.diff(np.flatnonzero(first), append=len(users))) + 1
