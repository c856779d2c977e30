"""How far two distributions over the same values or the same bins are apart, and how far chance may
take them.

The Jensen-Shannon divergence is in bits: 0 for equal distributions, 1 for those that share nothing
(Lin 1991, Divergence measures based on the Shannon entropy). L-infinity is the largest difference
of a share.
"""

from typing import Any

import numpy as np

_BINS = 20
_DEVIATIONS = 3.0  # standard ones, beyond which a difference is hardly chance


def jensen_shannon(one: np.ndarray, other: np.ndarray) -> float:
    """The divergence of `[bins]` counts or shares, in bits; 0 where one of them is empty."""
    if not one.sum() or not other.sum():
        return 0.0
    p, q = one / one.sum(), other / other.sum()
    mean = (p + q) / 2
    return max(0.0, float((_bits(p, mean) + _bits(q, mean)) / 2))


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """L-infinity of `[bins]` counts or shares; 0 where one of them is empty."""
    if not one.sum() or not other.sum():
        return 0.0
    return float(np.abs(one / one.sum() - other / other.sum()).max())


def divergence_by_chance(bins: int, one: int, other: int) -> float:
    """What the divergence of two samples of one distribution is on average, in bits.

    Near equality it is the sum of (p - q)**2 / (8 * mean) nats. The expectation of (p - q)**2 is
    p * (1 - p) * (1 / one + 1 / other) for samples of `one` and `other` rows, which adds up to
    (bins - 1) / 8 * (1 / one + 1 / other).
    """
    return (bins - 1) / (8 * np.log(2)) * (1 / one + 1 / other)


def difference_by_chance(one: int, other: int) -> float:
    """Three standard deviations of the difference of a share in two samples, at most."""
    return float(_DEVIATIONS * 0.5 * np.sqrt(1 / one + 1 / other))


def binned(one: dict[str, Any], other: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Two distributions of `column_report` as shares of the same bins.

    The bins are cut at the quantiles of both, each counting half. Between two points of a
    distribution its rows are taken as spread evenly.
    """
    points = np.union1d(one["points"], other["points"])
    shares = [reached(distribution, points) for distribution in (one, other)]
    pooled = (shares[0] + shares[1]) / 2
    cuts = np.unique(np.searchsorted(pooled, np.arange(1, _BINS) / _BINS - 1e-9))
    cuts = cuts[cuts < len(points) - 1]
    ends = np.concatenate([cuts, [len(points) - 1]])
    first, second = (np.diff(share[ends], prepend=0.0) for share in shares)
    return first, second


def reached(distribution: dict[str, Any], points: np.ndarray) -> np.ndarray:
    """`[points]` shares of the rows up to and with each point."""
    own, below, up_to = (np.asarray(distribution[name], float) for name in
                         ("points", "below", "up_to"))  # fmt: skip
    total = up_to[-1]
    place = np.searchsorted(own, points, side="right")  # own points that a point has reached
    before, after = np.maximum(place - 1, 0), np.minimum(place, len(own) - 1)
    width = own[after] - own[before]
    part = np.where(width > 0, (points - own[before]) / np.where(width > 0, width, 1.0), 0.0)
    between = up_to[before] + part * np.maximum(below[after] - up_to[before], 0.0)
    return np.where(place == 0, 0.0, np.where(place == len(own), total, between)) / total


def _bits(p: np.ndarray, mean: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / mean[some])).sum())
