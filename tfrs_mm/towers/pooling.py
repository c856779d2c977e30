"""The mean of a history of item vectors: one output for each place of the sequence.

Covington et al., Deep neural networks for YouTube recommendations, 2016, section 3.2, embed a
history by the mean of its items. With a half-life what is long ago counts less.
"""

import numpy as np
import tensorflow as tf


class CausalMean(tf.keras.layers.Layer):
    """The mean of all places so far, which has no weights of its own.

    Place t is `sum_i w(t - i) x_i / sum_i w(t - i)` over `i <= t`, where `w(steps)` is one half to
    the power of `steps / half_life`, or 1.
    """

    def __init__(self, half_life: float, dropout: float, **kwargs: object) -> None:
        """Takes after how many places one counts half, 0 for never, and the share of the inputs
        that training leaves out."""
        super().__init__(**kwargs)
        self._settings = {"half_life": half_life, "dropout": dropout}
        self._half_life = half_life
        self._input_dropout = tf.keras.layers.Dropout(dropout)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[batch, time, dim]` to the same shape; place t knows places 0 to t."""
        steps = np.subtract.outer(np.arange(inputs.shape[1]), np.arange(inputs.shape[1]))
        weights = (steps >= 0).astype(np.float64)
        if self._half_life > 0:
            weights *= 0.5 ** (np.maximum(steps, 0) / self._half_life)
        weights /= weights.sum(axis=1, keepdims=True)
        x = self._input_dropout(inputs, training=training)
        return tf.einsum("st,btd->bsd", tf.constant(weights, x.dtype), x)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
