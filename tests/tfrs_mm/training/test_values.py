import numpy as np
import pytest

from tfrs_mm.errors import UserError
from tfrs_mm.training.values import values_at

PLACES = np.array([[0, 0], [0, 1], [1, 1]])


def windows_of(values):
    values = np.array(values, np.float32)
    return {
        "history/value": np.nan_to_num(values),
        "history/value_present": (~np.isnan(values)).astype(np.int64),
    }


def test_ratings_have_mean_0_and_variance_1_where_they_are_known():
    windows = windows_of([[1.0, np.nan, 9.0], [9.0, 5.0, 9.0]])
    # of 1 and 5 the mean is 3 and the deviation 2; no other event is one of the ranker's
    np.testing.assert_allclose(values_at(windows, PLACES, "rating"), [-1, np.nan, 1])


def test_durations_are_taken_by_their_logarithm():
    # ln(1 + 0) = 0, ln(1 + e - 1) = 1, ln(1 + e^2 - 1) = 2
    windows = windows_of([[0.0, np.e - 1, 0.0], [0.0, np.e**2 - 1, 0.0]])
    found = values_at(windows, PLACES, "duration")
    np.testing.assert_allclose(found, np.array([-1, 0, 1]) / np.sqrt(2 / 3), atol=1e-5)


@pytest.mark.parametrize("values", [[[np.nan, np.nan], [0, np.nan]], [[2, 2], [9, np.nan]]])
def test_values_that_teach_nothing_are_told(values):
    with pytest.raises(UserError, match=r"3 positives [02] have a rating, and there are no two"):
        values_at(windows_of(values), PLACES, "rating")
