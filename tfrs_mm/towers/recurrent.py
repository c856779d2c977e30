"""A gated recurrent network over a history of item vectors: one output for each place of the
sequence.

Hidasi et al., Session-based recommendations with recurrent neural networks (GRU4Rec), 2016: section
3, equations 2 to 5. Its work grows with the length of the history, not with its square, but the
places of a history cannot be computed side by side.
"""

import tensorflow as tf


class CausalGru(tf.keras.layers.Layer):
    """Layers of gated recurrent units, each over the outputs of the one before.

    Padding stands behind the history, so no state that is read has met it.
    """

    def __init__(self, dim: int, layers: int, dropout: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._settings = {"dim": dim, "layers": layers, "dropout": dropout}
        self._input_dropout = tf.keras.layers.Dropout(dropout)
        # A cell in a loop, not Keras' GRU layer, whose choice of kernels at run time would be saved
        # in the served model.
        self._layers = [
            tf.keras.layers.RNN(tf.keras.layers.GRUCell(dim), return_sequences=True)
            for _ in range(layers)
        ]
        self._dropouts = [tf.keras.layers.Dropout(dropout) for _ in range(layers)]

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[batch, time, dim]` to the same shape; place t knows places 0 to t."""
        x = self._input_dropout(inputs, training=training)
        for recurrent, dropout in zip(self._layers, self._dropouts, strict=True):
            x = dropout(recurrent(x), training=training)
        return x

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
