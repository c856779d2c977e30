"""Metrics from vectors, without making lists: the place of a relevant item is one more than the
number of items that score higher.

To count is cheaper than to select the best k, and says everything that recall, NDCG, MRR and MAP
ask. A block of queries at a time meets the whole corpus.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm.evaluation.metrics import METRICS, hit_metrics

_BLOCK = 256  # queries whose scores of the whole corpus are held at once


def relevant_ranks(
    queries: np.ndarray,
    items: np.ndarray,
    relevant: Sequence[np.ndarray],
    excluded: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Where each relevant item stands among all items, as a sorted list would have it.

    Items of equal score are in the order of their rows, as `tf.math.top_k` puts them.

    Args:
        queries: `[queries, dim]`, or `[queries, interests, dim]`, of which the best one counts.
        items: `[items + 1, dim]`; row 0 is never returned.
        relevant: the relevant rows of each query, at least one, without repeats.
        excluded: rows that are no candidates of each query.

    Returns:
        Ranks from 1 on, for each query as many as it has relevant rows; one of an excluded item is
        behind every item.
    """
    ranks = [np.full(len(rows), len(items)) for rows in relevant]
    table = tf.constant(items)
    for start in range(0, len(queries), _BLOCK):
        # TensorFlow's product shares the cores better with other work than NumPy's does.
        block = queries[start : start + _BLOCK]
        if block.ndim == 2:
            block = tf.matmul(block, table, transpose_b=True).numpy()
        else:
            block = tf.reduce_max(tf.einsum("qid,nd->qin", block, table), axis=1).numpy()
        for place, scores in enumerate(block, start=start):
            of_query = scores.copy()
            of_query[0] = of_query[excluded[place]] = -np.inf
            for at, row in enumerate(relevant[place]):
                own = of_query[row]
                if own > -np.inf:
                    before = np.count_nonzero(of_query[:row] >= own)
                    before += np.count_nonzero(of_query[row + 1 :] > own)
                    ranks[place][at] = before + 1
    return ranks


def rank_metrics(
    ranks: Sequence[np.ndarray], metrics: Sequence[tuple[str, int]] = METRICS
) -> np.ndarray:
    """`[queries, metrics]` as `query_metrics` finds them in lists.

    Args:
        ranks: see `relevant_ranks`.
        metrics: name and cut-off of each.
    """
    lengths = np.array([len(of_query) for of_query in ranks])
    longest = max(k for _, k in metrics)
    places = np.concatenate(ranks) - 1
    owners = np.repeat(np.arange(len(ranks)), lengths)
    hits = np.zeros((len(ranks), longest), bool)
    hits[owners[places < longest], places[places < longest]] = True
    return hit_metrics(hits, lengths, metrics)
