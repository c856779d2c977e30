"""How often each number occurs: exactly while few are distinct, beyond that in buckets of known
width.

A number is counted under the integer that its float64 bits spell, in the order of the numbers.
Where more than `limit` integers are met, all of them lose their lowest bit, and another, until they
are few enough. How many bits go depends on the set of numbers alone, and every bucket counts
exactly, so the order of rows and the way they are divided mean nothing. A bucket is `2**level`
neighbouring floats: at most 2**(level - 52) of the number itself, whatever its size.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

_BITS = 64
_MAGNITUDE = np.int64(2**63 - 1)  # all bits but the sign


@dataclasses.dataclass(frozen=True)
class NumberCounts:
    """Counts of finite numbers.

    Attributes:
        buckets: `[n]` int64, ascending; at level 0 each is one number.
        counts: `[n]` int64.
        level: how many of the lowest bits were given up.
        smallest: of all numbers, infinite where there are none.
        largest: of all numbers, minus infinite where there are none.
    """

    buckets: np.ndarray
    counts: np.ndarray
    level: int = 0
    smallest: float = np.inf
    largest: float = -np.inf

    @classmethod
    def of(cls, values: np.ndarray, limit: int) -> "NumberCounts":
        """Counts `[rows]` finite float64 in at most `limit` buckets."""
        if not len(values):
            return NOTHING
        buckets, counts = np.unique(ordered_bits(values), return_counts=True)
        return _fitted(buckets, counts, 0, float(values.min()), float(values.max()), limit)

    def merged(self, other: "NumberCounts", limit: int) -> "NumberCounts":
        """The counts of both."""
        level = max(self.level, other.level)
        return _fitted(
            np.concatenate([self.buckets >> (level - self.level),
                            other.buckets >> (level - other.level)]),
            np.concatenate([self.counts, other.counts]),
            level, min(self.smallest, other.smallest), max(self.largest, other.largest), limit,
        )  # fmt: skip

    @property
    def exact(self) -> bool:
        """Whether every bucket is one number."""
        return self.level == 0

    @property
    def total(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())

    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """`[n]` float64, one number for each bucket, and how far from it those of the bucket lie at
        most.

        An exact bucket is its number; another one stands for its middle.
        """
        low = np.maximum(_numbers(self.buckets << self.level), self.smallest)
        high = np.minimum(
            _numbers((self.buckets << self.level) | (2**self.level - 1)), self.largest
        )
        if self.exact:
            return low, np.zeros(len(low))
        # Halved before they are added: the sum of two large floats may be none.
        middle = low / 2 + high / 2
        return middle, np.maximum(high - middle, middle - low)

    def quantiles(self, shares: Sequence[float]) -> tuple[np.ndarray, float]:
        """For each share the smallest number that so many do not exceed, and the largest error.

        Raises:
            ValueError: nothing was counted.
        """
        if not len(self.counts):
            raise ValueError("`quantiles` needs at least one number, but none was counted.")
        places = self.places(shares)
        values, errors = self.values()
        return values[places], float(errors[places].max())

    def places(self, shares: Sequence[float]) -> np.ndarray:
        """The buckets that the quantiles lie in, as places in `buckets`."""
        reached = np.cumsum(self.counts)
        ranks = np.clip(np.ceil(np.asarray(shares) * reached[-1]), 1, reached[-1])
        return np.searchsorted(reached, ranks)


NOTHING = NumberCounts(np.zeros(0, np.int64), np.zeros(0, np.int64))


def ordered_bits(values: np.ndarray) -> np.ndarray:
    """`[n]` float64 to int64 in the same order; minus zero is zero."""
    bits = (values + 0.0).view(np.int64)
    return np.where(bits < 0, bits ^ _MAGNITUDE, bits)


def _numbers(bits: np.ndarray) -> np.ndarray:
    """The inverse of `ordered_bits`; what spells no finite number becomes the largest one."""
    numbers = np.where(bits < 0, bits ^ _MAGNITUDE, bits).view(np.float64)
    largest = np.finfo(np.float64).max
    # The last bucket reaches beyond the largest float: into infinities and what is no number.
    return np.clip(np.where(np.isnan(numbers), np.where(bits < 0, -np.inf, np.inf), numbers),
                   -largest, largest)  # fmt: skip


def _fitted(
    buckets: np.ndarray,
    counts: np.ndarray,
    level: int,
    smallest: float,
    largest: float,
    limit: int,
) -> NumberCounts:
    """Equal buckets joined, and as many bits given up as `limit` demands, not one more."""
    order = np.argsort(buckets, kind="stable")
    buckets, counts = buckets[order], counts[order]
    few, many = 0, _BITS - 1 - level  # shifts; with the second there are at most two buckets
    while few < many:
        shift = (few + many) // 2
        if np.count_nonzero(np.diff(buckets >> shift)) + 1 <= limit:
            many = shift
        else:
            few = shift + 1
    buckets = buckets >> few
    first = np.flatnonzero(np.diff(buckets, prepend=buckets[:1] - 1))
    summed = np.add.reduceat(counts, first) if len(first) else counts
    return NumberCounts(buckets[first], summed, level + few, smallest, largest)
