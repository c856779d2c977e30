"""Mean and covariance of embeddings, to the same bytes in whatever order they are added up.

Sums of floats depend on their order, and runners add up in any. Here embeddings become whole
numbers first: their range is found, its middle is taken away, and what is left is rounded to 2^-22
of half the range, by powers of two. Whole numbers add up exactly, so that sums over parts merge in
any order. A block of 256 rows is multiplied as float64, where 256 * 2^44 = 2^52 is still exact;
blocks add up in two 64-bit integers, which last for 2^40 rows. Taking away the middle of the range
instead of the mean leaves means of next to no size beside the deviations, so that nothing cancels.

Rounding changes an entry by at most 2^-23 of its dimension's half range, as float32 does to the
largest of them: a relative error of at most 2^-22 sqrt(rows) in a standard deviation, mostly far
less.
"""

import dataclasses

import numpy as np

ROWS_OF_A_BLOCK = 256

_BITS = 22
_LIMB_BITS = 32
_LIMB = 2**_LIMB_BITS


@dataclasses.dataclass(frozen=True, eq=False)
class Ranges:
    """The range of each dimension.

    Attributes:
        low: `[dim]` float64, infinite where there is no embedding.
        high: `[dim]` float64, minus infinite there.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def none(cls, dim: int) -> "Ranges":
        """Of no embedding."""
        return cls(np.full(dim, np.inf), np.full(dim, -np.inf))

    def including(self, embedding: np.ndarray) -> "Ranges":
        """With one more, `[dim]`, finite."""
        return Ranges(np.minimum(self.low, embedding), np.maximum(self.high, embedding))

    def merged(self, other: "Ranges") -> "Ranges":
        """Of the embeddings of both."""
        return Ranges(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


@dataclasses.dataclass(frozen=True, eq=False)
class FixedPoint:
    """How embeddings within a range become whole numbers from -2^22 to 2^22.

    Attributes:
        middle: `[dim]` float64.
        scale: `[dim]` float64, powers of two.
    """

    middle: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, ranges: Ranges) -> "FixedPoint":
        """The finest that holds the range."""
        known = ranges.low <= ranges.high
        low, high = np.where(known, ranges.low, 0.0), np.where(known, ranges.high, 0.0)
        middle = low / 2 + high / 2
        _, exponents = np.frexp(np.maximum(high - middle, middle - low))
        scale = np.where(low < high, np.ldexp(1.0, _BITS - exponents), 1.0)
        return cls(middle, scale)

    def rounded(self, embedding: np.ndarray) -> np.ndarray:
        """`[dim]` int32 of an embedding that lies within the range."""
        return np.rint((embedding.astype(np.float64) - self.middle) * self.scale).astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class ExactSums:
    """Sums over rounded embeddings, and over the products of their entries.

    Attributes:
        count: of embeddings.
        total: `[dim]` int64.
        high: `[dim, dim]` int64, the products' sum divided by 2^32, rounded down.
        low: `[dim, dim]` int64, what is left of it, at least 0 and below 2^32.
    """

    count: int
    total: np.ndarray
    high: np.ndarray
    low: np.ndarray

    @classmethod
    def none(cls, dim: int) -> "ExactSums":
        """Of no embedding."""
        square = np.zeros([dim, dim], np.int64)
        return cls(0, np.zeros(dim, np.int64), square, square)

    @classmethod
    def of(cls, rounded: np.ndarray) -> "ExactSums":
        """Of `[n, dim]` int32 with n of at most `ROWS_OF_A_BLOCK`.

        Raises:
            ValueError: there are more rows.
        """
        if len(rounded) > ROWS_OF_A_BLOCK:
            raise ValueError(
                f"`rounded` must have at most {ROWS_OF_A_BLOCK} rows for its sums to be exact, "
                f"received {len(rounded)}. Give a block at a time."
            )
        values = rounded.astype(np.float64)
        products = (values.T @ values).astype(np.int64)
        return _carried(len(rounded), rounded.sum(axis=0, dtype=np.int64), 0 * products, products)

    def merged(self, other: "ExactSums") -> "ExactSums":
        """Of the embeddings of both."""
        return _carried(
            self.count + other.count,
            self.total + other.total,
            self.high + other.high,
            self.low + other.low,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """What is known of embeddings.

    Attributes:
        count: of them.
        mean: `[dim]` float64; zeros where there is none.
        covariance: `[dim, dim]` float64, divided by the count; zeros where there is none.
    """

    count: int
    mean: np.ndarray
    covariance: np.ndarray


def moments_of(sums: ExactSums, frame: FixedPoint) -> Moments:
    """Back from whole numbers: the mean, and `E[x x'] - E[x] E[x]'` around the middle."""
    count = max(sums.count, 1)
    mean = sums.total / count
    second = (sums.high * float(_LIMB) + sums.low) / count
    covariance = second - np.outer(mean, mean)
    # Two divisions, as the product of two scales may be beyond float64.
    covariance = covariance / frame.scale[:, np.newaxis] / frame.scale
    shift = frame.middle if sums.count else np.zeros_like(frame.middle)
    return Moments(sums.count, shift + mean / frame.scale, (covariance + covariance.T) / 2)


def _carried(count: int, total: np.ndarray, high: np.ndarray, low: np.ndarray) -> ExactSums:
    return ExactSums(count, total, high + (low >> _LIMB_BITS), low & (_LIMB - 1))
