"""How queries of one or of several interests meet candidates: the best interest counts."""

import tensorflow as tf

from tfrs_mm.towers import best_interest


def scores_of_pairs(queries: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Inner products of each query with its own candidate, `[batch, time, dim]`, to
    `[batch, time]`; of several interests the largest."""
    if queries.shape.rank == 3:
        return tf.reduce_sum(queries * candidates, axis=-1)
    return tf.reduce_max(tf.reduce_sum(queries * candidates[:, :, None], axis=-1), axis=-1)


def scores_of_all(queries: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Inner products of each query with every candidate, `[n, dim]`, to `[batch, time, n]`."""
    if queries.shape.rank == 3:
        return tf.einsum("btd,nd->btn", queries, candidates)
    return tf.reduce_max(tf.einsum("btkd,nd->btkn", queries, candidates), axis=2)


def deciding(queries: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The interest that each target scores with, `[batch, time, dim]`."""
    if queries.shape.rank == 3:
        return queries
    interests, dim = queries.shape[2:]
    wanted = tf.reshape(targets, [-1, 1, dim])
    chosen = best_interest(tf.reshape(queries, [-1, interests, dim]), wanted)
    return tf.reshape(chosen, tf.shape(targets))
