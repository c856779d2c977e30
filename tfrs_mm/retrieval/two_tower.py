"""The two-tower model: towers in, one loss out, over every place of a history at once."""

import functools
from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrs_mm.losses import (
    any_of,
    correct_for_sampling,
    first_of_each,
    gbce,
    same_item,
    sampled_softmax,
)
from tfrs_mm.retrieval.hard_negatives import HardNegatives, log_q_of_each_query
from tfrs_mm.retrieval.interests import deciding, scores_of_all, scores_of_pairs
from tfrs_mm.retrieval.sampler import NegativeSampler
from tfrs_mm.towers import (
    EVENTS,
    Alignment,
    ItemTables,
    ItemTower,
    UserTower,
    disagreement,
)

HISTORY = "history/item"
IS_TARGET = "is_target"
USER = "user"


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
        sampler: NegativeSampler,
        temperature: float,
        log_q_correction: bool = True,
        remove_accidental_hits: bool = True,
        mask_history: bool = True,
        lengths: Sequence[int] = (),
        alignment: Alignment | None = None,
        agreement: float = 0.0,
        gbce_calibration: float | None = None,
        hard_negatives: HardNegatives | None = None,
    ) -> None:
        """Joins the towers.

        Args:
            item_tower: of candidates and histories.
            user_tower: of queries.
            tables: what is known of every item.
            sampler: of what a positive competes with.
            temperature: that scores are divided by.
            log_q_correction: whether the loss takes into account that items are drawn unequally.
            remove_accidental_hits: whether the positive itself is no negative.
            mask_history: whether items of the user's own window are no negatives.
            lengths: ascending, that batches are cut to.
            alignment: added to the loss.
            agreement: weight of the penalty where modalities disagree.
            gbce_calibration: of the loss `gbce`; None is the sampled softmax.
            hard_negatives: of which each positive meets one; not with `gbce`.
        """
        super().__init__()
        self.item_tower, self.user_tower = item_tower, user_tower
        self._tables, self._sampler = tables, sampler
        self._temperature = temperature
        self._log_q_correction = log_q_correction
        self._remove_accidental_hits = remove_accidental_hits
        self._mask_history = mask_history
        self._lengths = tuple(lengths)
        self.alignment, self._agreement = alignment, agreement
        self._gbce_calibration, self.hard_negatives = gbce_calibration, hard_negatives

    @property
    def training_state(self) -> list[tf.Variable]:
        """What training remembers from step to step and needs to go on; no weights."""
        hard = [] if self.hard_negatives is None else self.hard_negatives.variables
        return self._sampler.variables + hard

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
                `[batch, time]` bool: the items to be predicted from those before them; besides
                what the user tower `reads`, of every place. Hard negatives of users need `user`,
                `[batch]` int32.
            training: whether dropout and hiding are on.

        Returns:
            A scalar, already divided by the number of replicas, whose gradients are summed.
        """
        rows, is_target = inputs[HISTORY], inputs[IS_TARGET]
        contexts = {name: inputs[name] for name in self.user_tower.reads}
        by_user = self.hard_negatives is not None and self.hard_negatives.by_user
        users = inputs[USER] if by_user else None
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        lengths = [length for length in self._lengths if length < rows.shape[1]]
        # Replicas wait for each other's negatives, so that all must go the same way.
        if not lengths or replicas > 1:
            return self._loss(rows, is_target, contexts, users, training) / replicas
        longest = tf.reduce_max(tf.math.count_nonzero(rows, axis=1, dtype=tf.int32))
        return tf.switch_case(
            tf.reduce_sum(tf.cast(longest > lengths, tf.int32)),
            [
                functools.partial(
                    self._loss,
                    rows[:, :end],
                    is_target[:, :end],
                    {name: column[:, :end] for name, column in contexts.items()},
                    users,
                    training,
                )
                for end in (*lengths, rows.shape[1])
            ],
        )

    def _loss(
        self,
        rows: tf.Tensor,
        is_target: tf.Tensor,
        contexts: Mapping[str, tf.Tensor],
        users: tf.Tensor | None,
        training: bool,
    ) -> tf.Tensor:
        batch, time = rows.shape
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        flat_rows, flat_is_target = tf.reshape(rows, [-1]), tf.reshape(is_target, [-1])
        drawn, places = self._sampler.draw(flat_rows, flat_is_target), batch * time
        asked = flat_rows
        if self.hard_negatives is not None:
            owners = rows if users is None else tf.broadcast_to(users[:, None], [batch, time])
            candidates = self.hard_negatives.of(tf.reshape(owners, [-1]))
            hard = self.hard_negatives.draw(candidates)
            asked = tf.concat([flat_rows, hard], axis=0)

        wanted = tf.maximum(tf.concat([asked, drawn], axis=0), 0)
        vectors = self._vectors_of(wanted, training)
        dim = vectors.shape[-1]
        targets = tf.reshape(vectors[:places], [batch, time, dim])
        negatives, log_q, mean_log_q = self._sampler.compete(
            drawn, vectors[asked.shape[0] :], asked, places, training
        )

        # A query knows its moment, and of events those before it.
        known = {
            name: column[:, :-1] if name in EVENTS else column for name, column in contexts.items()
        }
        queries = self.user_tower(targets[:, :-1], contexts=known, training=training)
        positive = scores_of_pairs(queries, targets) / self._temperature
        negative = scores_of_all(queries, negatives.vectors) / self._temperature
        allowed = self._may_compete(rows, negatives.rows)
        negative_log_q = negatives.log_q
        if self.hard_negatives is not None:
            hard_vectors = tf.reshape(vectors[places : 2 * places], [batch, time, dim])
            hard_logits = scores_of_pairs(queries, hard_vectors) / self._temperature
            negative = tf.concat([negative, hard_logits[..., None]], axis=-1)
            hard_allowed = self._hard_may_compete(rows, tf.reshape(hard, [batch, time]))
            allowed = tf.concat([allowed, hard_allowed[..., None]], axis=-1)
            negative_log_q = tf.reshape(
                log_q_of_each_query(
                    candidates, hard, negatives.rows, negatives.log_q, log_q[places:], replicas
                ),
                tf.shape(negative),
            )
        if self._log_q_correction and self._gbce_calibration is None:
            positive = correct_for_sampling(positive, tf.reshape(log_q[:places], [batch, time]))
            negative = correct_for_sampling(negative, negative_log_q)

        size = tf.shape(negative)[-1]
        logits = tf.reshape(positive, [-1]), tf.reshape(negative, [-1, size])
        allowed = tf.reshape(allowed, [-1, size])
        if self._gbce_calibration is None:
            losses = sampled_softmax(*logits, allowed)
        else:
            rate = replicas * tf.exp(log_q if self._log_q_correction else mean_log_q)
            losses = gbce(*logits, allowed, rate, self._gbce_calibration)
        weights = tf.cast(flat_is_target, losses.dtype)
        mean = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights))
        if self.alignment is not None:
            mean += self.aligned(drawn)
        if self._agreement > 0:
            parts = self.item_tower.parts(self._tables.gather(flat_rows))
            best = deciding(queries, targets)
            decided = self.item_tower.split(tf.reshape(best, [-1, dim]))
            mean += self._agreement * disagreement(decided, parts, flat_is_target)
        return mean

    def _may_compete(self, rows: tf.Tensor, negatives: tf.Tensor) -> tf.Tensor:
        """Which shared negatives, `[n]`, count at each place of `rows`: `[batch, time, n]` bool."""
        shape = [*rows.shape, tf.shape(negatives)[0]]
        allowed = tf.broadcast_to(negatives >= 0, shape)
        if self._remove_accidental_hits:
            allowed &= ~tf.reshape(same_item(tf.reshape(rows, [-1]), negatives), shape)
        if self._mask_history:
            allowed &= ~any_of(rows, negatives)[:, None, :]
        return allowed

    def _hard_may_compete(self, rows: tf.Tensor, hard: tf.Tensor) -> tf.Tensor:
        """The same of negatives that each place has for itself; all `[batch, time]`."""
        allowed = hard >= 0
        if self._remove_accidental_hits:
            allowed &= hard != rows
        if self._mask_history:
            own = tf.equal(hard[:, :, None], rows[:, None, :])
            allowed &= ~tf.reduce_any(own, axis=-1)
        return allowed

    def aligned(self, rows: tf.Tensor) -> tf.Tensor:
        """The loss of alignment over the distinct items among `rows`, `[n]` integer."""
        parts = self.item_tower.parts(self._tables.gather(tf.maximum(rows, 0)))
        return self.alignment(parts, first_of_each(rows))

    def _vectors_of(self, rows: tf.Tensor, training: bool) -> tf.Tensor:
        """Vectors of `rows`; a corpus smaller than the batch is computed once and gathered from."""
        if self._tables.size <= rows.shape[0]:
            return tf.gather(self.item_vectors(tf.range(self._tables.size), training), rows)
        return self.item_vectors(rows, training)
