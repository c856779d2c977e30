import numpy as np
import pytest

from tfrs_mm.data.ragged import Ragged

LISTS = [[5, 6], [], [7], [8, 9, 10]]


def test_lists_go_in_and_come_out():
    ragged = Ragged.of(LISTS)
    assert ragged.values.tolist() == [5, 6, 7, 8, 9, 10]
    assert ragged.splits.tolist() == [0, 2, 2, 3, 6]
    assert len(ragged) == 4
    assert ragged.lengths.tolist() == [2, 0, 1, 3]
    assert [entries.tolist() for entries in ragged] == LISTS
    assert ragged[0].tolist() == [5, 6] and ragged[-1].tolist() == [8, 9, 10]
    with pytest.raises(IndexError):
        ragged[4]


def test_take_repeats_and_reorders():
    taken = Ragged.of(LISTS).take(np.array([3, 1, 0, 3]))
    assert [entries.tolist() for entries in taken] == [[8, 9, 10], [], [5, 6], [8, 9, 10]]


def test_nothing_at_all_is_ragged_too():
    empty = Ragged.of([], np.int32)
    assert len(empty) == 0 and empty.values.dtype == np.int32
    assert len(Ragged.of(LISTS).take(np.array([], dtype=np.int64))) == 0
    assert [entries.tolist() for entries in Ragged.of([[], []])] == [[], []]


@pytest.mark.parametrize("splits", [[0, 1], [1, 3], [0, 2, 1, 3], []])
def test_splits_that_do_not_divide_the_values_are_refused(splits):
    with pytest.raises(ValueError, match="splits"):
        Ragged(np.array([1, 2, 3]), np.array(splits, dtype=np.int64))
