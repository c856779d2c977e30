"""All that the positives of a batch compete with: drawn now, on every replica, or kept from before.

What is drawn and with which Q is the business of `negatives`, what is kept that of `queue`, what is
learnt of how often items come that of `frequencies`; here they are put side by side, and what
training remembers is brought up to date.
"""

from typing import NamedTuple

import tensorflow as tf

from tfrs_mm.retrieval.frequencies import StreamingFrequencies
from tfrs_mm.retrieval.negatives import NEVER, AllItems, MixedNegatives
from tfrs_mm.retrieval.queue import NegativesQueue


class Negatives(NamedTuple):
    """Candidates that all queries of a batch share.

    Attributes:
        rows: `[n]` int32; `NEVER` at a place that holds none.
        vectors: `[n, dim]`.
        log_q: `[n]` float32, log of the expected number of times that the item is among them. Of
            several replicas it is one's share, which is the same for all items and which a softmax
            does not see.
    """

    rows: tf.Tensor
    vectors: tf.Tensor
    log_q: tf.Tensor


class NegativeSampler:
    """Draws, gathers and remembers negatives."""

    def __init__(
        self,
        negatives: MixedNegatives | AllItems,
        queue: NegativesQueue | None = None,
        frequencies: StreamingFrequencies | None = None,
    ) -> None:
        """Puts the parts together.

        Args:
            negatives: what is drawn.
            queue: of past batches' items, which compete as well; not with `AllItems`.
            frequencies: which say how often an item is drawn from targets, in place of the counts;
                not with `AllItems`.
        """
        self._negatives, self._queue, self._frequencies = negatives, queue, frequencies

    @property
    def variables(self) -> list[tf.Variable]:
        """What is remembered from step to step."""
        parts = [part for part in (self._queue, self._frequencies) if part is not None]
        return [variable for part in parts for variable in part.variables]

    def draw(self, targets: tf.Tensor, is_target: tf.Tensor) -> tf.Tensor:
        """Rows of this replica's negatives; see `MixedNegatives.draw`."""
        return self._negatives.draw(targets, is_target)

    def compete(
        self,
        drawn: tf.Tensor,
        vectors: tf.Tensor,
        asked: tf.Tensor,
        places: int,
        training: bool,
    ) -> tuple[Negatives, tf.Tensor, tf.Tensor]:
        """Everything the batch's positives compete with.

        Args:
            drawn: of `draw`.
            vectors: `[negatives, dim]`, theirs.
            asked: `[n]` int32, other rows whose log Q is asked for.
            places: of the batch.
            training: whether what is seen is remembered.

        Returns:
            The negatives; `[n]`, log Q of what is asked for; and the scalar log Q of an item, were
            all drawn alike.
        """
        rows, vectors = self._from_all_replicas(drawn, vectors)
        drawn, drawn_vectors = rows, vectors
        queued = None
        if self._queue is not None:
            queue_rows, queue_vectors, used = self._queue.read()
            queued = used / _num_replicas()  # as many for each replica's draws
            rows = tf.concat([rows, queue_rows], axis=0)
            vectors = tf.concat([vectors, queue_vectors], axis=0)
        log_q, of_asked = (self._log_q(each, places, queued) for each in (rows, asked))
        mean_log_q = self._negatives.mean_log_q(places, queued)
        if training and self._queue is not None:
            self._queue.push(self._from_targets(drawn, places), drawn_vectors)
        if training and self._frequencies is not None:
            self._frequencies.update(self._from_targets(drawn, places))
        return Negatives(rows, vectors, log_q), of_asked, mean_log_q

    def _log_q(self, rows: tf.Tensor, places: int, queued: tf.Tensor | None) -> tf.Tensor:
        if self._frequencies is None:
            return self._negatives.log_q(rows, places, queued)
        estimated = self._frequencies.expected(rows) / _num_replicas()
        return self._negatives.log_q(rows, places, queued, estimated)

    def _from_targets(self, rows: tf.Tensor, places: int) -> tf.Tensor:
        """`rows` of all replicas, `NEVER` where they do not come from the batch's targets."""
        is_from_targets = tf.tile(self._negatives.is_from_targets(places), [_num_replicas()])
        return tf.where(is_from_targets, rows, NEVER)

    def _from_all_replicas(
        self, rows: tf.Tensor, vectors: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Every replica's negatives, so that more replicas mean more negatives, not just more
        batches.
        """
        # All items are the same ones on every replica.
        if _num_replicas() == 1 or isinstance(self._negatives, AllItems):
            return rows, vectors
        context = tf.distribute.get_replica_context()
        return context.all_gather(rows, axis=0), context.all_gather(vectors, axis=0)


def _num_replicas() -> int:
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync
