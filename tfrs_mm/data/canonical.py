"""Canonical correlations: two modalities brought into one space, from items that have both.

Hotelling (Relations Between Two Sets of Variates, 1936, section 3) seeks directions a, b for which
`a'x` and `b'y` correlate most. With the covariances Cxx, Cyy and Cxy they are the singular vectors
of `Cxx^(-1/2) Cxy Cyy^(-1/2) = U S V'`: `A = Cxx^(-1/2) U`, `B = Cyy^(-1/2) V`, and the canonical
correlations are S. With few items any two sets correlate perfectly by chance; a ridge on Cxx and
Cyy (Vinod, Canonical Ridge and Econometrics of Joint Production, 1976, eq. 7) forbids that.
"""

import math

import numpy as np

from tfrs_mm.data.exact_moments import Moments
from tfrs_mm.data.whitening import leading_axes, signs_of
from tfrs_mm.projection import CCA, AffineStep


def fit_canonical(
    moments: Moments, first_dim: int, dim: int, ridge: float, names: tuple[str, str]
) -> tuple[AffineStep, AffineStep]:
    """The steps of both modalities into the space of their `dim` strongest correlations.

    Args:
        moments: of both modalities' embeddings, one behind the other, of items that have both.
        first_dim: size of the first modality's.
        dim: components to keep; those that do not exist are zeros.
        ridge: share of a modality's mean variance that is added to each of its variances.
        names: of the modalities; each step tells the other's.
    """
    count, covariance = moments.count, moments.covariance
    first = _whitening(covariance[:first_dim, :first_dim], count, ridge)
    second = _whitening(covariance[first_dim:, first_dim:], count, ridge)
    left, correlations, right = np.linalg.svd(
        first.T @ covariance[:first_dim, first_dim:] @ second, full_matrices=False
    )
    axes = (first @ left)[:, :dim], (second @ right.T)[:, :dim]
    signs = signs_of(axes[0])  # both turn together: only so do they correlate positively
    strengths = _padded(correlations[:dim], dim)
    return tuple(
        AffineStep(
            CCA, mean, _padded(found * signs, dim), strengths, count,
            {"dim": dim, "ridge": ridge, "with": name},
        )
        for mean, found, name in zip(
            np.split(moments.mean, [first_dim]), axes, names[::-1], strict=True
        )
    )  # fmt: skip


def chance_correlation(count: int, first_dim: int, second_dim: int) -> float:
    """The largest canonical correlation that modalities would show which have nothing in common.

    With p and q dimensions of n items it comes close to the upper end of Wachter's law (The
    Limiting Empirical Measure of Multiple Discriminant Ratios, 1980), without a ridge:
    `sqrt(a (1 - b)) + sqrt(b (1 - a))` with a = p / n and b = q / n, and 1 where p + q >= n.
    """
    if first_dim + second_dim >= count:
        return 1.0
    first, second = first_dim / count, second_dim / count
    return math.sqrt(first * (1 - second)) + math.sqrt(second * (1 - first))


def _whitening(covariance: np.ndarray, count: int, ridge: float) -> np.ndarray:
    """`[dim, rank]`: the inverse root of the covariance, within the dimensions that it has."""
    variances, axes = leading_axes(covariance, count)
    mean_variance = np.trace(covariance) / max(len(covariance), 1)
    return axes / np.sqrt(variances + ridge * mean_variance)


def _padded(values: np.ndarray, dim: int) -> np.ndarray:
    """`[..., dim]`, with zeros behind what there is."""
    missing = dim - values.shape[-1]
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
    return np.ascontiguousarray(padded)  # products round by the layout as well
