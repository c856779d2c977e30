"""The modalities of a batch of items, which are present, and hiding some of them in training."""

from typing import NamedTuple

import tensorflow as tf


class ModalityBatch(NamedTuple):
    """Embeddings of every modality, on an axis of their own.

    Attributes:
        values: `[batch, modality, dim]` float32; what stands at an absent place has no meaning.
        present: `[batch, modality]` bool.
    """

    values: tf.Tensor
    present: tf.Tensor

    def replace_absent_values(self, value: float) -> "ModalityBatch":
        """The same batch with `value` at every absent place; no fusion's result may change."""
        return ModalityBatch(tf.where(self.present[..., None], self.values, value), self.present)


class ModalityDropout(tf.keras.layers.Layer):
    """Hides each present modality with a probability, in training only.

    Items without a medium then look like items that were seen in training (Neverova et al.,
    ModDrop, 2014), and no modality can be relied on alone.
    """

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._rate, self._seed = rate, seed

    def call(self, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`present`, `[batch, modality]` bool, with some places turned to False."""
        if not training or self._rate == 0:
            return present
        drawn = tf.random.uniform(tf.shape(present), seed=self._seed)
        return present & (drawn >= self._rate)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"rate": self._rate, "seed": self._seed}
