"""Queries over a fixed table of item vectors, as evaluation and serving ask them."""

import numpy as np
import tensorflow as tf

from tfrs_mm.towers import UserTower, last_place


class QueryModel(tf.Module):
    """Histories of item rows to query vectors, over a fixed table of item vectors."""

    def __init__(self, user_tower: UserTower, item_vectors: tf.Tensor | np.ndarray) -> None:
        super().__init__()
        self._user_tower = user_tower
        self.item_vectors = tf.Variable(item_vectors, trainable=False, name="item_vectors")

    def __call__(self, history: tf.Tensor) -> tf.Tensor:
        """Query vectors after the whole of each history.

        Args:
            history: `[batch, max_history]` int32, oldest first, right-padded with 0.

        Returns:
            `[batch, dim]`.
        """
        lengths = tf.reduce_sum(tf.cast(history > 0, tf.int32), axis=1)
        queries = self._user_tower(tf.gather(self.item_vectors, history), training=False)
        return last_place(queries, lengths)

    def every_place(self, history: tf.Tensor) -> tf.Tensor:
        """`[batch, time]` rows to `[batch, time + 1, dim]`: queries before and after each item."""
        return self._user_tower(tf.gather(self.item_vectors, history), training=False)
