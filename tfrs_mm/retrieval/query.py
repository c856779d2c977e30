"""Queries over a fixed table of item vectors, as evaluation and serving ask them."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrs_mm.towers import UserTower, last_place


class QueryModel(tf.Module):
    """Histories of item rows to query vectors, over a fixed table of item vectors."""

    def __init__(self, user_tower: UserTower, item_vectors: tf.Tensor | np.ndarray) -> None:
        super().__init__()
        self._user_tower = user_tower
        self.item_vectors = tf.Variable(item_vectors, trainable=False, name="item_vectors")

    @property
    def moments(self) -> tuple[str, ...]:
        """The names of `contexts` that are of the moment of a query."""
        return self._user_tower.moments

    def __call__(
        self, history: tf.Tensor, contexts: Mapping[str, tf.Tensor] | None = None
    ) -> tf.Tensor:
        """Query vectors after the whole of each history.

        Args:
            history: `[batch, max_history]` int32, oldest first, right-padded with 0.
            contexts: what else the user tower may know, see `UserTower.call`; None for nothing.

        Returns:
            `[batch, dim]`, or `[batch, interests, dim]` of several interests.
        """
        lengths = tf.reduce_sum(tf.cast(history > 0, tf.int32), axis=1)
        return last_place(self.every_place(history, contexts), lengths)

    def every_place(
        self, history: tf.Tensor, contexts: Mapping[str, tf.Tensor] | None = None
    ) -> tf.Tensor:
        """`[batch, time]` rows to queries before and after each item, see `UserTower.call`."""
        vectors = tf.gather(self.item_vectors, history)
        return self._user_tower(vectors, contexts=contexts, training=False)


def candidate_scores(queries: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """What candidates of each query score: of several interests the largest inner product.

    Args:
        queries: `[batch, dim]` or `[batch, interests, dim]`.
        vectors: `[batch, k, dim]`.

    Returns:
        `[batch, k]`.
    """
    if queries.shape.rank == 2:
        return tf.einsum("bd,bkd->bk", queries, vectors)
    return tf.reduce_max(tf.einsum("bid,bkd->bik", queries, vectors), axis=1)
