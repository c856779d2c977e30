"""What is known of the events of a history besides their items, as vectors that are added to the
items' own.

The time that passed since the event before enters by its bucket. Li et al., Time interval aware
self-attention for sequential recommendation (TiSASRec), 2020, embed clipped intervals between all
pairs of events; here it is those of neighbours, by their logarithm, so that any sequence model can
read them. Either may be unknown: row 0 stands for it, and training hides both now and then, so that
the row is learnt also where all of a log is known.
"""

from collections.abc import Mapping

import tensorflow as tf

from tfrs_mm.signatures import NO_TIME

EVENTS = TIMES, KINDS = "history/time", "history/event"


def gap_rows(times: tf.Tensor, buckets: int) -> tf.Tensor:
    """The bucket of the time since the event before: `1 + min(buckets - 1, floor(log2(1 + s)))`.

    Args:
        times: `[batch, time]` int64 seconds, oldest first; `NO_TIME` where unknown.
        buckets: how many; the last one holds all longer gaps.

    Returns:
        `[batch, time]` int32 from 0 to `buckets`; 0 where either time is unknown, and at the first
        event, since a history is cut and does not tell what was before.
    """
    known = (times[:, 1:] != NO_TIME) & (times[:, :-1] != NO_TIME)
    gaps = tf.maximum(times[:, 1:] - times[:, :-1], 0)
    # Counted, not computed, so that no logarithm is rounded at a power of two.
    powers = tf.constant([2**power for power in range(buckets)], tf.int64)
    rows = tf.reduce_sum(tf.cast(1 + gaps[..., None] >= powers, tf.int32), axis=-1)
    return tf.pad(tf.where(known, rows, 0), [[0, 0], [1, 0]])


class EventEmbedding(tf.keras.layers.Layer):
    """Embeddings of time gaps and of kinds of events; they start at zero."""

    def __init__(
        self, dim: int, time_gaps: int, kinds: int, hide: float, seed: int, **kwargs: object
    ) -> None:
        """Makes the layer.

        Args:
            dim: of the item vectors.
            time_gaps: buckets of gaps; 0 reads no times.
            kinds: rows of the vocabulary of kinds, row 0 included; 0 reads no kinds.
            hide: the share of histories whose gaps are hidden in training, and of those whose
                kinds are.
            seed: of what is hidden.
        """
        super().__init__(**kwargs)
        self._settings = {
            "dim": dim, "time_gaps": time_gaps, "kinds": kinds, "hide": hide, "seed": seed
        }  # fmt: skip
        self._sizes = {TIMES: time_gaps and time_gaps + 1, KINDS: kinds}
        self._hide, self._seed = hide, seed

    @property
    def reads(self) -> tuple[str, ...]:
        """The names that it looks for."""
        return tuple(name for name, size in self._sizes.items() if size)

    def build(self, input_shape: tf.TensorShape) -> None:
        self._tables = {
            name: self.add_weight(
                name.replace("/", "_"), (self._sizes[name], self._settings["dim"]),
                initializer="zeros",
            )
            for name in self.reads
        }  # fmt: skip
        super().build(input_shape)

    def call(
        self,
        inputs: tf.Tensor,
        contexts: Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """The inputs with what is known of their events added.

        Args:
            inputs: `[batch, time, dim]`.
            contexts: `history/time` `[batch, time]` int64 seconds, `NO_TIME` where unknown, and
                `history/event`, the same shape, int32 rows of kinds; what is missing is unknown.
            training: whether some histories are shown as unknown.
        """
        batch_and_time = tf.shape(inputs)[:2]
        for place, (name, table) in enumerate(self._tables.items()):
            if name not in (contexts or {}):
                rows = tf.zeros(batch_and_time, tf.int32)
            elif name == TIMES:
                rows = gap_rows(contexts[name], self._settings["time_gaps"])
            else:
                rows = contexts[name]
            if training and self._hide > 0:
                drawn = tf.random.uniform([batch_and_time[0], 1], seed=self._seed + place)
                rows = tf.where(drawn < self._hide, 0, rows)
            inputs += tf.gather(table, rows)
        return inputs

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
