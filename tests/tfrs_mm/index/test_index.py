import importlib.util
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.errors import UserError
from tfrs_mm.index import ExactIndex, search_interests
from tfrs_mm.index.scann import ScannIndex

spec = importlib.util.spec_from_file_location(
    "oracles", pathlib.Path(__file__).parents[2] / "oracles.py"
)
oracles = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oracles)

MAKERS = {
    "exact": ExactIndex,
    # so small a corpus is fetched whole, so the approximate index must be right as well
    "scann": lambda vectors: ScannIndex(vectors, fetch=60, reordering=60),
}


@pytest.fixture
def vectors():
    array = np.random.default_rng(0).normal(size=(61, 8)).astype(np.float32)
    array[0] = 0
    return array


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_it_finds_what_a_plain_loop_finds(name, vectors):
    index = MAKERS[name](vectors)
    queries = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    excluded = np.array([[0, 0], [4, 9], [60, 60]], np.int32)
    found = index.search(tf.constant(queries), tf.constant(excluded), k=5)
    for place in range(3):
        wanted = oracles.best_rows(vectors, queries[place], set(excluded[place].tolist()) - {0}, 5)
        assert found.rows[place].numpy().tolist() == wanted
        np.testing.assert_allclose(found.scores[place], vectors[wanted] @ queries[place], atol=1e-4)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_several_interests_find_what_scores_best_with_any_of_them(name, vectors):
    queries = np.random.default_rng(1).normal(size=(3, 4, 8)).astype(np.float32)
    excluded = np.array([[0, 0], [4, 9], [60, 60]], np.int32)
    found = search_interests(MAKERS[name](vectors), tf.constant(queries), excluded, k=12)
    for place in range(3):
        scores = (queries[place] @ vectors.T).max(axis=0)
        scores[[0, *excluded[place]]] = -np.inf
        wanted = np.argsort(-scores)[:12]
        assert found.rows[place].numpy().tolist() == wanted.tolist()
        np.testing.assert_allclose(found.scores[place], scores[wanted], atol=1e-4)


def test_equal_interests_fill_no_place_twice(vectors):
    queries = tf.tile(tf.constant(vectors[None, 5:6]), [1, 3, 1])
    found = search_interests(ExactIndex(vectors), queries, tf.zeros([1, 1], tf.int32), k=70)
    assert sorted(found.rows[0, :60].numpy().tolist()) == list(range(1, 61))
    assert found.rows[0, 60:].numpy().tolist() == [0] * 10
    assert np.isneginf(found.scores[0, 60:]).all()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_excluded_rows_never_come_back_and_what_is_missing_is_marked(name, vectors):
    index = MAKERS[name](vectors)
    excluded = tf.constant([list(range(1, 59))], tf.int32)  # all but rows 59 and 60
    found = index.search(tf.constant(vectors[5:6]), excluded, k=5)
    assert sorted(found.rows[0, :2].numpy().tolist()) == [59, 60]
    assert found.rows[0, 2:].numpy().tolist() == [0, 0, 0]
    assert np.isneginf(found.scores[0, 2:]).all()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_more_may_be_asked_for_than_there_are(name, vectors):
    found = MAKERS[name](vectors).search(
        tf.constant(vectors[1:2]), tf.zeros([1, 1], tf.int32), k=70
    )
    rows = found.rows[0].numpy()
    assert found.rows.shape == (1, 70)
    assert sorted(rows[rows > 0].tolist()) == list(range(1, 61))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_it_saves_and_reloads(name, vectors, tmp_path):
    class Served(tf.Module):
        def __init__(self):
            super().__init__()
            self.index = MAKERS[name](vectors)

        @tf.function(input_signature=[tf.TensorSpec([None, 8])])
        def search(self, queries):
            return self.index.search(queries, tf.zeros_like(queries[:, :1], tf.int32), k=7)

    served = Served()
    expected = served.search(tf.constant(vectors[1:4]))
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(served, str(tmp_path / "m"), options=options)
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    again = loaded.search(tf.constant(vectors[1:4]))
    assert again.rows.numpy().tolist() == expected.rows.numpy().tolist()


def test_scann_refuses_a_corpus_too_small_for_it(vectors):
    with pytest.raises(UserError, match="has 10 items and ScaNN needs 16"):
        ScannIndex(vectors[:11], fetch=5)
