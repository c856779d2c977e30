"""Negatives that all queries of a batch share, and the expected count Q of drawing each.

Mixed negative sampling (Yang et al., Mixed negative sampling for learning two-tower neural networks
in recommendations, 2020): some come from the batch's own targets, so popular items are drawn often,
some uniformly from the corpus, so the tail is seen too. Q is the exact one of the mixture.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

NEVER = -1  # row of a place that holds no negative


class Negatives(NamedTuple):
    """A sample of the corpus.

    Attributes:
        rows: `[negatives]` int32; `NEVER` where the batch had too few targets to fill the place.
        log_q: `[negatives]` float32, log of the expected number of draws of that item.
    """

    rows: tf.Tensor
    log_q: tf.Tensor


class MixedNegatives:
    """Draws negatives and knows the probability of each draw."""

    def __init__(self, target_counts: np.ndarray, in_batch: int, uniform: int, seed: int) -> None:
        """Prepares the distribution.

        Args:
            target_counts: `[items + 1]`, how often each row is a target in training; row 0 is unknown.
            in_batch: how many to draw from the batch's targets.
            uniform: how many to draw uniformly from all known items.
            seed: of the draws.
        """
        total = max(float(target_counts.sum()), 1.0)
        self._num_items = len(target_counts) - 1
        self._in_batch, self._uniform, self._seed = in_batch, uniform, seed
        expected = in_batch * target_counts / total + uniform / max(self._num_items, 1)
        # An item that is never a target has no count; it is only ever met as a uniform draw.
        smallest = min(in_batch / total, 1.0) if uniform == 0 else uniform / max(self._num_items, 1)
        self._log_expected = np.log(np.maximum(expected, smallest)).astype(np.float32)

    @property
    def size(self) -> int:
        """Negatives of one draw."""
        return self._in_batch + self._uniform

    def log_q(self, rows: tf.Tensor) -> tf.Tensor:
        """Log of the expected number of draws of each row, any shape."""
        return tf.gather(tf.constant(self._log_expected), tf.maximum(rows, 0))

    def draw(self, targets: tf.Tensor, is_target: tf.Tensor) -> Negatives:
        """One sample.

        Args:
            targets: `[places]` int32, the rows at all places of the batch.
            is_target: `[places]` bool, which of them are targets.
        """
        places = tf.shape(targets)[0]
        # The largest of random keys is a sample without replacement, of static size, known to XLA.
        keys = tf.where(is_target, tf.random.uniform([places], seed=self._seed), -1.0)
        drawn_keys, chosen = tf.math.top_k(keys, k=self._in_batch)
        from_batch = tf.where(drawn_keys >= 0, tf.gather(targets, chosen), NEVER)
        uniform = tf.random.uniform(
            [self._uniform], 1, self._num_items + 1, dtype=tf.int32, seed=self._seed + 1
        )
        rows = tf.concat([from_batch, uniform], axis=0)
        return Negatives(rows, self.log_q(rows))
