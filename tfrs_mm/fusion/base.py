"""What all fusions share: one linear map for each modality, and which part of a vector meets it.

Contract of every fusion: `fuse(ModalityBatch, behaviour) -> [batch, dim]`, and what stands at an
absent place cannot change the result. Where nothing is present the result depends on nothing but
the weights, and for a fusion that is gated by behaviour on that. `behaviour`, `[batch, dim]`, is
the vector of the item's id; fusions that do not read it need not be given it.

`project` and `split` are what a loss aligns: the inner product of `split(v)` with `project(x)`
compares a vector `v` of the towers' space with each modality on its own.
"""

import math

import tensorflow as tf

from tfrs_mm.fusion.modalities import ModalityBatch


class Fusion(tf.keras.layers.Layer):
    """A fusion's linear map of each modality; how the results become one is a subclass's `call`."""

    # Whether modalities meet only in the score, so that nothing may mix their parts afterwards.
    decision_level = False
    # Whether an absent modality has a learned vector of its own already.
    learns_missing = False

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._dim = dim

    def project(self, inputs: ModalityBatch) -> tf.Tensor:
        """`[batch, modality, width]`, each modality mapped; no meaning at absent places."""
        return tf.einsum("bms,msd->bmd", visible(inputs), self._kernel) + self._bias

    def split(self, vectors: tf.Tensor) -> tf.Tensor:
        """The part of each vector that meets a modality's projection in an inner product.

        Args:
            vectors: `[..., dim]`.

        Returns:
            `[..., modality, width]`, or `[..., 1, dim]` where all modalities meet the whole of it.
        """
        return vectors[..., None, :]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"dim": self._dim}

    def _add_projection(self, input_shape: ModalityBatch, width: int) -> None:
        """The weights of `project`: a kernel and a bias for each modality."""
        modalities, size = input_shape.values[1], input_shape.values[2]
        self._kernel = self.add_weight(
            "kernel", (modalities, size, width), initializer=glorot(size, width)
        )
        self._bias = self.add_weight("bias", (modalities, width), initializer="zeros")


def visible(inputs: ModalityBatch) -> tf.Tensor:
    """The values, zeros at absent places: 0 times an absent infinity would be NaN."""
    return tf.where(inputs.present[..., None], inputs.values, 0.0)


def glorot(size_in: int, size_out: int) -> tf.keras.initializers.Initializer:
    """Glorot's uniform bounds from one modality's own sizes, not from the stack of all."""
    limit = math.sqrt(6.0 / (size_in + size_out))
    return tf.keras.initializers.RandomUniform(-limit, limit)
