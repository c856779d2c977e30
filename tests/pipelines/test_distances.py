import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.column_report import describe
from pipelines.column_summary import ColumnSpec, summarise
from pipelines.distances import (
    binned,
    difference_by_chance,
    divergence_by_chance,
    jensen_shannon,
    largest_difference,
    reached,
)

numbers = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


def distribution_of(values: list[float]) -> dict:
    spec = ColumnSpec("number")
    report = describe(summarise(pa.array(values, pa.float64()), spec, 20_000), spec, None, 5)
    return report["distribution"]


def test_equal_distributions_are_not_apart():
    assert jensen_shannon(np.array([1, 2]), np.array([10, 20])) == 0.0
    assert largest_difference(np.array([1, 2]), np.array([10, 20])) == 0.0


def test_distributions_that_share_nothing_are_a_bit_apart():
    assert jensen_shannon(np.array([3, 0]), np.array([0, 9])) == 1.0
    assert largest_difference(np.array([3, 0]), np.array([0, 9])) == 1.0


def test_the_divergence_is_that_of_the_formula():
    # p = (1/2, 1/2), q = (1, 0), mean = (3/4, 1/4):
    # ((1/2 log2 2/3 + 1/2 log2 2) + log2 4/3) / 2
    expected = ((math.log2(2 / 3) + 1) / 2 + math.log2(4 / 3)) / 2
    assert jensen_shannon(np.array([5, 5]), np.array([7, 0])) == pytest.approx(expected)
    assert largest_difference(np.array([5, 5]), np.array([7, 0])) == 0.5


def test_nothing_is_no_distance_from_anything():
    assert jensen_shannon(np.zeros(2), np.array([1, 2])) == 0.0
    assert largest_difference(np.array([1, 2]), np.zeros(2)) == 0.0


@pytest.mark.parametrize(("bins", "one", "other"), [(5, 400, 400), (20, 1000, 200)])
def test_chance_takes_samples_as_far_apart_as_it_is_said(bins, one, other):
    generator = np.random.default_rng(2)
    shares = np.full(bins, 1 / bins)
    pairs = [
        (generator.multinomial(one, shares), generator.multinomial(other, shares))
        for _ in range(400)
    ]
    mean = np.mean([jensen_shannon(*pair) for pair in pairs])
    # Its relative deviation is at most sqrt(2 / (bins - 1) / 400), 3.6 %; four of these.
    assert mean == pytest.approx(divergence_by_chance(bins, one, other), rel=0.15)
    largest = [largest_difference(*pair) for pair in pairs]
    assert np.mean(np.array(largest) > difference_by_chance(one, other)) < 0.01


@settings(deadline=None)
@given(numbers, numbers)
def test_bins_hold_what_is_in_them(one, other):
    first, second = binned(distribution_of(one), distribution_of(other))
    assert len(first) == len(second) <= 20
    for shares in (first, second):
        assert shares.sum() == pytest.approx(1.0)
        assert (shares >= -1e-12).all()
    if sorted(one) == sorted(other):
        np.testing.assert_allclose(first, second)


@settings(deadline=None)
@given(numbers, st.integers(-6, 6))
def test_the_share_up_to_a_number_of_the_data_is_exact(values, point):
    found = reached(distribution_of(values), np.array([float(point)]))[0]
    assert found == pytest.approx(np.mean(np.array(values) <= point))


def test_a_smooth_distribution_is_known_within_a_percentile():
    values = np.random.default_rng(5).exponential(size=20_000)
    points = np.linspace(0.01, 5, 40)
    exact = np.array([(values <= point).mean() for point in points])
    np.testing.assert_allclose(reached(distribution_of(values.tolist()), points), exact, atol=0.01)
