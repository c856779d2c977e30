"""Ranking metrics with binary relevance, one value for each query, and their intervals. NumPy only.

recall@k   hits among the first k / number of relevant items
ndcg@k     sum of 1 / log2(rank + 1) over hits / the same sum for min(k, relevant) hits at the top
           (Järvelin and Kekäläinen, 2002)
mrr@k      1 / rank of the first hit among the first k, else 0
coverage@k distinct items in anyone's first k / size of the corpus
"""

from collections.abc import Sequence

import numpy as np

METRICS = (("recall", 10), ("recall", 20), ("recall", 100), ("ndcg", 10), ("ndcg", 20), ("mrr", 10))


def hits_of(ranked: np.ndarray, relevant: Sequence[np.ndarray]) -> np.ndarray:
    """Which places of each list hold a relevant item.

    Args:
        ranked: `[queries, k]` rows, best first; 0 is an empty place.
        relevant: the relevant rows of each query, without repeats.

    Returns:
        `[queries, k]` bool.
    """
    lengths = np.array([len(rows) for rows in relevant])
    hits = np.zeros(ranked.shape, bool)
    for place in range(
        int(lengths.max(initial=0))
    ):  # one pass for each relevant item, over all queries
        has = lengths > place
        wanted = np.array([rows[place] if len(rows) > place else 0 for rows in relevant])
        hits |= has[:, None] & (ranked == wanted[:, None]) & (ranked > 0)
    return hits


def query_metrics(
    ranked: np.ndarray, relevant: Sequence[np.ndarray], metrics: Sequence[tuple[str, int]] = METRICS
) -> np.ndarray:
    """One row of metrics for each query.

    Args:
        ranked: `[queries, k]` rows, best first; 0 is an empty place.
        relevant: the relevant rows of each query, at least one, without repeats.
        metrics: name and cut-off of each.

    Returns:
        `[queries, metrics]` float64.
    """
    hits = hits_of(ranked, relevant)
    counts = np.array([len(rows) for rows in relevant], float)
    gains = 1.0 / np.log2(np.arange(2, max([ranked.shape[1], *(k for _, k in metrics)]) + 2))
    columns = []
    for name, k in metrics:
        top = hits[:, :k]
        if name == "recall":
            columns.append(top.sum(axis=1) / counts)
        elif name == "ndcg":
            ideal = np.cumsum(gains)[np.minimum(counts, k).astype(int) - 1]
            columns.append((top * gains[: top.shape[1]]).sum(axis=1) / ideal)
        elif name == "mrr":
            columns.append(np.where(top.any(axis=1), 1.0 / (top.argmax(axis=1) + 1), 0.0))
        else:
            raise ValueError(f"`metrics` knows recall, ndcg and mrr; received {name!r}.")
    return np.stack(columns, axis=1)


def coverage(ranked: np.ndarray, k: int, corpus_size: int) -> float:
    """Share of the corpus that is among anyone's first k."""
    shown = np.unique(ranked[:, :k])
    return float((shown > 0).sum() / corpus_size)


def bootstrap_interval(
    values: np.ndarray, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of each column, with a percentile interval over queries drawn with replacement.

    Args:
        values: `[queries, metrics]`.
        resamples: how many.
        seed: of the draws.
        level: of the interval.

    Returns:
        Mean, lower and upper bound, each `[metrics]`.
    """
    generator = np.random.default_rng(seed)
    size = len(values)
    means = np.empty((resamples, values.shape[1]))
    for place in range(resamples):
        means[place] = generator.multinomial(size, np.full(size, 1.0 / size)) @ values / size
    low, high = np.quantile(means, [(1 - level) / 2, 1 - (1 - level) / 2], axis=0)
    return values.mean(axis=0), low, high
