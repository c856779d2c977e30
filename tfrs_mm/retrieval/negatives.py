"""Negatives that all queries of a batch share, and the expected count Q of drawing each.

All items: the softmax over the whole corpus, exact and without any correction, where the corpus is
small enough to be scored at every step.

Mixed negative sampling (Yang et al., Mixed negative sampling for learning two-tower neural networks
in recommendations, 2020): some come from the batch's own targets, so popular items are drawn often,
some uniformly from all items with events, so the tail is seen too. Q is the exact one of the
mixture.
"""

import numpy as np
import tensorflow as tf

NEVER = -1  # row of a place that holds no negative


class AllItems:
    """Every item that is a target somewhere, each once, whatever is in the batch."""

    def __init__(self, target_counts: np.ndarray) -> None:
        """Takes `[items + 1]`, how often each row is a target in training; row 0 is unknown."""
        self._warm = np.flatnonzero(target_counts > 0).astype(np.int32)

    def log_q(self, rows: tf.Tensor, places: int, queued: tf.Tensor | None = None) -> tf.Tensor:
        """0 for each row, any shape: nothing is left to chance."""
        del places, queued
        return tf.zeros(tf.shape(rows))

    def mean_log_q(self, places: int, queued: tf.Tensor | None = None) -> tf.Tensor:
        """0, see `log_q`."""
        del places, queued
        return tf.constant(0.0)

    def draw(self, targets: tf.Tensor, is_target: tf.Tensor) -> tf.Tensor:
        """The same sample every time; see `MixedNegatives.draw`."""
        del targets, is_target
        return tf.constant(self._warm)


class MixedNegatives:
    """Draws negatives and knows the probability of each draw.

    Only items that are a target somewhere are drawn: an item that nobody could have had yet is no
    evidence of dislike, and as an eternal negative it would teach that new items are bad.
    """

    def __init__(self, target_counts: np.ndarray, in_batch: int, uniform: int, seed: int) -> None:
        """Prepares the distribution.

        Args:
            target_counts: `[items + 1]`, how often each row is a target in training; row 0 is
                unknown.
            in_batch: how many to draw from the batch's targets, or as many as there are places.
            uniform: how many to draw uniformly from the items that are a target somewhere.
            seed: of the draws.
        """
        total = max(float(target_counts.sum()), 1.0)
        warm = np.flatnonzero(target_counts > 0)
        self._warm = warm.astype(np.int32)
        self._in_batch, self._uniform, self._seed = in_batch, uniform if len(warm) else 0, seed
        # Rows that are never drawn get the smallest share there is; nobody asks for theirs.
        smallest = target_counts[warm].min() if len(warm) else total
        self._shares = np.maximum(target_counts, smallest) / total
        self._uniform_q = self._uniform / max(len(warm), 1)

    def log_q(
        self,
        rows: tf.Tensor,
        places: int,
        queued: tf.Tensor | None = None,
        estimated: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Log of the expected number of draws of each row, any shape.

        Args:
            rows: to look up.
            places: of the batch, as `draw` takes it.
            queued: how many targets of earlier batches compete as well, a scalar; None is none.
            estimated: of each row, how often it is expected among the draws from the batch's
                targets; None says what the counts say.
        """
        rows, drawn = tf.maximum(rows, 0), self._from_targets(places)
        if queued is None and estimated is None:
            log_expected = np.log(drawn * self._shares + self._uniform_q).astype(np.float32)
            return tf.gather(tf.constant(log_expected), rows)
        if estimated is None:
            estimated = drawn * tf.gather(tf.constant(self._shares, tf.float32), rows)
        times = 1.0 if queued is None else 1.0 + queued / drawn
        return tf.math.log(times * estimated + self._uniform_q)

    def mean_log_q(self, places: int, queued: tf.Tensor | None = None) -> tf.Tensor:
        """Log of the expected number of draws of an item, were all drawn alike; see `log_q`."""
        drawn = self._from_targets(places) + self._uniform + (0.0 if queued is None else queued)
        return tf.math.log(drawn / max(len(self._warm), 1))

    def is_from_targets(self, places: int) -> np.ndarray:
        """`[negatives]` bool, which of a sample's places hold targets of the batch."""
        return np.arange(self._from_targets(places) + self._uniform) < self._from_targets(places)

    def draw(self, targets: tf.Tensor, is_target: tf.Tensor) -> tf.Tensor:
        """One sample.

        Args:
            targets: `[places]` int32, the rows at all places of the batch.
            is_target: `[places]` bool, which of them are targets.

        Returns:
            `[negatives]` int32 rows; `NEVER` where the batch had too few targets to fill the place.
        """
        places = targets.shape[0]
        # The largest of random keys is a sample without replacement, of static size, known to XLA.
        keys = tf.where(is_target, tf.random.uniform([places], seed=self._seed), -1.0)
        drawn_keys, chosen = tf.math.top_k(keys, k=self._from_targets(places))
        rows = tf.where(drawn_keys >= 0, tf.gather(targets, chosen), NEVER)
        if self._uniform:
            drawn = tf.random.uniform(
                [self._uniform], 0, len(self._warm), tf.int32, seed=self._seed + 1
            )
            rows = tf.concat([rows, tf.gather(tf.constant(self._warm), drawn)], axis=0)
        return rows

    def _from_targets(self, places: int) -> int:
        return min(self._in_batch, places)
