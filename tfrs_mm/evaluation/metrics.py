"""Ranking metrics with binary relevance, one value for each query, and their intervals. NumPy only.

recall@k   hits among the first k / number of relevant items
ndcg@k     sum of 1 / log2(rank + 1) over hits / the same sum for min(k, relevant) hits at the top
           (Järvelin and Kekäläinen, 2002)
mrr@k      1 / rank of the first hit among the first k, else 0
map@k      sum over hits among the first k of (hits up to there / rank) / min(k, relevant); with one
           relevant item it is mrr@k

What needs no relevance is in `lists.py`.
"""

from collections.abc import Sequence

import numpy as np

METRICS = (
    ("recall", 10), ("recall", 20), ("recall", 100), ("ndcg", 10), ("ndcg", 20), ("mrr", 10),
    ("map", 10),
)  # fmt: skip

_DRAWN = 2**20  # numbers of a bootstrap that are held at once


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
    counts = np.array([len(rows) for rows in relevant])
    return hit_metrics(hits_of(ranked, relevant), counts, metrics)


def hit_metrics(
    hits: np.ndarray, counts: np.ndarray, metrics: Sequence[tuple[str, int]] = METRICS
) -> np.ndarray:
    """One row of metrics for each query.

    Args:
        hits: `[queries, k]` bool, the places of its list that hold a relevant item.
        counts: `[queries]`, its relevant items, at least one.
        metrics: name and cut-off of each.

    Returns:
        `[queries, metrics]` float64.
    """
    counts = counts.astype(float)
    gains = 1.0 / np.log2(np.arange(2, max([hits.shape[1], *(k for _, k in metrics)]) + 2))
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
        elif name == "map":
            precision = np.cumsum(top, axis=1) / np.arange(1, top.shape[1] + 1)
            columns.append((top * precision).sum(axis=1) / np.minimum(counts, k))
        else:
            raise ValueError(f"`metrics` knows recall, ndcg, mrr and map; received {name!r}.")
    return np.stack(columns, axis=1)


def bootstrap_interval(
    values: np.ndarray, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of each column, with a percentile interval over queries drawn with replacement.

    Args:
        values: `[queries, metrics]`; a query whose value is NaN takes no part in that column.
        resamples: how many.
        seed: of the draws.
        level: of the interval.

    Returns:
        Mean, lower and upper bound, each `[metrics]`; NaN where no query takes part.
    """
    known = np.isfinite(values)
    return bootstrap_ratio(np.where(known, values, 0.0), known, resamples, seed, level)


def bootstrap_ratio(
    sums: np.ndarray,
    sizes: np.ndarray,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Total over total, with a percentile interval over owners drawn with replacement.

    The owners, such as users with several events each, are drawn whole: events of one owner are
    alike, and drawn singly they would make the interval too narrow.

    Args:
        sums: `[owners, metrics]`, of the values of each owner.
        sizes: `[owners, metrics]`, how many values these are.
        resamples: how many.
        seed: of the draws.
        level: of the interval.

    Returns:
        Ratio, lower and upper bound, each `[metrics]`; NaN where there are no values.
    """
    generator = np.random.default_rng(seed)
    owners, sizes = len(sums), np.asarray(sizes, float)
    chances = np.full(owners, 1.0 / owners)
    ratios = np.full((resamples, sums.shape[1]), np.nan)
    for start in range(0, resamples, max(_DRAWN // owners, 1)):
        part = ratios[start : start + max(_DRAWN // owners, 1)]
        drawn = generator.multinomial(owners, chances, size=len(part)).astype(float)
        total = drawn @ sizes
        # A draw may hold nobody with a value; it says nothing of the ratio.
        np.divide(drawn @ sums, total, out=part, where=total > 0)
    tails = [(1 - level) / 2, 1 - (1 - level) / 2]
    bounds = np.full((2, sums.shape[1]), np.nan)
    some = sizes.sum(axis=0) > 0
    bounds[:, some] = np.nanquantile(ratios[:, some], tails, axis=0)
    ratio = np.full(sums.shape[1], np.nan)
    np.divide(sums.sum(axis=0), sizes.sum(axis=0), out=ratio, where=some)
    return ratio, *bounds
