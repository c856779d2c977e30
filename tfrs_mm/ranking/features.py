"""What the ranker reads of a query and a candidate; the same graph in training and in serving."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrs_mm.ranking.popularity import NUM_FEATURES
from tfrs_mm.ranking.transitions import ItemToItem, TransitionTables
from tfrs_mm.towers import best_interest

HALF_LIFE = 6.0  # items of a history after which a similarity counts half
_SIMILARITIES = 3


class RankingTables(tf.Module):
    """Everything known of every item that ranking gathers by row."""

    def __init__(
        self,
        item_vectors: np.ndarray,
        modality_vectors: np.ndarray,
        present: np.ndarray,
        popularity: np.ndarray,
        categories: Mapping[str, np.ndarray],
        transitions: TransitionTables | None = None,
        reads_vectors: bool = True,
    ) -> None:
        """Normalises and keeps the tables.

        Args:
            item_vectors: `[items + 1, dim]`, the item tower's.
            modality_vectors: `[items + 1, modality, reduced_dim]`, zeros where absent.
            present: `[items + 1, modality]` bool.
            popularity: `[items + 1, buckets + 1, 4]`.
            categories: by column, `[items + 1, width]` int32.
            transitions: item-to-item statistics; None where the data has none.
            reads_vectors: whether query, candidate and their product are features themselves.
        """
        super().__init__()
        self.item_vectors = _table(item_vectors, "item_vectors")
        self.modality_vectors = _table(_unit(modality_vectors), "modality_vectors")
        self.present = _table(present, "present")
        self.popularity = _table(popularity, "popularity")
        self.transitions, self.reads_vectors = transitions, reads_vectors
        self.categories = {
            name: _table(_without_empty_places(rows), name)
            for name, rows in sorted(categories.items())
        }

    def replace_linear(self, models: Mapping[str, ItemToItem]) -> None:
        """Puts other linear models of the same names and shapes in the place of those there are."""
        if models:
            self.transitions.put(models)

    @property
    def last_bucket(self) -> int:
        """The place of the popularity table that knows all of the training range."""
        return self.popularity.shape[1] - 1

    @property
    def num_features(self) -> int:
        """Numbers that `candidate_features` gives for one candidate."""
        similarities = _SIMILARITIES * (1 + self.modality_vectors.shape[1])
        vectors = 3 * self.item_vectors.shape[1] if self.reads_vectors else 0
        fixed = vectors + 2 + similarities + NUM_FEATURES
        transitions = self.transitions.num_features if self.transitions is not None else 0
        return fixed + len(self.categories) + transitions


def candidate_features(
    tables: RankingTables,
    queries: tf.Tensor,
    history: tf.Tensor,
    buckets: tf.Tensor,
    candidates: tf.Tensor,
    retrieval_scores: tf.Tensor,
    own_event: tf.Tensor | None = None,
    as_new: tf.Tensor | None = None,
) -> tf.Tensor:
    """The dense features of each candidate of each query.

    Args:
        tables: of the items.
        queries: `[batch, dim]`, the user tower's; of `[batch, interests, dim]` each candidate gets
            the one that it scores with.
        history: `[batch, time]` int32, oldest first, right-padded with 0.
        buckets: `[batch]` int32, up to the start of which popularity is known.
        candidates: `[batch, k]` int32.
        retrieval_scores: `[batch, k]`, the first stage's.
        own_event: `[batch, k]`, see `TransitionTables.features`; None outside training.
        as_new: `[batch, k]` bool, candidates to be shown without what only events can tell of
            them, their popularity and statistics, as if they were new; None for none.

    Returns:
        `[batch, k, tables.num_features]`: query, candidate, their product, score, history length,
        similarities of candidate and history by item vector and by each modality, popularity,
        what item-to-item statistics say, and the share of the history that has a category in
        common, for each column.
    """
    vectors = tf.gather(tables.item_vectors, candidates)
    repeated = best_interest(queries, vectors)
    known = history > 0
    length = tf.reduce_sum(tf.cast(known, tf.float32), axis=1)
    log_length = tf.broadcast_to(tf.math.log1p(length)[:, None, None], tf.shape(vectors[..., :1]))
    parts = [repeated, vectors, repeated * vectors] if tables.reads_vectors else []
    parts += [retrieval_scores[..., None], log_length]

    recency = _recency(known, length)
    by_vector = _unit_dot(vectors, tf.gather(tables.item_vectors, history))[..., None]
    parts.append(_similarities(by_vector, known[:, None, :, None], recency))
    if tables.modality_vectors.shape[1]:
        by_modality = tf.einsum(
            "bkmd,btmd->bktm",
            tf.gather(tables.modality_vectors, candidates),
            tf.gather(tables.modality_vectors, history),
        )
        both = (
            tf.gather(tables.present, candidates)[:, :, None, :]
            & (tf.gather(tables.present, history) & known[:, :, None])[:, None]
        )
        parts.append(_similarities(by_modality, both, recency))

    dynamics = tf.gather(tables.popularity, candidates)
    at = tf.broadcast_to(buckets[:, None], tf.shape(candidates))
    of_events = [tf.gather(dynamics, at, batch_dims=2)]
    if tables.transitions is not None:
        of_events.append(tables.transitions.features(history, candidates, own_event))
    for features in of_events:
        # Of an item without events all of them are 0.
        parts.append(features if as_new is None else tf.where(as_new[..., None], 0.0, features))
    for rows in tables.categories.values():
        parts.append(
            _common_share(tf.gather(rows, candidates), tf.gather(rows, history), known)[..., None]
        )
    return tf.concat(parts, axis=-1)


def _similarities(values: tf.Tensor, valid: tf.Tensor, recency: tf.Tensor) -> tf.Tensor:
    """Mean, recency-weighted mean and maximum over the history; 0 where nothing is comparable.

    Args:
        values: `[batch, k, time, kind]`.
        valid: the same shape or broadcast to it, bool.
        recency: `[batch, time]`.

    Returns:
        `[batch, k, 3 * kind]`.
    """
    weights = tf.cast(tf.broadcast_to(valid, tf.shape(values)), values.dtype)
    mean = tf.math.divide_no_nan(tf.reduce_sum(values * weights, 2), tf.reduce_sum(weights, 2))
    recent = weights * recency[:, None, :, None]
    decayed = tf.math.divide_no_nan(tf.reduce_sum(values * recent, 2), tf.reduce_sum(recent, 2))
    largest = tf.reduce_max(tf.where(weights > 0, values, -1.0), axis=2)
    largest = tf.where(tf.reduce_any(weights > 0, axis=2), largest, 0.0)
    return tf.concat([mean, decayed, largest], axis=-1)


def _recency(known: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """`[batch, time]`: one half for every `HALF_LIFE` items that came later."""
    later = length[:, None] - 1.0 - tf.range(tf.shape(known)[1], dtype=tf.float32)[None, :]
    return tf.where(known, 0.5 ** (tf.maximum(later, 0.0) / HALF_LIFE), 0.0)


def _common_share(candidate: tf.Tensor, history: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """The share of a history that has a category of the candidate.

    Args:
        candidate: `[batch, k, width]`.
        history: `[batch, time, width]`.
        known: `[batch, time]` bool.

    Returns:
        `[batch, k]`.
    """
    equal = tf.equal(candidate[:, :, None, :, None], history[:, None, :, None, :])
    equal &= (candidate > 0)[:, :, None, :, None]
    shared = tf.reduce_any(equal, axis=[3, 4]) & known[:, None, :]
    count = tf.reduce_sum(tf.cast(known, tf.float32), axis=1)[:, None]
    return tf.math.divide_no_nan(tf.reduce_sum(tf.cast(shared, tf.float32), axis=2), count)


def _unit_dot(candidates: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
    """Cosines, `[batch, k, time]`."""
    return tf.einsum(
        "bkd,btd->bkt", tf.math.l2_normalize(candidates, -1), tf.math.l2_normalize(history, -1)
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _without_empty_places(rows: np.ndarray) -> np.ndarray:
    """`[items + 1, width]` cut to the longest line; lines are filled from the left."""
    return rows[:, : max(int(np.count_nonzero(rows, axis=1).max(initial=0)), 1)]


def _table(array: np.ndarray, name: str) -> tf.Variable:
    dtype = tf.float32 if np.issubdtype(array.dtype, np.floating) else None
    return tf.Variable(tf.convert_to_tensor(array, dtype=dtype), trainable=False, name=name)
