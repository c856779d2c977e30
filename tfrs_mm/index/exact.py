"""The exact index: matrix product and top-k, in plain TensorFlow operations that load anywhere."""

import numpy as np
import tensorflow as tf

from tfrs_mm.index.base import TopKRows


class ExactIndex(tf.Module):
    """Compares every query with every item; any number of exclusions costs the same."""

    def __init__(self, item_vectors: np.ndarray | tf.Variable) -> None:
        """Takes the corpus.

        Args:
            item_vectors: `[items + 1, dim]`; row 0 is never returned. A variable is shared, not
                copied.
        """
        super().__init__()
        shared = isinstance(item_vectors, tf.Variable)
        self._vectors = (
            item_vectors if shared else tf.Variable(item_vectors, trainable=False, name="corpus")
        )

    def search(self, queries: tf.Tensor, excluded: tf.Tensor, k: int) -> TopKRows:
        """See `TopKIndex.search`."""
        size = self._vectors.shape[0]
        scores = tf.matmul(queries, self._vectors, transpose_b=True)
        batch = tf.shape(queries)[0]
        # Row 0 is the padding of `excluded`, so it is always among what is shut out.
        shut = tf.concat([excluded, tf.zeros([batch, 1], tf.int32)], axis=1)
        places = tf.stack(
            [tf.broadcast_to(tf.range(batch)[:, None], tf.shape(shut)), shut], axis=-1
        )
        scores = tf.tensor_scatter_nd_update(
            scores, tf.reshape(places, [-1, 2]), tf.fill([tf.size(shut)], float("-inf"))
        )
        best, rows = tf.math.top_k(scores, k=min(k, size))
        rows = tf.where(tf.math.is_inf(best), 0, rows)
        missing = k - min(k, size)
        return TopKRows(
            tf.pad(rows, [[0, 0], [0, missing]]),
            tf.pad(best, [[0, 0], [0, missing]], constant_values=float("-inf")),
        )
