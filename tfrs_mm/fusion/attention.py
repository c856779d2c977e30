"""Fusion by attention over modalities: from a learned query, or from what a score is asked for.

Modalities are a set of at most as many tokens as there are modalities; one that is absent gets no
attention. Both layers use the scaled dot product of Vaswani et al., Attention is all you need,
2017, equation 1, with a mask.
"""

import tensorflow as tf

from tfrs_mm.fusion.base import Fusion, glorot, visible
from tfrs_mm.fusion.modalities import ModalityBatch


def attend(
    queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, present: tf.Tensor, heads: int
) -> tf.Tensor:
    """Multi-head attention over the tokens that are present.

    Args:
        queries: `[batch, queries, dim]`.
        keys: `[batch, tokens, dim]`.
        values: `[batch, tokens, dim]`.
        present: `[batch, tokens]` bool; a row may be all False.
        heads: that share `dim` evenly.

    Returns:
        `[batch, queries, dim]`, zeros where nothing is present.
    """
    size = queries.shape[-1] // heads
    split = [tf.reshape(x, [-1, x.shape[1], heads, size]) for x in (queries, keys, values)]
    logits = tf.einsum("bqhs,bths->bhqt", split[0], split[1]) * size**-0.5
    # A finite floor, not -inf: a row without any token would be NaN.
    logits = tf.where(present[:, None, None, :], logits, -1e9)
    shares = tf.where(present[:, None, None, :], tf.nn.softmax(logits), 0.0)
    return tf.reshape(
        tf.einsum("bhqt,bths->bqhs", shares, split[2]), [-1, queries.shape[1], queries.shape[-1]]
    )


class AttentionFusion(Fusion):
    """Modalities look at each other, and a learned token gathers what they found.

    One block of self-attention and a dense layer, each normalised before and added to its input,
    over the projected modalities and a learned token, whose output is the result (as the class
    token of Devlin et al., BERT, 2019). What one modality adds may thus depend on another. The bias
    of a modality's projection tells which one it is.
    """

    def __init__(self, dim: int, heads: int = 2, **kwargs: object) -> None:
        super().__init__(dim, **kwargs)
        if dim % heads:
            raise ValueError(
                f"`dim` must be a multiple of `heads` ({heads}), received {dim}. Change either."
            )
        self._heads = heads
        self._attention_norm = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self._attention = tf.keras.layers.Dense(3 * dim)
        self._output = tf.keras.layers.Dense(dim)
        self._dense_norm = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self._widen = tf.keras.layers.Dense(2 * dim, activation="gelu")
        self._narrow = tf.keras.layers.Dense(dim)

    def build(self, input_shape: ModalityBatch) -> None:
        self._add_projection(input_shape, self._dim)
        self._token = self.add_weight(
            "token",
            (self._dim,),
            initializer=tf.keras.initializers.RandomNormal(stddev=self._dim**-0.5),
        )

    def call(self, inputs: ModalityBatch, behaviour: tf.Tensor | None = None) -> tf.Tensor:
        """`[batch, dim]`."""
        tokens = tf.where(inputs.present[..., None], self.project(inputs), 0.0)
        first = tf.broadcast_to(self._token, tf.shape(tokens[:, :1]))
        x = tf.concat([first, tokens], axis=1)
        present = tf.pad(inputs.present, [[0, 0], [1, 0]], constant_values=True)
        queries, keys, values = tf.split(self._attention(self._attention_norm(x)), 3, axis=-1)
        # One block: only the token's own place is read, so only it has to be computed.
        gathered = first + self._output(attend(queries[:, :1], keys, values, present, self._heads))
        gathered += self._narrow(self._widen(self._dense_norm(gathered)))
        return gathered[:, 0]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"heads": self._heads}


class CrossAttentionFusion(tf.keras.layers.Layer):
    """The modalities as one vector that depends on what is asked: fusion for ranking.

    Whether a picture or a text speaks for an item depends on the user; so the query attends to the
    item's modalities (target-aware as in Zhou et al., Deep interest network, 2018, with its roles
    turned round). The vector cannot be kept in an index, as it is another one for each query.
    """

    def __init__(self, dim: int, heads: int = 2, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if dim % heads:
            raise ValueError(
                f"`dim` must be a multiple of `heads` ({heads}), received {dim}. Change either."
            )
        self._dim, self._heads = dim, heads
        self._query = tf.keras.layers.Dense(dim)
        self._output = tf.keras.layers.Dense(dim)

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        kernel, bias = (modalities, size, self._dim), (modalities, self._dim)
        # An initializer of its own for each: one would draw the same numbers twice.
        self._keys = self.add_weight("keys", kernel, initializer=glorot(size, self._dim))
        self._key_bias = self.add_weight("key_bias", bias, initializer="zeros")
        self._values = self.add_weight("values", kernel, initializer=glorot(size, self._dim))
        self._value_bias = self.add_weight("value_bias", bias, initializer="zeros")

    def call(self, inputs: ModalityBatch, query: tf.Tensor) -> tf.Tensor:
        """One vector for each pair of an item and a query.

        Args:
            inputs: `[batch, modality, size]` and `[batch, modality]`; a row may have none present.
            query: `[batch, query_dim]`.

        Returns:
            `[batch, dim]`; where nothing is present the query cannot change it.
        """
        values = visible(inputs)
        keys = tf.einsum("bms,msd->bmd", values, self._keys) + self._key_bias
        values = tf.einsum("bms,msd->bmd", values, self._values) + self._value_bias
        queries = self._query(query)[:, None, :]
        return self._output(attend(queries, keys, values, inputs.present, self._heads))[:, 0]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"dim": self._dim, "heads": self._heads}
