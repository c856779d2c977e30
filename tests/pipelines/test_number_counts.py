import collections
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.number_counts import NOTHING, NumberCounts, ordered_bits

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40)
# Few values, so that ties are the rule.
parts = st.lists(st.lists(st.sampled_from([-2.5, -0.0, 0.0, 1.0, 1.5, 1e300]), max_size=9))


def counts_of(values: list[float], limit: int = 100) -> NumberCounts:
    return NumberCounts.of(np.array(values, np.float64), limit)


def same(one: NumberCounts, other: NumberCounts) -> bool:
    return (
        (one.level, one.smallest, one.largest) == (other.level, other.smallest, other.largest)
        and one.buckets.tolist() == other.buckets.tolist()
        and one.counts.tolist() == other.counts.tolist()
    )


@settings(deadline=None)
@given(numbers)
def test_bits_are_in_the_order_of_the_numbers(values):
    bits = ordered_bits(np.array(values, np.float64))
    for one, first in zip(values, bits, strict=True):
        for other, second in zip(values, bits, strict=True):
            assert (one < other, one == other) == (first < second, first == second)


@settings(deadline=None)
@given(parts)
def test_few_numbers_are_counted_exactly(parts):
    merged = NOTHING
    for part in parts:
        merged = merged.merged(counts_of(part), 100)
    together = sorted(value + 0.0 for part in parts for value in part)
    expected = collections.Counter(together)
    assert merged.exact
    values, errors = merged.values()
    assert dict(zip(values.tolist(), merged.counts.tolist(), strict=True)) == expected
    assert not errors.any()
    if together:
        quantiles, error = merged.quantiles([0, 0.2, 0.5, 1])
        ranks = [max(math.ceil(share * len(together)), 1) - 1 for share in (0, 0.2, 0.5, 1)]
        assert (quantiles.tolist(), error) == ([together[rank] for rank in ranks], 0.0)


@settings(deadline=None)
@given(numbers, st.integers(2, 6), st.integers(1, 5), st.randoms())
def test_the_order_and_the_parts_mean_nothing(values, limit, num_parts, random):
    whole = counts_of(values, limit)
    shuffled = random.sample(values, len(values))
    merged = NOTHING
    for part in range(num_parts):
        merged = merged.merged(counts_of(shuffled[part::num_parts], limit), limit)
    assert same(merged, whole)
    assert len(whole.counts) <= limit


@settings(deadline=None)
@given(numbers.filter(bool), st.integers(2, 6))
def test_a_quantile_is_as_near_as_it_says(values, limit):
    counts = counts_of(values, limit)
    shares = [0, 0.1, 0.5, 0.9, 1]
    places = counts.places(shares)
    found, errors = counts.values()
    for share, place in zip(shares, places, strict=True):
        exact = sorted(values)[max(math.ceil(share * len(values)), 1) - 1]
        # A little more for the rounding of the difference itself.
        assert abs(found[place] - exact) <= errors[place] * (1 + 1e-12)


def test_no_more_bits_are_given_up_than_the_limit_demands():
    # 1 and the next three floats: two buckets of two need one bit, and 1.0 is an even float.
    values = [1.0, math.nextafter(1, 2)]
    values += [math.nextafter(values[-1], 2), 1 + 3 * 2**-52]
    assert counts_of(values, 4).level == 0
    assert (counts_of(values, 3).level, counts_of(values, 3).counts.tolist()) == (1, [2, 2])
    assert (counts_of(values, 2).level, counts_of(values, 2).counts.tolist()) == (1, [2, 2])


def test_a_hundred_thousand_times_keep_their_quantiles():
    # Ten years of seconds: 2**14 buckets of some hours each, far less than a percentile is wide.
    times = np.random.default_rng(4).uniform(1.3e9, 1.6e9, 100_000)
    counts = NumberCounts.of(times, 2**14)
    found, error = counts.quantiles([0.01, 0.5, 0.99])
    exact = np.quantile(times, [0.01, 0.5, 0.99], method="inverted_cdf")
    assert (np.abs(found - exact) <= error).all()
    assert 0 < error < 12 * 3600
    assert (counts.total, counts.smallest, counts.largest) == (100_000, times.min(), times.max())


def test_quantiles_of_nothing_are_refused():
    with pytest.raises(ValueError, match="none was counted"):
        NOTHING.quantiles([0.5])
