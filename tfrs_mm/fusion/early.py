"""Fusion before any score: concatenation, and a sum weighted by learned gates.

Contract of every fusion: `fuse(ModalityBatch) -> [batch, dim]`, and what stands at an absent place
cannot change the result. Where nothing is present the result depends on nothing but the weights.
"""

import math

import tensorflow as tf

from tfrs_mm.fusion.modalities import ModalityBatch


def mix_by_gate(values: tf.Tensor, present: tf.Tensor, gate_logits: tf.Tensor) -> tf.Tensor:
    """Averages modalities by their gates; absent ones take no part.

    Args:
        values: `[batch, modality, dim]`.
        present: `[batch, modality]` bool; a row may be all False.
        gate_logits: `[batch, modality]`, any real number.

    Returns:
        `[batch, dim]`, zeros where nothing is present.
    """
    weights = tf.where(
        present, tf.exp(gate_logits - tf.reduce_max(gate_logits, -1, keepdims=True)), 0.0
    )
    total = tf.reduce_sum(weights, axis=-1, keepdims=True)
    shares = tf.math.divide_no_nan(weights, total)
    # where() before the product: 0 times an absent infinity would be NaN.
    values = tf.where(present[..., None], values, 0.0)
    return tf.einsum("bm,bmd->bd", shares, values)


class GatedFusion(tf.keras.layers.Layer):
    """A weighted mean of the projected modalities; the weight of each is read from its own content.

    The gated unit of Arevalo et al., Gated Multimodal Units, 2017, with a softmax over the
    modalities that are present.
    """

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._dim = dim

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        self._kernel = self.add_weight(
            "kernel", (modalities, size, self._dim), initializer=_glorot(size, self._dim)
        )
        self._bias = self.add_weight("bias", (modalities, self._dim), initializer="zeros")
        self._gate = self.add_weight("gate", (modalities, size), initializer="zeros")
        self._gate_bias = self.add_weight("gate_bias", (modalities,), initializer="zeros")

    def call(self, inputs: ModalityBatch) -> tf.Tensor:
        """`[batch, dim]`."""
        values = tf.where(inputs.present[..., None], inputs.values, 0.0)
        projected = tf.einsum("bms,msd->bmd", values, self._kernel) + self._bias
        gates = tf.einsum("bms,ms->bm", values, self._gate) + self._gate_bias
        return mix_by_gate(projected, inputs.present, gates)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"dim": self._dim}


class ConcatFusion(tf.keras.layers.Layer):
    """All modalities side by side through one dense layer, a learned vector for each absent one."""

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._dim = dim

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        self._kernel = self.add_weight(
            "kernel", (modalities, size, self._dim), initializer=_glorot(size, self._dim)
        )
        self._missing = self.add_weight("missing", (modalities, self._dim), initializer="zeros")
        self._bias = self.add_weight("bias", (self._dim,), initializer="zeros")

    def call(self, inputs: ModalityBatch) -> tf.Tensor:
        """`[batch, dim]`; the sum of per-modality products is the product of the concatenation."""
        values = tf.where(inputs.present[..., None], inputs.values, 0.0)
        projected = tf.einsum("bms,msd->bmd", values, self._kernel)
        parts = tf.where(inputs.present[..., None], projected, self._missing)
        return tf.reduce_sum(parts, axis=1) + self._bias

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"dim": self._dim}


def _glorot(size_in: int, size_out: int) -> tf.keras.initializers.Initializer:
    """Glorot's uniform bounds from one modality's own sizes, not from the stack of all."""
    limit = math.sqrt(6.0 / (size_in + size_out))
    return tf.keras.initializers.RandomUniform(-limit, limit)
