"""Fusion before any score: concatenation, and sums weighted or filtered by learned gates."""

import tensorflow as tf

from tfrs_mm.fusion.base import Fusion, glorot, visible
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


class GatedFusion(Fusion):
    """A weighted mean of the projected modalities; the weight of each is read from its own content.

    The gated unit of Arevalo et al., Gated Multimodal Units, 2017, with a softmax over the
    modalities that are present.
    """

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        self._add_projection(input_shape, self._dim)
        self._gate = self.add_weight("gate", (modalities, size), initializer="zeros")
        self._gate_bias = self.add_weight("gate_bias", (modalities,), initializer="zeros")

    def call(self, inputs: ModalityBatch, behaviour: tf.Tensor | None = None) -> tf.Tensor:
        """`[batch, dim]`."""
        gates = tf.einsum("bms,ms->bm", visible(inputs), self._gate) + self._gate_bias
        return mix_by_gate(self.project(inputs), inputs.present, gates)


class ConcatFusion(Fusion):
    """All modalities side by side through one dense layer, a learned vector for each absent one."""

    learns_missing = True

    def build(self, input_shape: ModalityBatch) -> None:
        modalities, size = input_shape.values[1], input_shape.values[2]
        self._kernel = self.add_weight(
            "kernel", (modalities, size, self._dim), initializer=glorot(size, self._dim)
        )
        self._missing = self.add_weight("missing", (modalities, self._dim), initializer="zeros")
        self._bias = self.add_weight("bias", (self._dim,), initializer="zeros")

    def project(self, inputs: ModalityBatch) -> tf.Tensor:
        """`[batch, modality, dim]`; the one bias belongs to the sum, not to any modality."""
        return tf.einsum("bms,msd->bmd", visible(inputs), self._kernel)

    def call(self, inputs: ModalityBatch, behaviour: tf.Tensor | None = None) -> tf.Tensor:
        """`[batch, dim]`; the sum of per-modality products is the product of the concatenation."""
        parts = tf.where(inputs.present[..., None], self.project(inputs), self._missing)
        return tf.reduce_sum(parts, axis=1) + self._bias


class BehaviourGatedFusion(Fusion):
    """The item's id vector, filtered by what each modality says of it.

    The mean over the present modalities of `id * sigmoid(V (W x + b) + c)`: content decides which
    sides of behaviour count, so what of it has nothing to do with taste cannot enter (Yu et al.,
    Multi-view graph convolutional network for multimedia recommendation, 2023, equations 3 and 4).
    Content thereby enters only as far as ids are trained; for catalogues of new items another
    fusion suits better.
    """

    def build(self, input_shape: ModalityBatch) -> None:
        modalities = input_shape.values[1]
        self._add_projection(input_shape, self._dim)
        self._gate = self.add_weight(
            "gate", (modalities, self._dim, self._dim), initializer=glorot(self._dim, self._dim)
        )
        self._gate_bias = self.add_weight("gate_bias", (modalities, self._dim), initializer="zeros")

    def call(self, inputs: ModalityBatch, behaviour: tf.Tensor | None = None) -> tf.Tensor:
        """`[batch, dim]`, zeros where nothing is present.

        Raises:
            ValueError: there is no `behaviour`.
        """
        if behaviour is None:
            raise ValueError(
                "`behaviour` must be the id vectors, [batch, dim], for a fusion that is gated by "
                "them, received None. Pass them, or choose another `fusion.kind`."
            )
        gates = tf.einsum("bmd,mde->bme", self.project(inputs), self._gate) + self._gate_bias
        filtered = behaviour[:, None, :] * tf.sigmoid(gates)
        return mix_by_gate(filtered, inputs.present, tf.zeros(tf.shape(inputs.present)))
