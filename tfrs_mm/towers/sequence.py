"""A causal Transformer over a history of item vectors: one output for each place of the sequence.

Distance between two places enters as a learned bias for each head (Raffel et al., T5, 2020, section
2.1), not as absolute positions: what counts is how long ago something was, wherever the history was
cut.
"""

import tensorflow as tf


class RelativeSelfAttention(tf.keras.layers.Layer):
    """Multi-head self-attention that looks back only, with a bias for the distance looked back."""

    def __init__(
        self, dim: int, heads: int, max_length: int, dropout: float, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self._dim, self._heads, self._max_length, self._rate = dim, heads, max_length, dropout
        self._project = tf.keras.layers.Dense(3 * dim)
        self._output = tf.keras.layers.Dense(dim)
        self._dropout = tf.keras.layers.Dropout(dropout)

    def build(self, input_shape: tf.TensorShape) -> None:
        self._distance_bias = self.add_weight(
            "distance_bias", (self._heads, self._max_length), initializer="zeros"
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[batch, time, dim]` to the same shape; place t sees places 0 to t."""
        length = inputs.shape[1]
        size = self._dim // self._heads
        queries, keys, values = tf.split(self._project(inputs), 3, axis=-1)
        queries, keys, values = (
            tf.transpose(tf.reshape(x, [-1, length, self._heads, size]), [0, 2, 1, 3])
            for x in (queries, keys, values)
        )
        logits = tf.matmul(queries, keys, transpose_b=True) * size**-0.5
        distance = tf.range(length)[:, None] - tf.range(length)[None, :]
        logits += tf.gather(self._distance_bias, tf.maximum(distance, 0), axis=1)
        logits = tf.where(distance >= 0, logits, -1e9)
        weights = self._dropout(tf.nn.softmax(logits), training=training)
        mixed = tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3])
        return self._output(tf.reshape(mixed, [-1, length, self._dim]))

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {
            "dim": self._dim,
            "heads": self._heads,
            "max_length": self._max_length,
            "dropout": self._rate,
        }


class CausalTransformer(tf.keras.layers.Layer):
    """Blocks of attention and a dense layer, each normalised before and added to its input.

    Kang and McAuley, Self-attentive sequential recommendation, 2018, with the normalisation first.
    Padding stands behind the history, so looking back never meets it.
    """

    def __init__(
        self, dim: int, layers: int, heads: int, max_length: int, dropout: float, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self._settings = {
            "dim": dim, "layers": layers, "heads": heads, "max_length": max_length,
            "dropout": dropout,
        }  # fmt: skip
        self._input_dropout = tf.keras.layers.Dropout(dropout)
        self._blocks = [
            {
                "attention_norm": tf.keras.layers.LayerNormalization(epsilon=1e-6),
                "attention": RelativeSelfAttention(dim, heads, max_length, dropout),
                "dense_norm": tf.keras.layers.LayerNormalization(epsilon=1e-6),
                "widen": tf.keras.layers.Dense(2 * dim, activation="gelu"),
                "narrow": tf.keras.layers.Dense(dim),
                "dropout": tf.keras.layers.Dropout(dropout),
            }
            for _ in range(layers)
        ]
        self._norm = tf.keras.layers.LayerNormalization(epsilon=1e-6)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[batch, time, dim]` to the same shape; place t knows places 0 to t."""
        x = self._input_dropout(inputs, training=training)
        for block in self._blocks:
            attended = block["attention"](block["attention_norm"](x), training=training)
            x += block["dropout"](attended, training=training)
            widened = block["narrow"](block["widen"](block["dense_norm"](x)))
            x += block["dropout"](widened, training=training)
        return self._norm(x)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
