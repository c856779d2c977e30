"""Fusion at the level of decisions: each modality has a score of its own, and the scores are added.

A two-tower score is one inner product, so the sum is written as a concatenation. The vector's `dim`
places are divided into one block for each modality, and an item's blocks hold

    f = [w_1 u_1, w_2 u_2, ...],   u_m = W_m x_m + b_m, of length 1,   sum of the present w_m = 1.

With a query `q = [q_1, q_2, ...]` divided likewise, `<q, f> = sum_m w_m <q_m, u_m>`: the weighted
sum of one similarity for each modality, none of which sees another's content. How long `q_m` is
says how much this user goes by the modality. An id or a category that is added to the vector adds a
decision of its own. (Baltrušaitis et al., Multimodal machine learning: a survey and taxonomy, 2019,
section 6.1; Kittler et al., On combining classifiers, 1998, for sums against votes.)
"""

import tensorflow as tf

from tfrs_mm.errors import UserError
from tfrs_mm.fusion.base import Fusion
from tfrs_mm.fusion.modalities import ModalityBatch


class VoteFusion(Fusion):
    """Every present modality decides with the same weight."""

    decision_level = True

    def build(self, input_shape: ModalityBatch) -> None:
        self._modalities = input_shape.values[1]
        self._width = self._dim // self._modalities
        if self._width == 0:
            raise UserError(
                f"`retrieval.dim` must be at least the number of modalities ({self._modalities}) "
                f"to fuse their decisions, received {self._dim}. Raise it."
            )
        self._add_projection(input_shape, self._width)

    def project(self, inputs: ModalityBatch) -> tf.Tensor:
        """`[batch, modality, dim // modalities]`, each of length 1."""
        return tf.math.l2_normalize(super().project(inputs), axis=-1)

    def split(self, vectors: tf.Tensor) -> tf.Tensor:
        """`[..., modality, dim // modalities]`; places that are left over belong to none."""
        used = vectors[..., : self._modalities * self._width]
        shape = tf.concat([tf.shape(vectors)[:-1], [self._modalities, self._width]], axis=0)
        return tf.reshape(used, shape)

    def weights_of(self, present: tf.Tensor) -> tf.Tensor:
        """The weight of each modality's decision, `[batch, modality]`; 0 where it is absent."""
        votes = tf.cast(present, self.compute_dtype)
        return tf.math.divide_no_nan(votes, tf.reduce_sum(votes, axis=1, keepdims=True))

    def call(self, inputs: ModalityBatch, behaviour: tf.Tensor | None = None) -> tf.Tensor:
        """`[batch, dim]`, zeros in the blocks of absent modalities and in places left over."""
        blocks = self.project(inputs) * self.weights_of(inputs.present)[..., None]
        blocks = tf.reshape(blocks, [-1, self._modalities * self._width])
        return tf.pad(blocks, [[0, 0], [0, self._dim - self._modalities * self._width]])


class LateFusion(VoteFusion):
    """Each modality decides with a learned weight, the same for all items that have all of them."""

    def build(self, input_shape: ModalityBatch) -> None:
        super().build(input_shape)
        self._logits = self.add_weight("logits", (self._modalities,), initializer="zeros")

    def weights_of(self, present: tf.Tensor) -> tf.Tensor:
        """A softmax of the learned logits over the present modalities."""
        raised = tf.exp(self._logits - tf.reduce_max(self._logits))
        weights = tf.where(present, raised, 0.0)
        return tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=1, keepdims=True))
