import datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.time_features import HOUR_ROWS, WEEKDAY_ROWS, hours_of, weekdays_of

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def test_the_first_second_was_at_midnight_on_a_thursday():
    assert hours_of(np.array([-1, 0, 3599, 3600])).tolist() == [24, 1, 1, 2]
    assert weekdays_of(np.array([-1, 0, 86_399, 86_400])).tolist() == [3, 4, 4, 5]


@settings(deadline=None)
@given(st.lists(st.integers(-(10**10), 10**11), max_size=9))
def test_rows_are_those_of_the_calendar(seconds):
    moments = [EPOCH + datetime.timedelta(seconds=second) for second in seconds]
    array = np.array(seconds, np.int64)
    assert hours_of(array).tolist() == [moment.hour + 1 for moment in moments]
    assert weekdays_of(array).tolist() == [moment.isoweekday() for moment in moments]
    assert (hours_of(array) < HOUR_ROWS).all() and (weekdays_of(array) < WEEKDAY_ROWS).all()


def test_tensors_are_taken_as_well():
    import tensorflow as tf

    seconds = np.array([-90_001, 0, 1_714_521_600])
    for function in (hours_of, weekdays_of):
        expected = function(seconds)
        np.testing.assert_array_equal(function(tf.constant(seconds)), expected)
        (mapped,) = tf.data.Dataset.from_tensors(seconds).map(function)
        np.testing.assert_array_equal(mapped, expected)
