"""A toy recommender in two versions, saved once and served once for all tests of this folder.

The catalogue is ü1, b, c, d with scores 4, 3, 2, 1 (times ten in version 2). `recommend` gives the
three best that are neither in the history nor excluded; empty places hold "" and the smallest
float. `recommend_diversified` takes the diversity off the scores.
"""

import pathlib

import pytest
import tensorflow as tf

from serving.server import Server

STRING_COLUMN = tf.TensorSpec([None], tf.string)
STRING_TABLE = tf.TensorSpec([None, None], tf.string)


def _named(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, spec.dtype, name=name)


class ToyRecommender(tf.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._items = tf.constant(["ü1", "b", "c", "d"])
        self._scores = tf.Variable([4.0 * factor, 3.0 * factor, 2.0 * factor, 1.0 * factor])

    def _best(self, blocked: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.where(blocked, tf.float32.min, self._scores[tf.newaxis, :])
        scores, rows = tf.math.top_k(scores, k=3)
        ids = tf.where(scores > tf.float32.min, tf.gather(self._items, rows), "")
        return {"item_ids": ids, "scores": scores}

    @tf.function(
        input_signature=[
            _named(STRING_COLUMN, "user_id"),
            _named(STRING_TABLE, "history_item_ids"),
            _named(STRING_TABLE, "exclude_item_ids"),
        ]
    )
    def recommend(self, user_id, history_item_ids, exclude_item_ids):
        batch = tf.shape(user_id)[0]
        check = tf.debugging.assert_equal(
            tf.shape(history_item_ids)[0], batch, "history must have one row a user"
        )
        # Otherwise tf.concat may fail first, with words of its own.
        with tf.control_dependencies([check]):
            unwanted = tf.concat([history_item_ids, exclude_item_ids], axis=1)
        same = self._items[tf.newaxis, :, tf.newaxis] == unwanted[:, tf.newaxis, :]
        return self._best(tf.reduce_any(same, axis=-1))

    @tf.function(
        input_signature=[
            _named(STRING_COLUMN, "user_id"),
            _named(STRING_TABLE, "history_item_ids"),
            _named(STRING_TABLE, "exclude_item_ids"),
            _named(tf.TensorSpec([None], tf.float32), "diversity"),
        ]
    )
    def recommend_diversified(self, user_id, history_item_ids, exclude_item_ids, diversity):
        answer = self.recommend(user_id, history_item_ids, exclude_item_ids)
        return answer | {"scores": answer["scores"] - diversity[:, tf.newaxis]}

    @tf.function(input_signature=[_named(STRING_COLUMN, "item_id")])
    def similar_items(self, item_id):
        return self._best(self._items[tf.newaxis, :] == item_id[:, tf.newaxis])

    @tf.function(input_signature=[_named(STRING_COLUMN, "data")])
    def reverse(self, data):
        return {"reversed_bytes": tf.strings.join([data, b"\xff"])}

    @tf.function(input_signature=[_named(tf.TensorSpec([None, 2], tf.float32), "x")])
    def half(self, x):
        return {"y": x / 2.0}

    @tf.function(
        input_signature=[
            _named(tf.TensorSpec([None], tf.int32), "whole"),
            _named(tf.TensorSpec([None], tf.bool), "flag"),
            _named(tf.TensorSpec([], tf.float32), "scale"),
        ]
    )
    def mixed(self, whole, flag, scale):
        return {
            "whole": whole,
            "flag": tf.logical_not(flag),
            "scaled": tf.cast(whole, tf.float32) * scale,
            "scale": scale,
        }


@pytest.fixture(scope="session")
def toy_model_dir(tmp_path_factory) -> pathlib.Path:
    model_dir = tmp_path_factory.mktemp("toy")
    for version, factor in ((1, 1.0), (2, 10.0)):
        toy = ToyRecommender(factor)
        signatures = {
            "serving_default": toy.recommend,
            "recommend": toy.recommend,
            "recommend_diversified": toy.recommend_diversified,
            "retrieve": toy.recommend,
            "similar_items": toy.similar_items,
            "reverse": toy.reverse,
            "half": toy.half,
            "mixed": toy.mixed,
        }
        tf.saved_model.save(toy, str(model_dir / str(version)), signatures=signatures)
    return model_dir


@pytest.fixture(scope="session")
def toy_server(toy_model_dir):
    with Server(toy_model_dir, "toy", max_request_bytes=50_000, request_timeout_s=2.0) as server:
        yield server
