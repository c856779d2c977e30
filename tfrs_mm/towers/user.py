"""The user (query) tower: a history of item vectors to one query vector for each place of it."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfrs_mm.towers.events import EVENTS, EventEmbedding
from tfrs_mm.towers.interests import Interests
from tfrs_mm.towers.moments import MomentEmbedding
from tfrs_mm.towers.pooling import CausalMean
from tfrs_mm.towers.recurrent import CausalGru
from tfrs_mm.towers.sequence import CausalTransformer

# How a sequence is read, by name: `[batch, time, dim]` to the same shape, place t from places 0 to
# t. Each takes of the tower's settings what it needs.
SEQUENCES = {
    "transformer": lambda of: CausalTransformer(
        of["dim"], of["layers"], of["heads"], of["max_history"] + 1, of["dropout"]
    ),
    "gru": lambda of: CausalGru(of["dim"], of["layers"], of["dropout"]),
    "mean": lambda of: CausalMean(of["half_life"], of["dropout"]),
}


class UserTower(tf.keras.layers.Layer):
    """Says, after each item of a history, where the next one should lie.

    Place 0 of the output knows nothing but a learned start vector: it is the query of a user
    without any history. Place t knows the first t items.
    """

    def __init__(
        self, dim: int, layers: int, heads: int, max_history: int, dropout: float, normalize: bool,
        kind: str = "transformer", half_life: float = 0.0, time_gaps: int = 0, event_kinds: int = 0,
        hide_events: float = 0.0, seed: int = 0, interests: int = 1,
        moments: Sequence[Sequence[str | int]] = (), **kwargs: object,
    ) -> None:  # fmt: skip
        """Makes the layers.

        Args:
            dim: of the item vectors and of the queries.
            layers: of the Transformer or of the recurrent network.
            heads: of the Transformer.
            max_history: items of a history at most.
            dropout: of the sequence model.
            normalize: whether item vectors and queries have length one.
            kind: one of `SEQUENCES`.
            half_life: items after which an item counts half in the mean; 0 for never.
            time_gaps: buckets of the time between events; 0 reads no times.
            event_kinds: rows of the vocabulary of kinds; 0 reads no kinds.
            hide_events: the share of histories whose times, and of those whose kinds, are hidden
                in training, and any feature of their moments.
            seed: of what is hidden.
            interests: queries at each place.
            moments: features of the moment of a query, see `MomentEmbedding`; none are read
                without.
        """
        super().__init__(**kwargs)
        self._settings = {
            "dim": dim, "layers": layers, "heads": heads, "max_history": max_history,
            "dropout": dropout, "normalize": normalize, "kind": kind, "half_life": half_life,
            "time_gaps": time_gaps, "event_kinds": event_kinds, "hide_events": hide_events,
            "seed": seed, "interests": interests, "moments": [tuple(moment) for moment in moments],
        }  # fmt: skip
        self._normalize = normalize
        self._sequence = SEQUENCES[kind](self._settings)
        self._events = None
        if time_gaps or event_kinds:
            self._events = EventEmbedding(dim, time_gaps, event_kinds, hide_events, seed)
        self._moments = None
        if moments:
            self._moments = MomentEmbedding(dim, moments, hide_events, seed + len(EVENTS))
        self._interests = Interests(dim, interests) if interests > 1 else None
        self._output = tf.keras.layers.Dense(dim, kernel_initializer="identity")

    @property
    def interests(self) -> int:
        """Queries at each place."""
        return self._settings["interests"]

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of `contexts` that it looks for: of events, and of moments."""
        return (self._events.reads if self._events is not None else ()) + self.moments

    @property
    def moments(self) -> tuple[str, ...]:
        """Those of them that are of a moment."""
        return self._moments.reads if self._moments is not None else ()

    def build(self, input_shape: tf.TensorShape) -> None:
        self._start = self.add_weight(
            "start", (input_shape[-1],), initializer=tf.keras.initializers.RandomNormal(stddev=1.0)
        )
        super().build(input_shape)

    def call(
        self,
        inputs: tf.Tensor,
        contexts: Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Query vectors.

        Args:
            inputs: `[batch, time, dim]`, the item tower's vectors of a history, oldest first,
                padding behind it; `time` at most `max_history`.
            contexts: what is known of their events, see `EventEmbedding`, and of the moments of
                the queries, see `MomentEmbedding`; None for nothing.
            training: whether dropout and hiding are on.

        Returns:
            `[batch, time + 1, dim]`, or `[batch, time + 1, interests, dim]` of several interests.
        """
        scale = float(inputs.shape[-1]) ** 0.5 if self._normalize else 1.0
        start = tf.broadcast_to(
            self._start, tf.concat([tf.shape(inputs)[:1], [1, inputs.shape[-1]]], 0)
        )
        items = inputs * scale
        if self._events is not None:
            items = self._events(items, contexts=contexts, training=training)
        states = self._sequence(tf.concat([start, items], axis=1), training=training)
        if self._moments is not None:
            states = self._moments(states, contexts=contexts, training=training)
        if self._interests is not None:
            states = self._interests(states)
        queries = self._output(states)
        return tf.math.l2_normalize(queries, axis=-1) if self._normalize else queries

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings


def last_place(queries: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The query after the whole history.

    Args:
        queries: `[batch, time + 1, ...]`, of a `UserTower`.
        lengths: `[batch]` integer, items of each history.

    Returns:
        `[batch, ...]`.
    """
    return tf.gather(queries, lengths, batch_dims=1)
