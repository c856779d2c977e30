import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.splits import (
    Moment,
    cut_moments,
    cut_windows,
    leave_gap,
    leave_one_out,
    ranges,
    temporal,
)

TRAIN, VALID, TEST, GAP = 0, 1, 2, 3
counts_of_users = st.lists(st.integers(0, 40), max_size=12)
# Few distinct times, so that ties are the rule.
times_of_events = st.lists(st.integers(0, 5).map(float), max_size=60)


def bounds(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    ends = np.cumsum(np.array(counts, np.int64))
    return ends - np.array(counts, np.int64), ends


def test_the_last_event_is_test_and_the_one_before_validation():
    # Users of 4, 2, 3 and 1 events; those of 2 and 1 are learnt from only.
    split = leave_one_out(*bounds([4, 2, 3, 1]))
    assert split.tolist() == [0, 0, 1, 2, 0, 0, 0, 1, 2, 0]


@settings(deadline=None)
@given(counts_of_users)
def test_leave_one_out_asks_each_user_of_three_events_once(counts):
    split = leave_one_out(*bounds(counts))
    expected = []
    for count in counts:
        expected += [TRAIN] * (count - 2) + [VALID, TEST] if count >= 3 else [TRAIN] * count
    assert split.tolist() == expected


def test_the_temporal_cuts_are_at_eight_and_nine_tenths():
    # Ten events at 0, 10, ..., 90: the ninth (80) begins validation, the tenth (90) test.
    times, positions = np.arange(10) * 10.0, np.arange(10)
    split = temporal(times, positions, cut_moments(times, positions))
    assert split.tolist() == [TRAIN] * 8 + [VALID, TEST]


def test_a_tie_at_the_cut_is_broken_by_the_place_in_the_input():
    # All at one time: int(5 * 0.8) = 4 train and int(5 * 0.9) = 4, so the one that comes last is
    # test.
    times, positions = np.full(5, 7.0), np.array([3, 0, 4, 1, 2])
    split = temporal(times, positions, cut_moments(times, positions))
    assert split.tolist() == [TRAIN, TRAIN, TEST, TRAIN, TRAIN]


@settings(deadline=None)
@given(times_of_events, st.randoms())
def test_the_temporal_split_is_that_of_the_sorted_list(times, random):
    positions = list(range(len(times)))
    random.shuffle(positions)
    split = temporal(
        np.array(times), np.array(positions, np.int64),
        cut_moments(np.array(times), np.array(positions, np.int64)),
    )  # fmt: skip
    in_order = sorted(range(len(times)), key=lambda event: (times[event], positions[event]))
    first, second = int(len(times) * 0.8), int(len(times) * 0.9)
    for rank, event in enumerate(in_order):
        assert split[event] == (TRAIN if rank < first else VALID if rank < second else TEST)


def test_the_cuts_do_not_depend_on_how_the_events_are_ordered_in_memory():
    generator = np.random.default_rng(0)
    times, positions = generator.integers(0, 9, 200).astype(float), generator.permutation(200)
    shuffled = generator.permutation(200)
    assert cut_moments(times, positions) == cut_moments(times[shuffled], positions[shuffled])


@pytest.mark.parametrize(
    ("shares", "sizes"),
    [((0.5, 0.25), [6, 3, 3]), ((0.7, 0.1), [8, 1, 3]), ((1.0, 0.0), [12, 0, 0])],
)
def test_the_shares_say_where_the_cuts_are(shares, sizes):
    # Of twelve events 0.7 are 8.4, and 0.8 are 9.6.
    times, positions = np.arange(12.0), np.arange(12)
    split = temporal(times, positions, cut_moments(times, positions, shares))
    assert np.bincount(split, minlength=3).tolist() == sizes


def test_a_sum_of_shares_is_that_of_their_decimals():
    times, positions = np.arange(10.0), np.arange(10)
    # As floats 0.7 + 0.1 is below 0.8, and ten times it below 8.
    assert cut_moments(times, positions, (0.7, 0.1))[1] == Moment(8.0, 8)


def test_events_in_the_gap_are_of_no_part():
    # Cuts at 10 and 20, a gap of 3 seconds: events from 8 on and from 18 on, up to the cuts.
    cuts = Moment(10.0, 5), Moment(20.0, 9)
    times, positions = np.array([6, 7, 8, 9.5, 10, 10, 17, 18, 20, 20]), np.arange(10)
    split = temporal(times, positions, cuts)
    assert split.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert leave_gap(split, times, cuts, 3.0).tolist() == [0, 0, 3, 3, 3, 1, 1, 3, 3, 2]


@settings(deadline=None)
@given(times_of_events, st.integers(0, 4).map(float))
def test_a_gap_lies_before_both_cuts(times, gap):
    times, positions = np.array(times), np.arange(len(times))
    cuts = cut_moments(times, positions)
    split = temporal(times, positions, cuts)
    left = leave_gap(split, times, cuts, gap)
    for part, later in ((TRAIN, cuts), (VALID, cuts[1:])):
        for event in np.flatnonzero(split == part):
            near = any(cut.time - times[event] < gap for cut in later)
            assert left[event] == (GAP if near else part)
    assert ((left == TEST) == (split == TEST)).all()
    if not gap:
        assert (left == split).all()


def test_a_timeline_that_fits_is_one_window():
    windows = cut_windows(*bounds([3, 5, 0]), size=5)
    assert windows.owner.tolist() == [0, 1]
    assert windows.starts.tolist() == [0, 3]
    assert windows.lengths.tolist() == [3, 5]
    assert windows.first_target.tolist() == [0, 0]


def test_a_longer_timeline_is_cut_every_half_window():
    # Size 4, so every 2: events 0-3, then 2-5 with targets 4 and 5, and last 3-6 with target 6
    # alone.
    windows = cut_windows(*bounds([7]), size=4)
    assert windows.starts.tolist() == [0, 2, 3]
    assert windows.lengths.tolist() == [4, 4, 4]
    assert windows.first_target.tolist() == [0, 2, 3]


@settings(deadline=None)
@given(counts_of_users, st.integers(1, 12))
def test_every_event_is_a_target_exactly_once(counts, size):
    starts, ends = bounds(counts)
    windows = cut_windows(starts, ends, size)
    targeted = np.zeros(sum(counts), int)
    for owner, start, length, first in zip(
        windows.owner, windows.starts, windows.lengths, windows.first_target, strict=True
    ):
        assert starts[owner] <= start
        assert start + length <= ends[owner]  # of this user only
        assert 0 <= first < length <= size
        # Half a window of context at least, but in a first window; a window of one event has no
        # room for it.
        assert first >= size / 2 or start == starts[owner] or size == 1
        targeted[start + first : start + length] += 1
    assert (targeted == 1).all()


@settings(deadline=None)
@given(counts_of_users, st.integers(1, 12))
def test_the_last_window_ends_at_the_last_event(counts, size):
    starts, ends = bounds(counts)
    windows = cut_windows(starts, ends, size)
    for user in range(len(counts)):
        own = windows.owner == user
        assert own.any() == (counts[user] > 0)
        if own.any():
            assert (windows.starts + windows.lengths)[own][-1] == ends[user]
            # Only the one that has to be is shorter than a window.
            assert (windows.lengths[own] == min(size, counts[user])).all()


@pytest.mark.parametrize(
    ("starts", "lengths", "places"),
    [([4, 0, 9], [2, 3, 0], [4, 5, 0, 1, 2]), ([], [], []), ([7], [0], [])],
)
def test_ranges_count_on_from_each_start(starts, lengths, places):
    assert ranges(np.array(starts, np.int64), np.array(lengths, np.int64)).tolist() == places


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=12))
def test_ranges_are_those_of_python(stretches):
    starts, lengths = np.array(stretches, np.int64).reshape(-1, 2).T
    expected = [place for start, length in stretches for place in range(start, start + length)]
    assert ranges(starts, lengths).tolist() == expected
