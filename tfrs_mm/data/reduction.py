"""Principal components of stored embeddings: fewer numbers for the towers, centred, of one scale.

Encoders give hundreds or thousands of numbers that share a large common part. Taking the
catalogue's mean away and keeping the leading components makes items differ where they differ, and
makes the towers' projections small. NumPy only, so that jobs and training use the same rule.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Reduction:
    """A fitted projection.

    Attributes:
        mean: `[dim]`.
        components: `[dim, reduced]`, orthonormal columns, leading component first.
        scale: what a reduced vector is divided by, so that the mean square of its length is one:
            the content of an item then starts with no more weight than its id and its categories.
    """

    mean: np.ndarray
    components: np.ndarray
    scale: float

    def apply(self, embeddings: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Reduced embeddings, zeros where the modality is absent.

        Args:
            embeddings: `[items, dim]`.
            present: `[items]` bool.

        Returns:
            `[items, reduced]` float32.
        """
        reduced = (embeddings - self.mean) @ self.components / self.scale
        return np.where(present[:, None], reduced, 0.0).astype(np.float32)


def fit_reduction(embeddings: np.ndarray, present: np.ndarray, dim: int) -> Reduction:
    """Principal component analysis over the items that have the modality.

    Where fewer than `dim` components exist, the remaining columns are zeros, so that every modality
    ends up with the same size.

    Args:
        embeddings: `[items, dim_in]`.
        present: `[items]` bool.
        dim: components to keep.
    """
    rows = embeddings[present].astype(np.float64)
    size = embeddings.shape[1]
    components = np.zeros((size, dim))
    if len(rows) == 0:
        return Reduction(np.zeros(size), components, 1.0)
    mean = rows.mean(axis=0)
    centred = rows - mean
    if len(rows) < size:  # the smaller of the two Gram matrices has the same spectrum
        values, vectors = np.linalg.eigh(centred @ centred.T)
        vectors = centred.T @ vectors / np.sqrt(np.maximum(values, 1e-12))
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
    # A component with next to no variance is noise; it stays zero.
    order = [i for i in np.argsort(-values)[:dim] if values[i] > 1e-9 * max(values.max(), 1e-300)]
    chosen = vectors[:, order]
    # The sign of an eigenvector is arbitrary; the largest entry is made positive.
    signs = np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(len(order))]) if order else 1.0
    components[:, : len(order)] = chosen * signs
    scale = float(np.sqrt(np.mean(np.sum((centred @ components) ** 2, axis=1))))
    return Reduction(mean, components, scale if scale > 0 else 1.0)
