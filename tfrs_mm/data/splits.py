"""Cutting the timelines of users into training, validation and test events, and into windows.

All functions work on whole columns: events are sorted by user, then time, then input order, and
`starts` and `ends` say where each user's events lie. A history never holds what came at or after
its target in this order.
"""

import dataclasses

import numpy as np

TRAIN, VALID, TEST = 0, 1, 2
# Events that are neither learnt from nor asked for: those of the gap before a temporal cut, those
# of items that are held out of training, and those of users who are.
GAP, COLD_ITEM, COLD_USER = 3, 4, 5
_MIN_EVENTS = 3  # a user with fewer events is only learnt from
_SHARES = (0.8, 0.1)  # of the events, that train and that validate
_DECIMALS = 9  # of a sum of shares: 0.7 and 0.1 are 0.8, whatever floats make of it


def leave_one_out(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The last event of each user is for test, the one before for validation.

    Users with fewer than three events are training only.

    Args:
        starts: `[users]`, place of the first event.
        ends: `[users]`, one behind the place of the last.

    Returns:
        `[events]` of `TRAIN`, `VALID` or `TEST`.
    """
    split = np.full(int(ends.max(initial=0)), TRAIN, np.int8)
    long = ends - starts >= _MIN_EVENTS
    split[ends[long] - 1] = TEST
    split[ends[long] - 2] = VALID
    return split


@dataclasses.dataclass(frozen=True)
class Moment:
    """A place in the global order of events: by time, then by position in the input."""

    time: float
    position: int

    def is_reached(self, times: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Which events lie at or behind it, `[events]` bool."""
        return (times > self.time) | ((times == self.time) & (positions >= self.position))


END = Moment(np.inf, 0)


def cut_moments(
    times: np.ndarray, positions: np.ndarray, shares: tuple[float, float] = _SHARES
) -> tuple[Moment, Moment]:
    """Where validation and test begin: the first events by time train, the next ones validate.

    Selects instead of sorting: linear in time, and about as much memory again as the arguments
    take.

    Args:
        times: `[events]` seconds, in any order.
        positions: `[events]` distinct places in the input; they break ties in time.
        shares: of the events, that train and that validate.
    """
    train, valid = shares
    ranks = (int(len(times) * share) for share in (train, round(train + valid, _DECIMALS)))
    valid, test = (_moment_at(times, positions, rank) for rank in ranks)
    return valid, test


def _moment_at(times: np.ndarray, positions: np.ndarray, rank: int) -> Moment:
    """The moment of the event with so many before it."""
    if rank >= len(times):
        return END
    time = np.partition(times, rank)[rank]
    tied = positions[times == time]
    among_tied = rank - int((times < time).sum())
    return Moment(float(time), int(np.partition(tied, among_tied)[among_tied]))


def temporal(times: np.ndarray, positions: np.ndarray, cuts: tuple[Moment, Moment]) -> np.ndarray:
    """Events by the global cuts; `[events]` of `TRAIN`, `VALID` or `TEST`."""
    return np.where(
        cuts[1].is_reached(times, positions),
        TEST,
        np.where(cuts[0].is_reached(times, positions), VALID, TRAIN),
    ).astype(np.int8)


def leave_gap(
    split: np.ndarray, times: np.ndarray, cuts: tuple[Moment, Moment], seconds: float
) -> np.ndarray:
    """The temporal split with a gap before validation and before test.

    Args:
        split: `[events]` of `TRAIN`, `VALID` or `TEST`.
        times: `[events]` seconds.
        cuts: where validation and test begin.
        seconds: events less than that before a cut, and of the part before it, are `GAP`.
    """
    near = [cut.time - times < seconds for cut in cuts]
    learnt, asked = split == TRAIN, split == VALID
    return np.where(learnt & (near[0] | near[1]) | asked & near[1], np.int8(GAP), split)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Stretches of timelines that training looks at.

    Attributes:
        owner: `[windows]`, place of the user.
        starts: `[windows]`, place of the first event.
        lengths: `[windows]`, at most the window's size.
        first_target: `[windows]`, events before it are context only.
    """

    owner: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    first_target: np.ndarray


def cut_windows(starts: np.ndarray, ends: np.ndarray, size: int) -> Windows:
    """Windows in which every event is a target exactly once.

    A timeline that fits is one window. A longer one is cut every half window, so that the targets
    of later windows have at least half a window before them; the last window ends at the last
    event.

    Args:
        starts: `[users]`.
        ends: `[users]`.
        size: events of a window, at least 1.
    """
    counts = ends - starts
    step = max(size // 2, 1)
    more = np.where(counts > size, -(-(counts - size) // step), 0)
    number = np.where(counts > 0, 1 + more, 0)
    owner = np.repeat(np.arange(len(starts)), number)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(number) - number, number)
    stop = np.minimum(size + nth * step, counts[owner])
    begin = np.maximum(stop - size, 0)
    covered = np.where(nth == 0, 0, size + (nth - 1) * step)
    return Windows(owner, starts[owner] + begin, stop - begin, covered - begin)


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The places `start, start + 1, ...` of several stretches, one after another."""
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    return np.arange(total) - np.repeat(before - starts, lengths)
