"""Dense features brought to mean 0 and deviation 1."""

import tensorflow as tf


class Standardise(tf.keras.layers.Layer):
    """Takes away a mean and divides by a deviation; both are plain weights, saved and restored as
    such.

    Keras's own layer for this keeps what it computes with apart from its weights, so that a
    restored checkpoint would leave it as it was.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        size = input_shape[-1]
        self._mean = self.add_weight("mean", (size,), initializer="zeros", trainable=False)
        self._deviation = self.add_weight("deviation", (size,), initializer="ones", trainable=False)
        super().build(input_shape)

    @property
    def mean(self) -> tf.Tensor:
        """`[size]`."""
        return tf.convert_to_tensor(self._mean)

    def fit(self, features: tf.Tensor) -> None:
        """Takes mean and deviation from `[examples, size]`; what never varies is only centred."""
        if not self.built:
            self.build(features.shape)
        mean, variance = tf.nn.moments(features, axes=[0])
        self._mean.assign(mean)
        self._deviation.assign(tf.where(variance > 1e-10, tf.sqrt(variance), 1.0))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`[..., size]` to the same shape; beyond six deviations it is cut off."""
        return tf.clip_by_value((inputs - self._mean) / self._deviation, -6.0, 6.0)
