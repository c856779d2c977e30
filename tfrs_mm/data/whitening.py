"""Principal components of embeddings from their moments: few numbers, uncorrelated, of one scale.

With the covariance `C = U L U'` (eigenvalues in L, the largest first) the k leading components of
x are `U_k' (x - mean)`; whitened, `L_k^(-1/2) U_k' (x - mean)`, which has the identity as its
covariance (Kessy, Lewin and Strimmer, Optimal Whitening and Decorrelation, 2018, eq. 9: PCA
whitening). ZCA whitening (ibid., eq. 7) turns that back by U, to stay near to the original axes; it
keeps all dimensions, so nothing would be compressed, and what follows here is a learnt projection,
to which the axes mean nothing.
"""

import numpy as np

from tfrs_mm.data.exact_moments import Moments
from tfrs_mm.projection import PCA, AffineStep

# Below this share of the largest variance a component is what rounding left of nothing.
LEAST_VARIANCE = 1e-9


def fit_whitening(moments: Moments, dim: int, whiten: bool, epsilon: float) -> AffineStep:
    """The step to the `dim` leading components.

    Args:
        moments: of the embeddings.
        dim: components to keep; those that do not exist are zeros.
        whiten: whether every component gets the variance one, or keeps its own.
        epsilon: share of the largest variance that is added to each before it is divided by, so
            that what hardly varies is not blown up.
    """
    variances, axes = leading_axes(moments.covariance, moments.count)
    variances, axes = variances[:dim], axes[:, :dim]
    axes = axes * signs_of(axes)
    found = len(variances)
    matrix, strengths = np.zeros([len(moments.mean), dim]), np.zeros(dim)
    if found:
        raised = variances + epsilon * variances[0]
        matrix[:, :found] = axes / np.sqrt(raised) if whiten else axes
        strengths[:found] = variances / np.trace(moments.covariance)
    settings = {"dim": dim, "whiten": whiten, "epsilon": epsilon}
    return AffineStep(PCA, moments.mean, matrix, strengths, moments.count, settings)


def leading_axes(covariance: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`[rank]` variances, the largest first, and `[dim, rank]` axes of length one.

    Args:
        covariance: `[dim, dim]`.
        count: of what it is taken over; n points span at most n - 1 dimensions.
    """
    variances, axes = np.linalg.eigh(covariance)
    order = np.argsort(-variances, kind="stable")
    variances, axes = variances[order], axes[:, order]
    largest = variances[0] if len(variances) else 0.0
    rank = int((variances > LEAST_VARIANCE * largest).sum()) if largest > 0 else 0
    rank = min(rank, max(count - 1, 0))
    return variances[:rank], axes[:, :rank]


def signs_of(axes: np.ndarray) -> np.ndarray:
    """`[k]`: 1 or -1, so that the entry of the largest size in each of `[dim, k]` becomes positive.

    An eigenvector may point either way; of equal sizes the first entry decides.
    """
    if not axes.size:
        return np.ones(axes.shape[1])
    # Entries that are equal but for rounding must not decide by it.
    sizes = np.abs(axes)
    first = (sizes > sizes.max(axis=0) * (1 - 1e-6)).argmax(axis=0)
    return np.where(axes[first, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
