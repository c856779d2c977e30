"""The item (candidate) tower, shared by the corpus and by the histories of users."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrs_mm.fusion import COMPLETIONS, FUSIONS, ImputedMissing, ModalityBatch, ModalityDropout
from tfrs_mm.towers.tabular import CategoryEmbedding, IdEmbedding

ITEM = "item"
VALUES = "modality/values"
PRESENT = "modality/present"


class ItemTables:
    """What is known of every item, by row, ready to be gathered inside a training step.

    The tables are no weights: they are kept behind this plain object, so that neither checkpoints
    nor exports carry them.
    """

    def __init__(
        self,
        values: np.ndarray,
        present: np.ndarray,
        categories: Mapping[str, np.ndarray],
        warm: np.ndarray,
        ids: np.ndarray | None = None,
        unknown: np.ndarray | None = None,
    ) -> None:
        """Moves the tables to the device of the current strategy.

        Args:
            values: `[items + 1, modality, reduced_dim]` float32.
            present: `[items + 1, modality]` bool.
            categories: by column, `[items + 1, width]` int32.
            warm: `[items + 1]` bool, items with an interaction in training; the id of another is
                hidden, because its embedding was never trained.
            ids: `[items + 1]`, the row whose id each item shows instead of its own, 0 for none.
            unknown: `[items + 1]`, the row that an item shows which shows no id; None is 0.
        """
        rows = np.where(warm, np.arange(len(warm)), 0) if ids is None else ids
        if unknown is not None:
            rows = np.where(rows > 0, rows, unknown)
        arrays = {ITEM: rows.astype(np.int32), VALUES: values, PRESENT: present, **categories}
        self._tables = {
            name: tf.Variable(array, trainable=False, name=f"table/{name}")
            for name, array in arrays.items()
        }
        self.size = len(warm)

    def gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The item tower's inputs for `rows`, `[n]` integer."""
        return {name: tf.gather(table, rows) for name, table in self._tables.items()}


class ItemParts(NamedTuple):
    """What of each item a loss can align.

    Attributes:
        projected: `[n, modality, width]`, see `Fusion.project`; no meaning where absent.
        present: `[n, modality]` bool.
        behaviour: `[n, modality or 1, width]`, the id's vector as `Fusion.split` divides it.
        known: `[n]` bool, items whose id is trained.
    """

    projected: tf.Tensor
    present: tf.Tensor
    behaviour: tf.Tensor
    known: tf.Tensor


class ItemTower(tf.keras.layers.Layer):
    """Id, modalities and categories as one vector: their sum, and a small correction to it.

    Where the fusion is one of decisions there is no correction, which would mix the modalities'
    parts: up to its length the vector is the sum, and a score the sum of their scores.
    """

    def __init__(
        self,
        num_rows: int,
        dim: int,
        fusion: str,
        modality_dropout: float,
        id_dropout: float,
        categories: Mapping[str, int],
        normalize: bool,
        seed: int,
        dropout: float = 0.0,
        content_scale: float = 1.0,
        fusion_options: Mapping[str, int] | None = None,
        missing: str = "none",
        oov_rows: int = 0,
        **kwargs: object,
    ) -> None:
        """Builds the tower.

        Args:
            num_rows: items and the unknown row.
            dim: of the vector.
            fusion: a name of `FUSIONS`.
            modality_dropout: share of modalities hidden in training.
            id_dropout: share of ids hidden in training.
            categories: vocabulary size of each category column.
            normalize: whether vectors have length 1.
            seed: of the hiding.
            dropout: inside the correction.
            content_scale: what modalities are multiplied by before they are fused.
            fusion_options: what the fusion takes besides `dim`, such as `heads`.
            missing: a name of `COMPLETIONS`, or `none`.
            oov_rows: rows for unknown ids, from `num_rows` on; with 0 that is row 0.
            **kwargs: Keras's own.
        """
        super().__init__(**kwargs)
        self._settings = {
            "num_rows": num_rows, "dim": dim, "fusion": fusion,
            "modality_dropout": modality_dropout, "id_dropout": id_dropout,
            "categories": dict(categories), "normalize": normalize, "seed": seed,
            "dropout": dropout, "content_scale": content_scale,
            "fusion_options": dict(fusion_options or {}), "missing": missing, "oov_rows": oov_rows,
        }  # fmt: skip
        self._normalize, self._content_scale = normalize, content_scale
        self._num_rows = num_rows
        self._id = IdEmbedding(num_rows, dim, id_dropout, seed, oov_rows)
        self._modality_dropout = ModalityDropout(modality_dropout, seed + 1)
        self._fusion = FUSIONS[fusion](dim, **self._settings["fusion_options"])
        stands = missing == "none" or (missing == "learned" and self._fusion.learns_missing)
        self._complete = None if stands else COMPLETIONS[missing]()
        self._categories = {name: CategoryEmbedding(size, dim) for name, size in categories.items()}
        self._norm = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self._widen = tf.keras.layers.Dense(2 * dim, activation="gelu")
        self._dropout = tf.keras.layers.Dropout(dropout)
        self._narrow = tf.keras.layers.Dense(dim, kernel_initializer="zeros")

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Item vectors.

        Args:
            inputs: `item` `[batch]` int32 (0 and `num_rows` on for an id that says nothing),
                `modality/values`
                `[batch, modality, reduced_dim]`, `modality/present` `[batch, modality]` bool, and
                each category column `[batch, width]` int32.
            training: whether ids and modalities are hidden at random.

        Returns:
            `[batch, dim]`, of length 1 if `normalize`.
        """
        vector = self._id(inputs[ITEM], training=training)
        if inputs[VALUES].shape[1]:
            present = self._modality_dropout(inputs[PRESENT], training=training)
            batch = ModalityBatch(inputs[VALUES], present)
            if self._complete is not None:
                batch = self._complete(batch)
            scaled = batch._replace(values=batch.values * self._content_scale)
            vector += self._fusion(scaled, behaviour=vector)
        for name, embed in self._categories.items():
            vector += embed(inputs[name])
        if not self._fusion.decision_level:
            widened = self._widen(self._norm(vector))
            vector += self._narrow(self._dropout(widened, training=training))
        return tf.math.l2_normalize(vector, axis=-1) if self._normalize else vector

    def adapt(self, values: np.ndarray, present: np.ndarray, ridge: float) -> None:
        """Fits what imputes missing modalities, if anything does; see `ImputedMissing.fit`."""
        if isinstance(self._complete, ImputedMissing):
            self._complete.fit(values, present, ridge)

    def parts(self, inputs: Mapping[str, tf.Tensor]) -> ItemParts:
        """Each modality and the id on their own, nothing hidden; inputs as for a call."""
        batch = ModalityBatch(inputs[VALUES] * self._content_scale, inputs[PRESENT])
        ids = self._fusion.split(self._id(inputs[ITEM]))
        known = (inputs[ITEM] > 0) & (inputs[ITEM] < self._num_rows)
        return ItemParts(self._fusion.project(batch), batch.present, ids, known)

    def split(self, vectors: tf.Tensor) -> tf.Tensor:
        """The part of each vector, `[..., dim]`, that meets a modality; see `Fusion.split`."""
        return self._fusion.split(vectors)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
