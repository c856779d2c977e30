import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.data.item_neighbours import ItemNeighbours
from tfrs_mm.data.transitions import candidates_from_history, transition_scores
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import (
    ListSource,
    Request,
    TowerSource,
    TransitionSource,
    would_return,
)
from tfrs_mm.policy.candidates import gather_candidates
from tfrs_mm.ranking import ItemToItem, TransitionTables

ITEMS, DIM, TOP, HALF_LIFE = 12, 4, 3, 3.0
HISTORY = np.array([[1, 2, 3], [5, 0, 0], [0, 0, 0]], np.int32)
EXCLUDED = np.array([[1, 2, 3, 4], [5, 0, 0, 0], [0, 0, 0, 0]], np.int32)
SIZE = 4


def make_neighbours() -> ItemNeighbours:
    """Row r leads to r + 1, r + 2 and r + 3, with random weights."""
    generator = np.random.default_rng(1)
    rows = np.arange(ITEMS + 1)[:, None] + np.arange(1, TOP + 1)
    neighbours = np.where((rows <= ITEMS) & (np.arange(ITEMS + 1)[:, None] > 0), rows, 0)
    weights = -np.sort(-generator.random((ITEMS + 1, TOP)), axis=1) * (neighbours > 0)
    support = weights.sum(axis=1) * 1.5
    return ItemNeighbours(
        neighbours.astype(np.int32), weights.astype(np.float32), support.astype(np.float32)
    )


def make_sources() -> dict[str, object]:
    vectors = np.random.default_rng(2).normal(size=(ITEMS + 1, DIM)).astype(np.float32)
    table = tf.Variable(vectors)
    n = make_neighbours()
    transitions = TransitionTables(
        {"covisited": ItemToItem(n.neighbours, n.weights, n.support)}, 8, 2.0
    )
    lists = np.array([[7, 4, 9, 2, 1, 0], [3, 4, 5, 6, 7, 8]], np.int32)
    return {
        "two_tower": TowerSource(ExactIndex(table), table, SIZE),
        "covisited": TransitionSource("covisited", transitions, SIZE),
        "popular": ListSource("popular", lists, SIZE),
    }


def source_of(name: str) -> object:
    """The towers are asked with one query of each user and with several."""
    return make_sources()["two_tower" if name == "interests" else name]


def request(name: str = "two_tower") -> Request:
    size = (len(HISTORY), 3, DIM) if name == "interests" else (len(HISTORY), DIM)
    query = np.random.default_rng(3).normal(size=size).astype(np.float32)
    return Request(
        tf.constant(query), tf.constant(HISTORY), tf.constant(EXCLUDED), tf.constant([0, 1, 1])
    )


@pytest.mark.parametrize("name", ["two_tower", "interests", "covisited", "popular"])
class TestEverySource:
    def test_nothing_excluded_comes_back_and_the_best_come_first(self, name):
        found = source_of(name).find(request(name))
        assert found.rows.shape == (3, SIZE)
        for rows, scores, excluded in zip(*map(np.asarray, found), EXCLUDED, strict=True):
            filled = rows[rows > 0]
            assert len(set(filled)) == len(filled) and not set(filled) & set(excluded)
            assert (np.diff(scores[rows > 0]) <= 0).all() and np.isneginf(scores[rows == 0]).all()

    def test_it_scores_what_it_found_as_it_did_there(self, name):
        source = source_of(name)
        found = source.find(request(name))
        scores = source.score(request(name), found.rows, tf.zeros(found.rows.shape)).numpy()
        filled = found.rows.numpy() > 0
        np.testing.assert_allclose(scores[filled], found.scores.numpy()[filled], rtol=1e-5)

    def test_it_would_return_a_row_exactly_if_it_does_once_that_is_allowed(self, name):
        source = source_of(name)
        for row in range(1, ITEMS + 1):
            asked = tf.fill([3, 1], row)
            without = tf.where(tf.constant(EXCLUDED) == row, 0, tf.constant(EXCLUDED))
            told = request(name)._replace(excluded=tf.concat([without, asked], axis=1))
            scores = source.score(told, asked, tf.zeros([3, 1]))
            claimed = would_return(source.find(told), scores).numpy()[:, 0]
            found = source.find(request(name)._replace(excluded=without)).rows.numpy()
            assert claimed.tolist() == (found == row).any(axis=1).tolist()

    def test_it_compiles_with_xla(self, name):
        source = source_of(name)
        rows = tf.function(lambda r: source.find(r).rows, jit_compile=True)(request(name))
        assert rows.numpy().tolist() == source.find(request(name)).rows.numpy().tolist()


def test_transitions_are_those_of_the_oracle():
    found = make_sources()["covisited"].find(request())
    expected = candidates_from_history(make_neighbours(), HISTORY, EXCLUDED, SIZE, HALF_LIFE)
    assert found.rows.numpy().tolist() == expected.tolist()
    scores = transition_scores(make_neighbours(), HISTORY, expected, HALF_LIFE)
    filled = expected > 0
    np.testing.assert_allclose(found.scores.numpy()[filled], scores[filled], rtol=1e-5)


def test_an_event_that_is_all_that_leads_somewhere_leads_there_no_more():
    # Row 5 leads to row 6 by one event of weight 1: without it by none.
    neighbours, weights = np.zeros((8, 1), np.int32), np.zeros((8, 1), np.float32)
    neighbours[5], weights[5] = 6, 1.0
    tables = TransitionTables({"next": ItemToItem(neighbours, weights, weights[:, 0] * 2)}, 8, 2.0)
    source = TransitionSource("next", tables, 2)
    asked = request()._replace(history=tf.constant([[5, 0, 0]] * 3))
    rows = tf.fill([3, 1], 6)
    assert source.score(asked, rows, tf.zeros([3, 1])).numpy().tolist() == [[0.5]] * 3
    assert np.isneginf(source.score(asked, rows, tf.ones([3, 1]))).all()


def test_lists_are_those_of_the_time_of_the_request():
    found = make_sources()["popular"].find(request()).rows.numpy()
    # Of the first bucket's list 4, 2 and 1 are excluded, and it ends; 5 of the second's.
    assert found.tolist() == [[7, 9, 0, 0], [3, 4, 6, 7], [3, 4, 5, 6]]


def test_candidates_come_once_with_all_their_origins_and_scores_of_the_towers():
    sources = make_sources()
    towers, *others = sources.values()
    candidates, by_source = gather_candidates(towers, others, request())
    for place in range(len(HISTORY)):
        rows, origins = candidates.rows.numpy()[place], candidates.origins.numpy()[place]
        expected: dict[int, int] = {}
        for bit, found in enumerate(by_source):
            for row in found.rows.numpy()[place]:
                if row:
                    expected[int(row)] = expected.get(int(row), 0) + 2**bit
        filled = rows > 0
        assert rows[filled].tolist() == list(expected)  # source by source
        assert origins[filled].tolist() == list(expected.values())
        scores = candidates.scores.numpy()[place]
        own = towers.score(request(), candidates.rows, tf.zeros(candidates.rows.shape))
        np.testing.assert_allclose(scores[filled], own.numpy()[place][filled], rtol=1e-5)
        assert np.isneginf(scores[~filled]).all()
