"""What is known of the user and of the moment that a query is asked in, added to what the history
says.

It enters behind the sequence, as other features stand beside the embedded history in Covington et
al., Deep neural networks for YouTube recommendations, 2016, section 3.3. What is unknown adds
nothing; training hides each part of some histories, so that the rest is learnt without it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfrs_mm.schema import Kind, Schema

_PREFIXES = ("context/", "profile/")
CATEGORIES, WEIGHTS = "profile/categories", "profile/category_weights"


class Moment(NamedTuple):
    """One feature of a moment.

    Attributes:
        name: its key in records.
        size: rows of its vocabulary, row 0 for unknown included; 0 for numbers.
        width: values that it has.
    """

    name: str
    size: int
    width: int


def moments_of(schema: Schema) -> tuple[Moment, ...]:
    """The features of moments that a schema declares; weights of categories go with these."""
    return tuple(
        Moment(f.name, f.size if f.kind == Kind.CATEGORY else 0, f.width)
        for f in schema.features
        if f.name.startswith(_PREFIXES) and f.name != WEIGHTS
    )


class MomentEmbedding(tf.keras.layers.Layer):
    """Adds an embedding of every feature, all of which start at zero.

    A row is embedded; of several rows, favourite categories, the mean counts, by their weights.
    Numbers `x` enter as `W log(1 + max(x, 0))`.
    """

    def __init__(
        self, dim: int, moments: Sequence[Sequence[str | int]], hide: float, seed: int,
        **kwargs: object,
    ) -> None:  # fmt: skip
        """Makes the layer.

        Args:
            dim: of the states.
            moments: the features, each as a `Moment`.
            hide: the share of histories of which training hides a feature, each by itself.
            seed: of what is hidden.
        """
        super().__init__(**kwargs)
        self._moments = tuple(Moment(*moment) for moment in moments)
        self._settings = {
            "dim": dim, "moments": [tuple(m) for m in self._moments], "hide": hide, "seed": seed
        }  # fmt: skip
        self._hide, self._seed = hide, seed

    @property
    def reads(self) -> tuple[str, ...]:
        """The names that it looks for."""
        names = tuple(moment.name for moment in self._moments)
        return (*names, WEIGHTS) if CATEGORIES in names else names

    def build(self, input_shape: tf.TensorShape) -> None:
        self._tables = {
            moment.name: self.add_weight(
                moment.name.replace("/", "_"),
                (moment.size or moment.width, self._settings["dim"]),
                initializer="zeros",
            )
            for moment in self._moments
        }
        super().build(input_shape)

    def call(
        self,
        inputs: tf.Tensor,
        contexts: Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """The inputs with what is known of their moments added.

        Args:
            inputs: `[batch, time, dim]`.
            contexts: by name `[batch, time]`, or `[batch, time, width]` of several values: of the
                moment of each place. Without the axis of time it is the moment of them all.
            training: whether some is hidden.
        """
        contexts = contexts or {}
        for place, moment in enumerate(self._moments):
            if moment.name not in contexts:
                continue
            added = self._embed(moment, contexts)
            if training and self._hide > 0:
                drawn = tf.random.uniform([tf.shape(inputs)[0], 1, 1], seed=self._seed + place)
                added = tf.where(drawn < self._hide, 0.0, added)
            inputs += added
        return inputs

    def _embed(self, moment: Moment, contexts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """`[batch, time, dim]`, or `[batch, 1, dim]` of one moment for all places."""
        table, values = self._tables[moment.name], _with_places(contexts[moment.name], moment)
        if not moment.size:
            logs = tf.math.log1p(tf.maximum(tf.cast(values, tf.float32), 0.0))
            return tf.einsum("btw,wd->btd", logs, table)
        weights = tf.cast(values > 0, tf.float32)
        if moment.name == CATEGORIES:
            weights *= _with_places(contexts[WEIGHTS], moment)
        embedded = tf.reduce_sum(tf.gather(table, values) * weights[..., None], axis=2)
        return tf.math.divide_no_nan(embedded, tf.reduce_sum(weights, axis=2, keepdims=True))

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings


def _with_places(values: tf.Tensor, moment: Moment) -> tf.Tensor:
    """`[batch, time, width]`, where time is 1 for values of one moment."""
    if moment.width == 1 and moment.name != CATEGORIES:
        values = values[..., None]
    return values if values.shape.rank == 3 else values[:, None, :]
