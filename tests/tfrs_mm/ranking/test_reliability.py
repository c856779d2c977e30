import numpy as np
import pytest

from tfrs_mm.ranking.calibration import CALIBRATIONS
from tfrs_mm.ranking.reliability import reliability_table


def test_the_error_is_the_mean_distance_of_what_is_said_and_what_came_true():
    probabilities = np.array([0.9, 0.1, 0.2, 0.8])
    table = reliability_table(probabilities, np.array([1, 0, 1, 1]), bins=2, even="width")
    # below one half: 0.15 said, 0.5 came true; above: 0.85 said, 1 came true
    assert table.counts.tolist() == [2, 2] and table.observed.tolist() == [0.5, 1]
    np.testing.assert_allclose(table.predicted, [0.15, 0.85])
    np.testing.assert_allclose(table.ece, (0.35 + 0.15) / 2)
    assert table.rows()[1]["count"] == 2


def test_bins_of_equal_mass_part_what_lies_close_together():
    probabilities = np.array([0.01, 0.02, 0.03, 0.04, 0.9, 0.95])
    labels = np.array([0, 0, 1, 0, 1, 1])
    assert reliability_table(probabilities, labels, 3).counts.tolist() == [2, 2, 2]
    assert reliability_table(probabilities, labels, 3, even="width").counts.tolist() == [4, 2]


def test_equal_predictions_share_a_bin():
    table = reliability_table(np.array([0.1, 0.3, 0.3, 0.3]), np.array([0, 1, 0, 0]), bins=4)
    assert table.counts.tolist() == [1, 3]
    # |0 - 0.1| / 4 + 3 / 4 |1/3 - 0.3|
    np.testing.assert_allclose(table.ece, 0.05)


def test_a_probability_of_one_is_in_the_last_bin():
    assert reliability_table(np.array([1.0]), np.array([1]), even="width").ece == 0


@pytest.mark.parametrize("name", sorted(CALIBRATIONS))
def test_a_fitted_map_is_right_about_outcomes_that_it_has_not_met(name):
    generator = np.random.default_rng(0)
    scores = generator.normal(size=20_000).astype(np.float32)
    labels = generator.random(20_000) < 1 / (1 + np.exp(4 - scores))
    fitted = CALIBRATIONS[name](scores[:10_000], labels[:10_000])
    before = reliability_table(1 / (1 + np.exp(-scores[10_000:])), labels[10_000:]).ece
    after = reliability_table(fitted.apply(scores[10_000:]).numpy(), labels[10_000:]).ece
    assert before > 0.3  # one half is said on average, 3 of 100 come true
    assert after < 0.01
