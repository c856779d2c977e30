"""Rows that occur more than once: in another list, or in the list itself.

By sorting, so that time and memory grow with the lengths of the lists and not with their product,
and never with the corpus.
"""

import tensorflow as tf


def is_among(rows: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Which rows occur in another list of the same query.

    Args:
        rows: `[batch, n]` int32.
        others: `[batch, m]` int32, m at least 1.

    Returns:
        `[batch, n]` bool.
    """
    ordered = tf.sort(others, axis=1)
    places = tf.searchsorted(ordered, rows)
    last = tf.shape(ordered)[1] - 1
    return tf.equal(tf.gather(ordered, tf.minimum(places, last), batch_dims=1), rows)


def sum_equal(rows: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds up the values of equal rows.

    Args:
        rows: `[batch, n]` int32.
        values: `[batch, n]`.

    Returns:
        `[batch, n]` bool, whether a place is the first one of its row, and `[batch, n]` the sum of
        the values at all places of that row.
    """
    order = tf.argsort(rows, axis=1, stable=True)
    ordered = tf.gather(rows, order, batch_dims=1)
    is_first = tf.concat(
        [tf.ones_like(ordered[:, :1], tf.bool), ordered[:, 1:] != ordered[:, :-1]], axis=1
    )
    batch, size = tf.shape(rows)[0], tf.shape(rows)[1]
    # A number for each distinct row of each query.
    groups = tf.cumsum(tf.cast(is_first, tf.int32), axis=1) - 1 + tf.range(batch)[:, None] * size
    sums = tf.math.unsorted_segment_sum(
        tf.gather(values, order, batch_dims=1), groups, batch * size
    )
    back = tf.argsort(order, axis=1)
    return (
        tf.gather(is_first, back, batch_dims=1),
        tf.gather(tf.gather(sums, groups), back, batch_dims=1),
    )
