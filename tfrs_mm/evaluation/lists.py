"""What can be said of lists without knowing what was relevant: variety, of all and of each.
NumPy only.

Of all lists together, over the first k places of everyone:

coverage@k  distinct items / size of the corpus
gini@k      Gini coefficient of the places that each item of the corpus got: with these in ascending
            order x_1..x_n it is sum of (2 i - n - 1) x_i / (n * sum of x); 0 where all items are
            shown equally often, (n - 1) / n where one has every place

Of each list:

novelty@k   mean of -log2 p(item), the self-information of having met it (Vargas and Castells,
            2011); p(item) = (events of the item in training + 1) / (all events + size of the
            corpus), so that an item without events has a finite one
diversity@k mean of 1 - cosine over all pairs of items (intra-list diversity, Ziegler et al., 2005);
            the cosine of two items is the mean over the modalities that both have, of their centred
            embeddings; pairs without such a modality are left out

Neither of the first two has an interval: who is drawn twice shows nothing new, so resamples of
users always cover less than the users do.
"""

import numpy as np

_BLOCK = 1024  # lists whose embeddings are held at once


def coverage(ranked: np.ndarray, k: int, corpus_size: int) -> float:
    """Share of the corpus that is among anyone's first k."""
    shown = np.unique(ranked[:, :k])
    return float((shown > 0).sum() / corpus_size)


def gini(ranked: np.ndarray, k: int, corpus_size: int) -> float:
    """How unequally the first k places of everyone are shared among the corpus.

    Args:
        ranked: `[queries, k]` rows, best first; 0 is an empty place.
        k: places of each list that count.
        corpus_size: number of items that could have been recommended.

    Returns:
        From 0 to below 1; NaN where all places are empty.
    """
    places = np.sort(np.bincount(ranked[:, :k].reshape(-1), minlength=corpus_size + 1)[1:])
    if not places.any():
        return float("nan")
    order = np.arange(1, corpus_size + 1)
    return float(((2 * order - corpus_size - 1) @ places) / (corpus_size * places.sum()))


def novelty(ranked: np.ndarray, k: int, counts: np.ndarray) -> np.ndarray:
    """Mean self-information of each list, in bits.

    Args:
        ranked: `[queries, k]` rows, best first; 0 is an empty place.
        k: places of each list that count.
        counts: `[items + 1]` training events.

    Returns:
        `[queries]`, NaN for an empty list.
    """
    top = ranked[:, :k]
    corpus_size = len(counts) - 1
    bits = np.log2(counts[1:].sum() + corpus_size) - np.log2(counts + 1)
    return _mean_over(np.where(top > 0, bits[top], 0.0), top > 0, axes=1)


def diversity(ranked: np.ndarray, k: int, content: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mean distance of the items within each list.

    Args:
        ranked: `[queries, k]` rows, best first; 0 is an empty place.
        k: places of each list that count.
        content: `[items + 1, modality, dim]` centred embeddings.
        present: `[items + 1, modality]` bool.

    Returns:
        `[queries]` from 0 to 2, NaN for a list without a pair that has a modality in common.
    """
    lengths = np.linalg.norm(content, axis=-1, keepdims=True)
    unit = content / np.where(lengths > 0, lengths, 1.0)
    present = present.copy()
    present[0] = False  # an empty place
    first, second = np.triu_indices(min(k, ranked.shape[1]), 1)
    parts = [np.zeros(0)]
    for start in range(0, len(ranked), _BLOCK):
        top = ranked[start : start + _BLOCK, :k]
        has = present[top]
        shared = has[:, first] & has[:, second]
        cosines = np.zeros(shared.shape)
        for place in range(content.shape[1]):
            vectors = unit[top, place]
            of_all = vectors @ vectors.transpose(0, 2, 1)
            cosines[:, :, place] = of_all[:, first, second]
        of_pairs = _mean_over(np.where(shared, cosines, 0.0), shared, axes=2)
        counted = shared.any(axis=2)
        parts.append(_mean_over(np.where(counted, 1.0 - of_pairs, 0.0), counted, axes=1))
    return np.concatenate(parts)


def _mean_over(values: np.ndarray, counted: np.ndarray, axes: int) -> np.ndarray:
    """Mean along an axis over what counts; NaN where nothing does. What does not is 0."""
    size = counted.sum(axis=axes)
    return np.divide(values.sum(axis=axes), size, out=np.full(size.shape, np.nan), where=size > 0)
