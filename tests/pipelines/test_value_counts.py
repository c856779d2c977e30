import collections
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.value_counts import NOTHING, ValueCounts

texts = st.lists(st.text(max_size=3), max_size=30)


def counts_of(values: list[str], limit: int = 1000) -> ValueCounts:
    return ValueCounts.of_texts(pa.array(values, pa.string()), limit)


def as_dict(counts: ValueCounts) -> dict:
    return dict(zip(counts.labels.tolist(), counts.counts.tolist(), strict=True))


@settings(deadline=None)
@given(st.lists(texts, max_size=5))
def test_few_values_are_counted_exactly(parts):
    merged = NOTHING
    for part in parts:
        merged = merged.merged(counts_of(part), 1000)
    expected = collections.Counter(value for part in parts for value in part)
    assert as_dict(merged) == expected
    assert (merged.distinct(), merged.complete) == ((len(expected), 0.0), True)
    assert merged.total == expected.total()
    ordered = sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
    assert merged.most_frequent(3) == ordered[:3]


@settings(deadline=None)
@given(texts, st.integers(1, 8), st.integers(1, 5), st.randoms())
def test_the_order_and_the_parts_mean_nothing(values, limit, num_parts, generator):
    whole = counts_of(values, limit)
    shuffled = generator.sample(values, len(values))
    merged = NOTHING
    for part in range(num_parts):
        merged = merged.merged(counts_of(shuffled[part::num_parts], limit), limit)
    assert as_dict(merged) == as_dict(whole)
    assert merged.hashes.tolist() == whole.hashes.tolist()
    assert (merged.total, merged.complete) == (whole.total, whole.complete)
    exact = collections.Counter(values)
    assert whole.complete == (len(exact) <= limit)
    assert all(exact[value] == count for value, count in as_dict(whole).items())


@pytest.mark.parametrize("limit", [1024, 16_384])
def test_a_hundred_thousand_values_are_estimated_within_three_standard_errors(limit):
    found, error = counts_of([f"value {number}" for number in range(100_000)], limit).distinct()
    # 1 / sqrt(limit - 2) is 3.1 % and 0.8 %
    assert error == pytest.approx({1024: 0.0313, 16_384: 0.0078}[limit], abs=1e-4)
    assert abs(found - 100_000) <= 3 * error * 100_000


def test_the_error_of_many_estimates_is_the_one_that_is_said():
    generator = random.Random(3)
    errors = []
    for _ in range(60):
        values = np.array([generator.random() for _ in range(3000)])
        found, said = ValueCounts.of_numbers(values, 200).distinct()
        errors.append((found - 3000) / 3000)
    # 1 / sqrt(198) is 7.1 %; 60 estimates tell the deviation to about a tenth of itself
    assert said == pytest.approx(0.0711, abs=1e-4)
    assert np.std(errors) == pytest.approx(said, rel=0.35)
    assert abs(np.mean(errors)) < 3 * said / 60**0.5


def test_long_values_are_shortened_and_stay_apart():
    one, other = "x" * 500 + "1", "x" * 500 + "2"
    counted = counts_of([one, other, one])
    shown = as_dict(counted)
    assert sorted(shown.values()) == [1, 2]
    assert all(len(label) < 130 for label in shown)


def test_numbers_are_counted_as_numbers():
    counted = ValueCounts.of_numbers(np.array([2.0, -0.0, 0.0, 2.5, -1.0, 0.0]), 10)
    assert as_dict(counted) == {0.0: 3, 2.0: 1, 2.5: 1, -1.0: 1}
