"""Searching for users of several interests: an item scores the largest of its inner products.

The k best by the largest are among the k best of the interests: what stands above an item in the
interest that it scores with stands above it in the whole as well. So each interest is searched by
itself, in an index of any kind, and nothing is lost that the index itself does not lose.
"""

import tensorflow as tf

from tfrs_mm.index.base import TopKIndex, TopKRows, take_best
from tfrs_mm.index.equal_rows import sum_equal


def search_interests(index: TopKIndex, queries: tf.Tensor, excluded: tf.Tensor, k: int) -> TopKRows:
    """The k best rows of each user that are not excluded, see `TopKIndex.search`.

    Args:
        index: to search.
        queries: `[batch, dim]`, or `[batch, interests, dim]`.
        excluded: `[batch, n]` int32, 0 for none.
        k: how many; a static number.
    """
    if queries.shape.rank == 2:
        return index.search(queries, excluded, k)
    interests, dim = queries.shape[1:]
    found = index.search(tf.reshape(queries, [-1, dim]), tf.repeat(excluded, interests, axis=0), k)
    rows, scores = (tf.reshape(part, [-1, interests * k]) for part in found)
    # Best first, so that the first of equal rows has the largest of their scores.
    scores, order = tf.math.top_k(scores, k=interests * k)
    rows = tf.gather(rows, order, batch_dims=1)
    is_first, _ = sum_equal(rows, scores)
    return take_best(rows, tf.where(is_first, scores, float("-inf")), tf.zeros_like(rows[:, :1]), k)
