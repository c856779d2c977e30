"""Alignment in training: what the tower makes of an item's modalities, and its id, drawn together.

The embeddings that are aligned are the fusion's own projections, so that what is learnt here is
used when items are scored: an item that lacks a modality, or whose id was never trained, then lies
near where it would lie with it (Wei et al., Contrastive learning for cold-start recommendation,
2021, for content and ids). An item that lacks one side of a pair takes no part in that pair.
"""

import itertools

import tensorflow as tf

from tfrs_mm.config import AlignmentConfig
from tfrs_mm.errors import UserError
from tfrs_mm.losses import agreement_penalty, cosine_distance, info_nce, pairwise_sigmoid
from tfrs_mm.towers.item import ItemParts


class Alignment(tf.keras.layers.Layer):
    """The mean over all pairs of embeddings of one contrastive loss, which a subclass says."""

    def __init__(
        self,
        weight: float,
        temperature: float,
        modalities: bool = True,
        behaviour: bool = True,
        **kwargs: object,
    ) -> None:
        """Chooses the pairs.

        Args:
            weight: of the loss.
            temperature: cosines are divided by it.
            modalities: whether every two modalities are aligned.
            behaviour: whether every modality is aligned with the id.
            **kwargs: Keras's own.
        """
        super().__init__(**kwargs)
        self._weight, self._temperature = weight, temperature
        self._modalities, self._behaviour = modalities, behaviour

    def call(self, parts: ItemParts, distinct: tf.Tensor) -> tf.Tensor:
        """The weighted loss.

        Args:
            parts: of `[n]` items.
            distinct: `[n]` bool; places that repeat an item or hold none are to be False.

        Returns:
            A scalar; 0 where no item has both sides of any pair.
        """
        size = parts.projected.shape[1]
        losses = []
        if self._modalities:
            losses += [
                self.loss(
                    parts.projected[:, one],
                    parts.projected[:, other],
                    distinct & parts.present[:, one] & parts.present[:, other],
                )
                for one, other in itertools.combinations(range(size), 2)
            ]
        if self._behaviour:
            ids = tf.broadcast_to(parts.behaviour, tf.shape(parts.projected))
            losses += [
                self.loss(
                    parts.projected[:, one],
                    ids[:, one],
                    distinct & parts.present[:, one] & parts.known,
                )
                for one in range(size)
            ]
        return self._weight * tf.add_n(losses) / len(losses)

    def loss(self, left: tf.Tensor, right: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
        """A scalar from two sides, `[n, width]`, and which pairs there are, `[n]` bool."""
        raise NotImplementedError

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {
            "weight": self._weight,
            "temperature": self._temperature,
            "modalities": self._modalities,
            "behaviour": self._behaviour,
        }


class InfoNceAlignment(Alignment):
    """Each embedding must find its partner among those of the batch's other items."""

    def loss(self, left: tf.Tensor, right: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
        """See `losses.info_nce`."""
        return info_nce(left, right, paired, self._temperature)


class SigmoidAlignment(Alignment):
    """Every two embeddings are judged on their own, with a bias that is learnt."""

    def build(self, input_shape: ItemParts) -> None:
        # The paper's start: next to no two embeddings belong together.
        self._bias = self.add_weight("bias", (), initializer=tf.keras.initializers.Constant(-10.0))

    def loss(self, left: tf.Tensor, right: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
        """See `losses.pairwise_sigmoid`."""
        return pairwise_sigmoid(left, right, paired, self._temperature, self._bias)


class CosineAlignment(Alignment):
    """Each embedding is predicted from its partner by a dense layer, and none pushes another.

    There is no softmax, so the temperature says nothing.
    """

    def build(self, input_shape: ItemParts) -> None:
        width = input_shape.projected[-1]
        self._kernel = self.add_weight("kernel", (width, width), initializer="identity")
        self._bias = self.add_weight("bias", (width,), initializer="zeros")

    def loss(self, left: tf.Tensor, right: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
        """The mean of both directions; see `losses.cosine_distance`."""
        # where() before the product: the kernel's gradient would see what has no meaning.
        left, right = (tf.where(paired[:, None], side, 0.0) for side in (left, right))
        forwards = cosine_distance(self._predicted(left), right, paired)
        return 0.5 * (forwards + cosine_distance(self._predicted(right), left, paired))

    def _predicted(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.matmul(vectors, self._kernel) + self._bias


ALIGNMENTS = {
    "infonce": InfoNceAlignment,
    "sigmoid": SigmoidAlignment,
    "cosine": CosineAlignment,
}


def build_alignment(settings: AlignmentConfig, num_modalities: int) -> Alignment | None:
    """The alignment that is configured, or None.

    Raises:
        UserError: the data has too few modalities for it.
    """
    if settings.agreement > 0 and num_modalities < 2:
        raise UserError(
            "`alignment.agreement` must be 0 where items have fewer than two modalities, received "
            f"{settings.agreement} and {num_modalities} of them. Leave it out for this data."
        )
    if settings.kind == "none":
        return None
    if num_modalities < (1 if settings.behaviour else 2):
        raise UserError(
            f"`alignment.kind` is {settings.kind!r}, but there is nothing to align in data with "
            f"{num_modalities} modalities and `alignment.behaviour` {settings.behaviour}. Leave it "
            "out for this data, or align content with behaviour."
        )
    return ALIGNMENTS[settings.kind](
        settings.weight,
        settings.temperature,
        settings.modalities,
        settings.behaviour,
        name="alignment",
    )


def disagreement(queries: tf.Tensor, targets: ItemParts, is_target: tf.Tensor) -> tf.Tensor:
    """How far the modalities of targets are from deciding alike; see `losses.agreement_penalty`.

    The decision of a modality is the cosine of its projection and the query's part that meets it.

    Args:
        queries: `[n, modality or 1, width]`, see `Fusion.split`.
        targets: the `[n]` items that the queries should find.
        is_target: `[n]` bool; places that are no target are to be False.

    Returns:
        A scalar.
    """
    present = targets.present & is_target[:, None]
    projected = tf.where(present[..., None], targets.projected, 0.0)
    decisions = tf.reduce_sum(
        tf.math.l2_normalize(queries, axis=-1) * tf.math.l2_normalize(projected, axis=-1), axis=-1
    )
    return agreement_penalty(decisions, present)
