"""How often each item is drawn, estimated while training goes on, without counting beforehand.

Yi et al., Sampling-bias-corrected neural modeling for large corpus item recommendations, 2019,
algorithms 2 and 3: an array `A` holds at which step an item was last met, an array `B` the moving
average of the steps between two meetings, `B <- (1 - alpha) B + alpha (t - A)`, and 1 / B is how
often the item is met in a step. Items share places of the arrays by hashing; of several hash
functions the largest B counts, because a place that is shared is met too often.

In the paper an item is met in a step or not. Here one may be drawn several times: `c` draws count
as `c` meetings at even distances `(t - A) / c`, so that 1 / B is the expected number of draws of a
step, which for rare items is the paper's probability.
"""

import numpy as np
import tensorflow as tf

from tfrs_mm.retrieval.queue import replica_variable

_PRIME = 2**31 - 1


class StreamingFrequencies:
    """The arrays A and B, and the step.

    Under a distribution strategy each replica has a copy of its own, which learns from what all
    replicas drew. The variables are no weights: they are kept behind this plain object, so that
    runs and exports do not carry them.
    """

    def __init__(self, buckets: int, hashes: int, rate: float, initial: float, seed: int) -> None:
        """Makes arrays that know nothing.

        Args:
            buckets: places of an array.
            hashes: how many hash functions, each with arrays of its own.
            rate: alpha, of the moving average.
            initial: steps between two meetings, before anything is met.
            seed: of the hash functions.
        """
        self._rate, self._buckets = rate, buckets
        generator = np.random.default_rng(seed)
        self._factors = generator.integers(1, _PRIME, hashes)
        self._offsets = generator.integers(0, _PRIME, hashes)
        self._step = replica_variable(tf.constant(0, tf.int64), "frequencies/step")
        self._last = replica_variable(tf.zeros([hashes, buckets]), "frequencies/last")
        self._between = replica_variable(
            tf.fill([hashes, buckets], float(initial)), "frequencies/between"
        )
        self.variables = [self._step, self._last, self._between]

    def expected(self, rows: tf.Tensor) -> tf.Tensor:
        """The expected number of draws of each row in a step, `[n]` integer to `[n]` float32."""
        between = tf.gather(self._between.read_value(), self._places(rows), batch_dims=1)
        return 1.0 / tf.reduce_max(between, axis=0)

    def update(self, rows: tf.Tensor) -> None:
        """Learns from one step.

        Args:
            rows: `[n]` integer, all that was drawn; below 0 is no item.
        """
        step = self._step.assign_add(1)
        weights = tf.cast(rows >= 0, tf.float32)
        counts = tf.stack(
            [
                tf.math.unsorted_segment_sum(weights, places, self._buckets)
                for places in tf.unstack(self._places(rows))
            ]
        )
        now = tf.cast(step, tf.float32)
        last, between = self._last.read_value(), self._between.read_value()
        kept = (1.0 - self._rate) ** counts
        distance = tf.math.divide_no_nan(now - last, counts)
        self._between.assign(kept * between + (1.0 - kept) * distance)
        self._last.assign(tf.where(counts > 0, now, last))

    def _places(self, rows: tf.Tensor) -> tf.Tensor:
        """`[hashes, n]` int32."""
        rows = tf.cast(tf.maximum(rows, 0), tf.int64)[None, :]
        hashed = (rows * self._factors[:, None] + self._offsets[:, None]) % _PRIME
        return tf.cast(hashed % self._buckets, tf.int32)
