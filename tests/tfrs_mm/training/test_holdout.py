import numpy as np
import tensorflow as tf

from tfrs_mm.training.holdout import Holdout, count_targets

# User 1 has ten training events at times 10 to 19, over two windows; the last of them twice.
WINDOWS = {
    "user": np.array([1, 1, 2, 3], np.int32),
    "history/item": np.array(
        [
            [1, 2, 3, 4, 5, 6],
            [5, 6, 7, 8, 9, 9],
            [4, 3, 0, 0, 0, 0],
            [7, 7, 7, 7, 0, 0],
        ],
        np.int32,
    ),
    "history/time": np.array(
        [
            [10, 11, 12, 13, 14, 15],
            [14, 15, 16, 17, 18, 19],
            [50, 60, 0, 0, 0, 0],
            [5, 5, 5, 5, 0, 0],
        ],
        np.int64,
    ),
    "is_target": np.array(
        [
            [True] * 6,
            [False, False, True, True, True, True],
            [True, True, False, False, False, False],
            [True, True, True, True, False, False],
        ]
    ),
}


def test_the_newest_events_of_a_user_are_held_out():
    # 10 * 0.3 = 3 exactly, so there is nothing to round: times 17, 18 and 19.
    held = Holdout.of_newest(WINDOWS, 0.3, seed=0).is_held(WINDOWS)
    assert WINDOWS["history/time"][:2][held[:2]].tolist() == [17, 18, 19]


def test_events_of_one_time_stay_together_and_something_is_left():
    # User 3 has four events at the same time: to hold out one would be to hold out all.
    held = Holdout.of_newest(WINDOWS, 0.5, seed=0).is_held(WINDOWS)
    assert not held[3].any()
    assert held[2].tolist() == [False, True, False, False, False, False]


def test_the_share_holds_on_average_where_users_have_few_events():
    users = 4000
    windows = {
        "user": np.arange(1, users + 1, dtype=np.int32),
        "history/item": np.ones((users, 3), np.int32),
        "history/time": np.tile(np.arange(3), (users, 1)),
        "is_target": np.ones((users, 3), bool),
    }
    held = Holdout.of_newest(windows, 0.1, seed=3).is_held(windows)
    # Of 12,000 events 1,200; the number is binomial with a deviation of sqrt(4000 * .3 * .7) = 29.
    assert abs(held.sum() - 1200) < 4 * 29
    assert not held[:, 0].any()


def test_nothing_is_held_out_at_share_zero():
    assert not Holdout.of_newest(WINDOWS, 0.0, seed=0).is_held(WINDOWS).any()


def test_a_stream_of_batches_loses_exactly_what_is_held_out():
    holdout = Holdout.of_newest(WINDOWS, 0.3, seed=0)
    stream = holdout.without(tf.data.Dataset.from_tensor_slices(WINDOWS).batch(4))
    (batch,) = stream
    wanted = WINDOWS["is_target"] & ~holdout.is_held(WINDOWS)
    np.testing.assert_array_equal(batch["is_target"], wanted)
    np.testing.assert_array_equal(batch["history/item"], WINDOWS["history/item"])


def test_targets_are_counted_by_row():
    # user 1: 1 to 9 once each and 9 once more; user 2: 4 and 3; user 3: 7 four times
    counts = count_targets(WINDOWS, WINDOWS["is_target"], num_items=10)
    assert counts.tolist() == [0, 1, 1, 2, 2, 1, 1, 5, 1, 2, 0]
