"""Item vectors of past batches, which compete again: cross-batch negatives.

Wang et al., Cross-batch negative sampling for training two-tower recommenders, 2021: after a while
vectors change slowly, so that those of the last batches still say where their items lie, and more
negatives cost no encoding. Before that they do harm, which is why they wait, as in the paper.

What is kept is what each batch's targets gave, not the uniform draws, so that a place of the queue
holds an item as often as the item is a target.
"""

import tensorflow as tf

from tfrs_mm.retrieval.negatives import NEVER


class NegativesQueue:
    """The newest items that were drawn from batches, first in, first out.

    Under a distribution strategy each replica has a copy of its own, into which it puts what all
    replicas drew: the copies are equal, and one of them is saved. The variables are no weights:
    they are kept behind this plain object, so that runs and exports do not carry them.
    """

    def __init__(self, size: int, dim: int, warmup: int = 0) -> None:
        """Makes an empty queue.

        Args:
            size: how many items it holds.
            dim: of a vector.
            warmup: pushes before anything is in use.
        """
        self.size, self._warmup = size, warmup
        self._pushes = replica_variable(tf.constant(0, tf.int64), "queue/pushes")
        self._rows = replica_variable(tf.fill([size], NEVER), "queue/rows")
        self._vectors = replica_variable(tf.zeros([size, dim]), "queue/vectors")
        self.variables = [self._rows, self._vectors, self._pushes]

    def read(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What is in use: everything once the queue is warm and full, nothing before.

        Returns:
            Rows `[size]` int32, `NEVER` before; vectors `[size, dim]`; and how many of them take
            part, a float32 scalar.
        """
        rows = self._rows.read_value()
        # The oldest place is the last one to be filled.
        in_use = (rows[0] != NEVER) & (self._pushes.read_value() >= self._warmup)
        used = tf.where(in_use, float(self.size), 0.0)
        return tf.where(in_use, rows, NEVER), self._vectors.read_value(), used

    def push(self, rows: tf.Tensor, vectors: tf.Tensor) -> None:
        """Puts items behind those that are there; the oldest make room.

        Args:
            rows: `[n]` int32; a place with `NEVER` is left out.
            vectors: `[n, dim]`; no gradient will flow into them.
        """
        rows = tf.concat([self._rows.read_value(), rows], axis=0)
        vectors = tf.concat([self._vectors.read_value(), tf.stop_gradient(vectors)], axis=0)
        length = tf.shape(rows)[0]
        # Later items have larger keys, and any item a larger one than an empty place has.
        keys = tf.range(length) + tf.where(rows != NEVER, length, 0)
        newest = tf.reverse(tf.math.top_k(keys, k=self.size).indices, axis=[0])
        self._rows.assign(tf.gather(rows, newest))
        self._vectors.assign(tf.gather(vectors, newest))
        self._pushes.assign_add(1)


def replica_variable(initial: tf.Tensor, name: str) -> tf.Variable:
    """A variable that each replica assigns by itself; the first replica's is what is saved."""
    return tf.Variable(
        initial,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name=name,
    )
