import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.exact_moments import ExactSums, FixedPoint, Ranges, moments_of


def fitted(rows: np.ndarray, order=None, cuts=()):
    """The moments of rows, added up in this order, in parts that end at `cuts`."""
    rows = rows if order is None else rows[order]
    ranges = Ranges.none(rows.shape[1])
    for row in rows:
        ranges = ranges.including(row)
    frame = FixedPoint.of(ranges)
    merged = ExactSums.none(rows.shape[1])
    for part in np.split(rows, sorted(cuts)):
        for start in range(0, len(part), 256):
            block = np.stack([frame.rounded(row) for row in part[start : start + 256]])
            merged = merged.merged(ExactSums.of(block))
    return moments_of(merged, frame)


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_they_are_those_of_the_whole_matrix(shift):
    rows = np.random.default_rng(1).normal(size=(700, 9)).astype(np.float32) * 3 + np.float32(shift)
    moments, exact = fitted(rows), rows.astype(np.float64)
    assert moments.count == 700
    # A step is 2^-22 of at most 16, the half range to the next power of two.
    np.testing.assert_allclose(moments.mean, exact.mean(axis=0), atol=16 * 2.0**-22)
    expected = np.cov(exact, rowvar=False, bias=True)
    np.testing.assert_allclose(moments.covariance, expected, atol=1e-5)


def test_whole_numbers_are_exact():
    rows = np.array([[1, 2], [3, 2], [2, 2]], np.float32)
    moments = fitted(rows)
    # Means 2 and 2; the first varies by (1 + 1 + 0) / 3, the second not at all.
    np.testing.assert_array_equal(moments.mean, [2, 2])
    np.testing.assert_allclose(moments.covariance, [[2 / 3, 0], [0, 0]], rtol=1e-15)


@given(st.integers(1, 600), st.integers(0, 2**32 - 1), st.data())
@settings(max_examples=25, deadline=None)
def test_any_order_and_any_parts_give_the_same_bits(count, seed, data):
    generator = np.random.default_rng(seed)
    scales = 10.0 ** generator.integers(-30, 30, size=4)
    rows = (generator.standard_cauchy(size=(count, 4)) * scales).astype(np.float32)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=6))
    one, other = fitted(rows), fitted(rows, generator.permutation(count), cuts)
    assert one.mean.tobytes() == other.mean.tobytes()
    assert one.covariance.tobytes() == other.covariance.tobytes()


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40)
)
@settings(deadline=None)
def test_no_finite_number_leaves_the_range_of_whole_numbers(values):
    rows = np.array(values, np.float32)[:, np.newaxis]
    ranges = Ranges(rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64))
    frame = FixedPoint.of(ranges)
    rounded = frame.rounded(rows)
    assert np.abs(rounded.astype(np.int64)).max() <= 2**22
    assert np.isfinite(fitted(rows).mean).all()


def test_more_rows_than_fit_into_64_bits_are_counted():
    # 2^45 rows of the largest product are beyond 2^63: they are added by doubling.
    sums = ExactSums.of(np.full([1, 1], 2**22, np.int32))
    for _ in range(30):
        sums = sums.merged(sums)
    assert sums.count == 2**30
    assert int(sums.high[0, 0]) * 2**32 + int(sums.low[0, 0]) == 2**30 * 2**44


def test_no_row_has_no_mean_and_no_covariance():
    moments = moments_of(ExactSums.none(2), FixedPoint.of(Ranges.none(2)))
    assert moments.count == 0
    np.testing.assert_array_equal(moments.mean, [0, 0])
    np.testing.assert_array_equal(moments.covariance, np.zeros((2, 2)))


def test_a_block_that_would_not_be_exact_is_refused():
    with pytest.raises(ValueError, match="at most 256 rows"):
        ExactSums.of(np.zeros([257, 2], np.int32))
