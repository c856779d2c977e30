import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.config import RankingConfig
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage, diversifier_of
from tfrs_mm.ranking.calibration import Platt


class LastVector(tf.Module):
    """A query model whose query is the vector of the first item of the history."""

    def __init__(self, vectors):
        super().__init__()
        self.item_vectors = tf.Variable(vectors)

    def __call__(self, history, contexts):
        return tf.gather(self.item_vectors, history[:, 0])


def by_row(inputs, training):
    """A ranker that likes later rows better."""
    return tf.cast(inputs["candidates"], tf.float32)


def make_model(calibration=None, **settings):
    # Rows 5 and 4 are the same to the eye, 3 is something else.
    vectors = np.array([[0, 0], [1, 1], [1, 0.5], [0, 1], [1, 0], [1, 0]], np.float32)
    query_model = LastVector(vectors)
    diversifier = diversifier_of(RankingConfig(candidates=4, **settings))
    index = ExactIndex(query_model.item_vectors)
    return TwoStage(query_model, index, by_row, 4, (), diversifier, calibration)


def recommend(model, k=2):
    return model.recommend(
        tf.constant([[1, 0]]), tf.constant([[1]]), tf.constant([0]), k
    ).rows.numpy().tolist()  # fmt: skip


def test_an_answer_is_varied_only_where_it_is_asked_for():
    assert recommend(make_model()) == [[5, 4]]
    # relevance of 5 to 2: 1, 2/3, 1/3, 0; at one half 4 has 1/3 - 1/2, 3 has 1/6 - 0
    assert recommend(make_model(diversity=0.5)) == [[5, 3]]
    assert recommend(make_model(diversity=0.5, diversifier="dpp")) == [[5, 3]]


@pytest.mark.parametrize("diversifier", ["mmr", "dpp"])
def test_each_request_may_say_how_varied_its_answer_is(diversifier):
    history, excluded = tf.constant([[1, 0]] * 3), tf.constant([[1]] * 3)
    asked = tf.constant([0.0, 0.5, 0.0])
    for own in (0.0, 0.5):  # of the model, which counts where a request says nothing
        model = make_model(diversity=own, diversifier=diversifier)
        found = model.recommend(history, excluded, tf.zeros([3], tf.int32), 2, diversity=asked)
        assert found.rows.numpy().tolist() == [[5, 4], [5, 3], [5, 4]]
        plain = make_model().recommend(history, excluded, tf.zeros([3], tf.int32), 2)
        np.testing.assert_array_equal(found.scores[::2], plain.scores[::2])


def test_another_index_is_searched_for_the_same_answer():
    model = make_model(Platt(np.array(0.0), np.array(0.0)), diversity=0.5)
    model = model.with_index(ExactIndex(model.query_model.item_vectors))
    found = model.recommend(tf.constant([[1, 0]]), tf.constant([[1]]), tf.constant([0]), 2)
    assert found.rows.numpy().tolist() == [[5, 3]]
    assert found.scores.numpy().tolist() == [[0.5, 0.5]]


def test_more_than_there_are_candidates_leaves_empty_places():
    assert recommend(make_model(diversity=0.5), k=6)[0][4:] == [0, 0]


def test_a_calibration_changes_the_scores_and_neither_order_nor_empty_places():
    model = make_model(Platt(np.array(1.0), np.array(-4.0)))
    found = model.recommend(tf.constant([[1, 0]]), tf.constant([[1]]), tf.constant([0]), 5)
    assert found.rows.numpy().tolist() == [[5, 4, 3, 2, 0]]
    # the scores are 5, 4, 3 and 2, the log-odds 1, 0, -1 and -2
    wanted = [0.7311, 0.5, 0.2689, 0.1192, -np.inf]
    np.testing.assert_allclose(found.scores[0], wanted, atol=1e-4)
