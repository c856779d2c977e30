"""Five items with two modalities and a genre, two queries of two candidates, and their rankers."""

import numpy as np
import tensorflow as tf

from tfrs_mm.ranking import RankingModel, RankingTables


def make_tables(popularity=None):
    generator = np.random.default_rng(0)
    present = np.array([[0, 0], [1, 1], [1, 0], [1, 1], [0, 1], [1, 1]], bool)
    values = generator.normal(size=(6, 2, 3)).astype(np.float32) * present[..., None]
    vectors = generator.normal(size=(6, 4)).astype(np.float32)
    popularity = (
        generator.random((6, 4, 4)).astype(np.float32) if popularity is None else popularity
    )
    return RankingTables(
        vectors,
        values,
        present,
        popularity,
        {"genres": np.array([[0], [1], [2], [1], [3], [2]], np.int32)},
    )


def make_inputs():
    generator = np.random.default_rng(1)
    return {
        "query": tf.constant(generator.normal(size=(2, 4)), tf.float32),
        "history": tf.constant([[1, 2, 0], [3, 0, 0]], tf.int32),
        "bucket": tf.constant([2, 1], tf.int32),
        "candidates": tf.constant([[3, 4], [5, 0]], tf.int32),
        "retrieval_scores": tf.constant([[0.5, 0.2], [0.1, 0.0]], tf.float32),
    }


def with_context(inputs):
    """Two numbers of each user, and two favourite genres of the first."""
    return inputs | {
        "context": tf.constant([[1.0, 2.0], [3.0, 5.0]]),
        "favourites": tf.constant([[1, 2], [0, 0]]),
        "favourite_weights": tf.constant([[3.0, 1.0], [0.0, 0.0]]),
    }


def with_labels(inputs):
    """Of two tasks the first list has a positive of the second, the other one of both."""
    return inputs | {"labels": tf.constant([[False, True], [True, True]])}


def make_ranker(tables, adapted=True, **changes):
    settings = {
        "cross_layers": 2, "projection_dim": 4, "hidden": (8,), "dropout": 0.1, "category_dim": 3,
        "categories": {"genres": 4}, "temperature": 0.1,
    } | changes  # fmt: skip
    ranker = RankingModel(tables, **settings)
    if adapted:
        spec = settings.get("context")
        dense = ranker.features(make_inputs() | (spec.blank(2) if spec else {}))
        ranker.adapt(tf.reshape(dense, [-1, dense.shape[-1]]))
    spec = settings.get("context")
    ranker(make_inputs() | (spec.blank(2) if spec else {}))
    return ranker
