"""The served model: ids in, ids out, both stages and every lookup inside one graph.

Signatures: `recommend` (also `serving_default`), `recommend_diversified`, `retrieve` and
`similar_items`; their tensors are spelt in `tfrs_mm.signatures`. Where the user tower reads times
or kinds of events, `recommend_events` and `retrieve_events` besides, which take those of a history
in the request; asked by the others, such a history has unknown ones. With the exact index only core
TensorFlow operations are used.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm import signatures
from tfrs_mm.index import TopKRows
from tfrs_mm.policy import TwoStage
from tfrs_mm.towers import KINDS, TIMES


class Recommender(tf.Module):
    """Looks up ids, keeps known users' histories, and answers with ids."""

    def __init__(
        self,
        model: TwoStage,
        item_ids: Sequence[str],
        user_ids: Sequence[str],
        histories: np.ndarray,
        seen: tuple[np.ndarray, np.ndarray],
        k: int,
        contexts: Mapping[str, np.ndarray] | None = None,
        kinds: Sequence[str] = ("",),
    ) -> None:
        """Collects what the graph needs.

        Args:
            model: both stages, with a ranker.
            item_ids: by row; row 0 is the empty place.
            user_ids: by row; row 0 is an unknown user.
            histories: `[users + 1, max_history]` int32, the newest items of each user, oldest
                first, right-padded with 0.
            seen: flat rows and `[users + 2]` row splits: every item each user ever had.
            k: length of the answers.
            contexts: `[users + 1, ...]` by name, what both stages are told of each user as of now,
                and of the events of the kept histories; None where they ask for nothing.
            kinds: of events by row; row 0 is an unknown one.
        """
        super().__init__()
        self._model, self._k = model, k
        self._tables = model.ranker.tables  # no weights of the ranker, but part of what is saved
        self._contexts = {
            name: tf.Variable(column, trainable=False, name=name)
            for name, column in sorted((contexts or {}).items())
        }
        self._item_ids = tf.Variable(_with_empty(item_ids), trainable=False, name="item_ids")
        self._item_rows = _lookup(item_ids)
        self._user_rows, self._kind_rows = _lookup(user_ids), _lookup(kinds)
        self._histories = tf.Variable(histories, trainable=False, name="histories")
        self._seen_rows = tf.Variable(seen[0].astype(np.int32), trainable=False, name="seen_rows")
        self._seen_splits = tf.Variable(
            seen[1].astype(np.int64), trainable=False, name="seen_splits"
        )
        inputs = signatures.INPUTS
        self.recommend = _served(self._recommend, inputs[signatures.RECOMMEND])
        self.recommend_diversified = _served(
            self._recommend_diversified, inputs[signatures.RECOMMEND_DIVERSIFIED]
        )
        self.retrieve = _served(self._retrieve, inputs[signatures.RETRIEVE])
        self.similar_items = _served(self._similar_items, inputs[signatures.SIMILAR_ITEMS])
        if TIMES in self._contexts or KINDS in self._contexts:
            self.recommend_events = _served(self._recommend, signatures.EVENT_INPUTS)
            self.retrieve_events = _served(self._retrieve, signatures.EVENT_INPUTS)

    def signatures(self) -> dict[str, object]:
        """As `tf.saved_model.save` takes them."""
        functions = {
            signatures.DEFAULT: self.recommend,
            signatures.RECOMMEND: self.recommend,
            signatures.RECOMMEND_DIVERSIFIED: self.recommend_diversified,
            signatures.RETRIEVE: self.retrieve,
            signatures.SIMILAR_ITEMS: self.similar_items,
        }
        of_events = [name for name in signatures.EVENT_SIGNATURES.values() if hasattr(self, name)]
        return functions | {name: getattr(self, name) for name in of_events}

    def _recommend(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        exclude_item_ids: tf.Tensor,
        history_times: tf.Tensor | None = None,
        history_kinds: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        query = self._query(
            user_id, history_item_ids, exclude_item_ids, history_times, history_kinds
        )
        return self._rank(query, None)

    def _recommend_diversified(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        exclude_item_ids: tf.Tensor,
        diversity: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        # A number that is none compares with nothing, and so is refused as well.
        legal = (diversity >= 0.0) & (diversity <= 1.0)
        refused = [
            tf.debugging.assert_equal(
                tf.shape(diversity)[0], tf.shape(user_id)[0],
                message=f"{signatures.DIVERSITY} must have one value for each {signatures.USER_ID}",
            ),
            tf.debugging.Assert(
                tf.reduce_all(legal),
                [
                    f"{signatures.DIVERSITY} must be from 0 to 1, received",
                    tf.boolean_mask(diversity, ~legal),
                ],
            ),
        ]  # fmt: skip
        with tf.control_dependencies(refused):
            diversity = tf.identity(diversity)
        query = self._query(user_id, history_item_ids, exclude_item_ids)
        return self._rank(query, diversity)

    def _rank(
        self,
        query: tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]],
        diversity: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        history, excluded, contexts = query
        buckets = tf.fill(tf.shape(history)[:1], self._tables.last_bucket)
        return self._answer(
            self._model.recommend(history, excluded, buckets, self._k, contexts, diversity)
        )

    def _retrieve(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        exclude_item_ids: tf.Tensor,
        history_times: tf.Tensor | None = None,
        history_kinds: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        history, excluded, contexts = self._query(
            user_id, history_item_ids, exclude_item_ids, history_times, history_kinds
        )
        return self._answer(self._model.retrieve(history, excluded, self._k, contexts))

    def _similar_items(self, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = self._item_rows.lookup(item_id)
        with tf.control_dependencies(
            [_refuse_unknown(signatures.ITEM_ID, item_id, rows, allow_empty=False)]
        ):
            return self._answer(self._model.similar(tf.identity(rows), self._k))

    def _query(
        self,
        user_id: tf.Tensor,
        history_ids: tf.Tensor,
        exclude_ids: tf.Tensor,
        times: tf.Tensor | None = None,
        kinds: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """History and exclusions in rows, and what is known of users and events.

        A history in the request takes the place of the one kept for the user; what the user is
        known to have had is excluded either way.
        """
        batch = tf.shape(user_id)[0]
        same = [
            tf.debugging.assert_equal(
                tf.shape(ids)[0], batch,
                message=f"{name} must have one row for each {signatures.USER_ID}",
            )
            for name, ids in (
                (signatures.HISTORY_ITEM_IDS, history_ids),
                (signatures.EXCLUDE_ITEM_IDS, exclude_ids),
            )
        ]  # fmt: skip
        # Nothing else may run first and fail with words of its own.
        with tf.control_dependencies(same):
            history_ids, exclude_ids = tf.identity(history_ids), tf.identity(exclude_ids)
        given = self._item_rows.lookup(history_ids)
        with tf.control_dependencies(
            [_refuse_unknown(signatures.HISTORY_ITEM_IDS, history_ids, given, allow_empty=True)]
        ):
            users = self._user_rows.lookup(user_id)
        length = self._histories.shape[1]
        packed = _newest(given, given > 0, length)
        has_history = tf.reduce_any(packed > 0, axis=1, keepdims=True)
        history = tf.where(has_history, packed, tf.gather(self._histories, users))

        seen = tf.RaggedTensor.from_row_splits(self._seen_rows, self._seen_splits, validate=False)
        seen_rows = tf.gather(seen, users).to_tensor()
        excluded = tf.concat(
            [history, given, self._item_rows.lookup(exclude_ids), seen_rows], axis=1
        )
        contexts = {name: tf.gather(rows, users) for name, rows in self._contexts.items()}
        told = self._told_of_events(history_ids, given > 0, times, kinds)
        for name in (TIMES, KINDS):
            if name in contexts:
                contexts[name] = tf.where(has_history, told[name], contexts[name])
        return history, excluded, contexts

    def _told_of_events(
        self,
        history_ids: tf.Tensor,
        filled: tf.Tensor,
        times: tf.Tensor | None,
        kinds: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        """Times and rows of kinds of the newest events of a request, unknown where it tells none.

        Args:
            history_ids: `[batch, n]`.
            filled: `[batch, n]` bool, which of them are no empty places.
            times: `[batch, n]`, or None.
            kinds: `[batch, n]`, or None.
        """
        length = self._histories.shape[1]
        if times is None or kinds is None:
            shape = [tf.shape(history_ids)[0], length]
            return {
                TIMES: tf.fill(shape, tf.constant(signatures.NO_TIME, tf.int64)),
                KINDS: tf.zeros(shape, tf.int32),
            }
        same = [
            tf.debugging.assert_equal(
                tf.shape(values), tf.shape(history_ids),
                message=f"{name} must have one value for each of {signatures.HISTORY_ITEM_IDS}",
            )
            for name, values in (
                (signatures.HISTORY_TIMES, times), (signatures.HISTORY_KINDS, kinds)
            )
        ]  # fmt: skip
        with tf.control_dependencies(same):
            times, kinds = tf.identity(times), tf.identity(kinds)
        rows = self._kind_rows.lookup(kinds)
        with tf.control_dependencies(
            [_refuse_unknown(signatures.HISTORY_KINDS, kinds, rows, allow_empty=True)]
        ):
            rows = tf.identity(rows)
        return {TIMES: _newest(times, filled, length), KINDS: _newest(rows, filled, length)}

    def _answer(self, found: TopKRows) -> dict[str, tf.Tensor]:
        scores = tf.where(found.rows > 0, found.scores, signatures.EMPTY_SCORE)
        return {
            signatures.ITEM_IDS: tf.gather(self._item_ids, found.rows),
            signatures.SCORES: scores,
        }


def _served(
    function: Callable[..., dict[str, tf.Tensor]], inputs: Sequence[signatures.TensorSpec]
) -> object:
    """The function with these inputs."""
    specs = [tf.TensorSpec(t.shape, tf.dtypes.as_dtype(t.dtype), t.name) for t in inputs]
    return tf.function(function, input_signature=specs)


def _newest(values: tf.Tensor, filled: tf.Tensor, length: int) -> tf.Tensor:
    """What stands at the last `length` filled places of each row, oldest first, right-padded
    with 0.

    Args:
        values: `[batch, n]`.
        filled: `[batch, n]` bool; an empty place may be anywhere.
        length: of the result.
    """
    ragged = tf.ragged.boolean_mask(values, filled)
    return ragged[:, -length:].to_tensor(shape=[None, length])


def _refuse_unknown(name: str, ids: tf.Tensor, rows: tf.Tensor, allow_empty: bool) -> tf.Operation:
    """Fails with the ids that the model does not know."""
    unknown = tf.equal(rows, 0)
    if allow_empty:
        unknown &= tf.not_equal(ids, signatures.EMPTY_ID)
    return tf.debugging.Assert(
        ~tf.reduce_any(unknown), [f"{name}: the model does not know", tf.boolean_mask(ids, unknown)]
    )


def _lookup(ids: Sequence[str]) -> tf.lookup.StaticHashTable:
    """Ids to rows; unknown ids, the empty one among them, to 0."""
    keys = tf.constant(list(ids[1:]) or ["\x00"], tf.string)
    rows = tf.range(1, len(ids), dtype=tf.int32) if len(ids) > 1 else tf.constant([0])
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, rows), 0)


def _with_empty(ids: Sequence[str]) -> list[str]:
    return [signatures.EMPTY_ID, *list(ids[1:])]
