"""The value head's loss, and its weight beside the loss of ranking."""

import tensorflow as tf


def value_loss(predicted: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Mean squared error over what is known.

    Args:
        predicted: `[batch]`.
        values: `[batch]`, standardised; NaN where an event says nothing.

    Returns:
        One number, 0 where nothing is known.
    """
    known = tf.math.is_finite(values)
    # An unknown value is put away before it is subtracted: its gradient would be NaN.
    errors = tf.where(known, predicted - tf.where(known, values, 0.0), 0.0)
    count = tf.reduce_sum(tf.cast(known, tf.float32))
    return tf.math.divide_no_nan(tf.reduce_sum(errors**2), count)


class FixedValueWeight(tf.keras.layers.Layer):
    """The loss of ranking, and that of values with a fixed weight."""

    def __init__(self, weight: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._weight = weight

    def call(self, ranking: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Two numbers to one."""
        return ranking + self._weight * values

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"weight": self._weight}


class LearnedValueWeight(tf.keras.layers.Layer):
    """The weight follows from how well values can be told at all, which is learnt with all else.

    Kendall, Gal and Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, 2018, equation
    5: a squared error `L` with variance `exp(s)` adds `exp(-s) L / 2 + s / 2`.

    Attributes:
        log_variance: `s`.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        self.log_variance = self.add_weight("log_variance", (), initializer="zeros")
        super().build(input_shape)

    def call(self, ranking: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Two numbers to one."""
        return ranking + 0.5 * (tf.exp(-self.log_variance) * values + self.log_variance)
