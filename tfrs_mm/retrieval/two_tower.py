"""The two-tower model: towers in, one loss out, over every place of a history at once."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrs_mm.config import Config
from tfrs_mm.losses import (
    any_of,
    correct_for_sampling,
    first_of_each,
    same_item,
    sampled_softmax,
)
from tfrs_mm.retrieval.negatives import AllItems, MixedNegatives, Negatives
from tfrs_mm.schema import Schema
from tfrs_mm.towers import (
    Alignment,
    ItemTables,
    ItemTower,
    UserTower,
    build_alignment,
    disagreement,
    last_place,
)

HISTORY = "history/item"
IS_TARGET = "is_target"


class TwoTowerModel(tfrs.Model):
    """A user tower and an item tower trained against each other by sampled softmax.

    A training step sees integer rows of static shape and no strings, so it compiles with XLA and
    runs on a TPU. Under a distribution strategy the negatives are gathered from all replicas.
    """

    def __init__(
        self,
        item_tower: ItemTower,
        user_tower: UserTower,
        tables: ItemTables,
        negatives: MixedNegatives | AllItems,
        temperature: float,
        log_q_correction: bool = True,
        remove_accidental_hits: bool = True,
        mask_history: bool = True,
        alignment: Alignment | None = None,
        agreement: float = 0.0,
    ) -> None:
        super().__init__()
        self.item_tower, self.user_tower = item_tower, user_tower
        self._tables, self._negatives = tables, negatives
        self._temperature = temperature
        self._log_q_correction = log_q_correction
        self._remove_accidental_hits = remove_accidental_hits
        self._mask_history = mask_history
        self.alignment, self._agreement = alignment, agreement

    def item_vectors(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[n]` integer rows to `[n, dim]`."""
        return self.item_tower(self._tables.gather(rows), training=training)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def encode_items(self, rows: tf.Tensor) -> tf.Tensor:
        """`item_vectors` outside training, compiled once for any number of rows."""
        return self.item_vectors(rows)

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The mean loss over the targets of a batch of windows.

        Args:
            inputs: `history/item` `[batch, time]` int32, right-padded with 0, and `is_target`
                `[batch, time]` bool: the items to be predicted from those before them.
            training: whether dropout and hiding are on.

        Returns:
            A scalar, already divided by the number of replicas, whose gradients are summed.
        """
        rows, is_target = inputs[HISTORY], inputs[IS_TARGET]
        batch, time = rows.shape
        flat_rows, flat_is_target = tf.reshape(rows, [-1]), tf.reshape(is_target, [-1])
        drawn = self._negatives.draw(flat_rows, flat_is_target)

        wanted = tf.concat([flat_rows, tf.maximum(drawn.rows, 0)], axis=0)
        vectors = self._vectors_of(wanted, training)
        dim = vectors.shape[-1]
        targets = tf.reshape(vectors[: batch * time], [batch, time, dim])
        negatives, negative_vectors = self._from_all_replicas(drawn, vectors[batch * time :])

        queries = self.user_tower(targets[:, :-1], training=training)
        positive = tf.reduce_sum(queries * targets, axis=-1) / self._temperature
        negative = tf.einsum("btd,nd->btn", queries, negative_vectors) / self._temperature
        if self._log_q_correction:
            positive = correct_for_sampling(positive, self._negatives.log_q(rows))
            negative = correct_for_sampling(negative, negatives.log_q)

        allowed = tf.broadcast_to(negatives.rows >= 0, tf.shape(negative))
        if self._remove_accidental_hits:
            hits = same_item(flat_rows, negatives.rows)
            allowed &= ~tf.reshape(hits, tf.shape(negative))
        if self._mask_history:
            allowed &= ~any_of(rows, negatives.rows)[:, None, :]

        size = tf.shape(negative)[-1]
        losses = sampled_softmax(
            tf.reshape(positive, [-1]),
            tf.reshape(negative, [-1, size]),
            tf.reshape(allowed, [-1, size]),
        )
        weights = tf.cast(flat_is_target, losses.dtype)
        mean = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))
        if self.alignment is not None:
            mean += self.aligned(drawn.rows)
        if self._agreement > 0:
            parts = self.item_tower.parts(self._tables.gather(flat_rows))
            decided = self.item_tower.split(tf.reshape(queries, [-1, dim]))
            mean += self._agreement * disagreement(decided, parts, flat_is_target)
        return mean / tf.distribute.get_strategy().num_replicas_in_sync

    def aligned(self, rows: tf.Tensor) -> tf.Tensor:
        """The loss of alignment over the distinct items among `rows`, `[n]` integer."""
        parts = self.item_tower.parts(self._tables.gather(tf.maximum(rows, 0)))
        return self.alignment(parts, first_of_each(rows))

    def _vectors_of(self, rows: tf.Tensor, training: bool) -> tf.Tensor:
        """Vectors of `rows`; a corpus smaller than the batch is computed once and gathered from."""
        if self._tables.size <= rows.shape[0]:
            return tf.gather(self.item_vectors(tf.range(self._tables.size), training), rows)
        return self.item_vectors(rows, training)

    def _from_all_replicas(
        self, drawn: Negatives, vectors: tf.Tensor
    ) -> tuple[Negatives, tf.Tensor]:
        """Every replica's negatives, so that more replicas mean more negatives, not just more
        batches.

        The expected counts of all items grow by the same factor, which a softmax does not see.
        """
        context = tf.distribute.get_replica_context()
        alone = context is None or context.num_replicas_in_sync == 1
        # All items are the same ones on every replica.
        if alone or isinstance(self._negatives, AllItems):
            return drawn, vectors
        gathered = Negatives(*(context.all_gather(part, axis=0) for part in drawn))
        return gathered, context.all_gather(vectors, axis=0)


class QueryModel(tf.Module):
    """Histories of item rows to query vectors, over a fixed table of item vectors."""

    def __init__(self, user_tower: UserTower, item_vectors: tf.Tensor | np.ndarray) -> None:
        super().__init__()
        self._user_tower = user_tower
        self.item_vectors = tf.Variable(item_vectors, trainable=False, name="item_vectors")

    def __call__(self, history: tf.Tensor) -> tf.Tensor:
        """Query vectors after the whole of each history.

        Args:
            history: `[batch, max_history]` int32, oldest first, right-padded with 0.

        Returns:
            `[batch, dim]`.
        """
        lengths = tf.reduce_sum(tf.cast(history > 0, tf.int32), axis=1)
        queries = self._user_tower(tf.gather(self.item_vectors, history), training=False)
        return last_place(queries, lengths)

    def every_place(self, history: tf.Tensor) -> tf.Tensor:
        """`[batch, time]` rows to `[batch, time + 1, dim]`: queries before and after each item."""
        return self._user_tower(tf.gather(self.item_vectors, history), training=False)


def build_two_tower(
    config: Config, schema: Schema, tables: ItemTables, target_counts: np.ndarray
) -> TwoTowerModel:
    """The one place that makes a two-tower model out of a configuration; its weights are built.

    Args:
        config: the whole tree.
        schema: of the data folder.
        tables: what is known of every item.
        target_counts: `[items + 1]`, how often each row is a target in training.
    """
    settings, seed = config.retrieval, config.training.seed
    normalize = settings.similarity == "cosine"
    item_tower = ItemTower(
        num_rows=schema.num_items + 1,
        dim=settings.dim,
        fusion=config.fusion.kind,
        modality_dropout=config.fusion.modality_dropout,
        id_dropout=config.fusion.id_dropout,
        categories={feature.name: feature.size for feature in schema.categories},
        normalize=normalize,
        seed=seed,
        dropout=settings.dropout,
        content_scale=config.fusion.content_scale,
        fusion_options={"heads": config.fusion.heads} if config.fusion.kind == "attention" else {},
        missing=config.fusion.missing,
        name="item_tower",
    )
    user_tower = UserTower(
        dim=settings.dim,
        layers=settings.layers,
        heads=settings.heads,
        max_history=schema.max_history,
        dropout=settings.dropout,
        normalize=normalize,
        name="user_tower",
    )
    model = TwoTowerModel(
        item_tower,
        user_tower,
        tables,
        _negatives(config, schema, target_counts),
        temperature=settings.temperature,
        log_q_correction=settings.log_q_correction,
        remove_accidental_hits=settings.remove_accidental_hits,
        mask_history=settings.mask_history,
        alignment=build_alignment(config.alignment, len(schema.modalities)),
        agreement=config.alignment.agreement,
    )
    vectors = model.item_vectors(tf.range(2))
    user_tower(tf.zeros([1, schema.max_history, vectors.shape[-1]]))
    if model.alignment is not None:
        model.aligned(tf.range(2))
    return model


def _negatives(
    config: Config, schema: Schema, target_counts: np.ndarray
) -> MixedNegatives | AllItems:
    settings = config.retrieval
    if settings.negatives == "all":
        return AllItems(target_counts)
    places = (
        settings.batch_size
        // tf.distribute.get_strategy().num_replicas_in_sync
        * (schema.max_history + 1)
    )
    return MixedNegatives(
        target_counts,
        in_batch=min(settings.in_batch_negatives, places),
        uniform=settings.uniform_negatives,
        seed=config.training.seed,
    )
