import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.index import TopKRows
from tfrs_mm.policy import DIVERSIFIERS
from tfrs_mm.policy.diversify import dpp, mmr


def make_lists(seed=0, size=7):
    """Three lists, best first: a full one, one with two empty places, an empty one."""
    generator = np.random.default_rng(seed)
    rows = generator.permuted(np.tile(np.arange(1, size + 1), (3, 1)), axis=1).astype(np.int32)
    scores = -np.sort(-generator.normal(size=(3, size)), axis=1).astype(np.float32)
    rows[1, -2:], scores[1, -2:] = 0, -np.inf
    rows[2], scores[2] = 0, -np.inf
    vectors = generator.normal(size=(3, size, 3)).astype(np.float32)
    return TopKRows(rows, scores), vectors


def relevance_of(scores):
    return (scores - scores.min()) / (scores.max() - scores.min())


def slow_mmr(scores, similarity, diversity, k):
    """By its definition, over the places of one full list."""
    relevance, picked = relevance_of(scores), []
    while len(picked) < min(k, len(scores)):
        gains = {
            i: (1 - diversity) * relevance[i]
            - diversity * max((similarity[i, j] for j in picked), default=0.0)
            for i in range(len(scores))
            if i not in picked
        }
        picked.append(max(gains, key=gains.get))
    return picked


def slow_dpp(scores, similarity, diversity, k):
    """By determinants, over the places of one full list."""
    relevance, picked = relevance_of(scores), []
    while len(picked) < min(k, len(scores)):
        gains = {}
        for i in set(range(len(scores))) - set(picked):
            chosen = [*picked, i]
            volume = max(np.linalg.det(similarity[np.ix_(chosen, chosen)]), 1e-300)
            gains[i] = (1 - diversity) * relevance[chosen].sum() + diversity * np.log(volume)
        picked.append(max(gains, key=gains.get))
    return picked


@pytest.mark.parametrize("name, oracle", [("mmr", slow_mmr), ("dpp", slow_dpp)])
@pytest.mark.parametrize("diversity", [0.2, 0.6, 1.0])
def test_picks_are_those_of_the_definition(name, oracle, diversity):
    ranked, vectors = make_lists()
    # Three vectors span all that three numbers can: more picks have no volume to compare.
    found = DIVERSIFIERS[name](ranked, vectors, diversity, k=3)
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    for place, filled in ((0, 7), (1, 5)):
        cosines = (unit[place] @ unit[place].T)[:filled, :filled].astype(np.float64)
        np.fill_diagonal(cosines, 1.0)  # exactly, so that first picks without relevance are equal
        wanted = oracle(ranked.scores[place, :filled], cosines, diversity, 3)
        assert found.rows[place].numpy().tolist() == ranked.rows[place][wanted].tolist()
        assert found.scores[place].numpy().tolist() == ranked.scores[place][wanted].tolist()


@pytest.mark.parametrize("name, oracle", [("mmr", slow_mmr), ("dpp", slow_dpp)])
def test_lists_of_one_batch_are_picked_by_their_own_weights(name, oracle):
    ranked, vectors = make_lists()
    ranked, vectors = TopKRows(*(part[[0] * 5] for part in ranked)), vectors[[0] * 5]
    weights = [0.6, 0.0, 1.0, 0.2, 0.0]
    found = tf.function(DIVERSIFIERS[name])(ranked, vectors, tf.constant(weights), k=3)
    unit = vectors[0] / np.linalg.norm(vectors[0], axis=-1, keepdims=True)
    cosines = (unit @ unit.T).astype(np.float64)
    np.fill_diagonal(cosines, 1.0)
    for place, weight in enumerate(weights):
        wanted = oracle(ranked.scores[place], cosines, weight, 3)
        assert found.rows[place].numpy().tolist() == ranked.rows[place][wanted].tolist()
    assert len({tuple(rows) for rows in found.rows.numpy().tolist()}) > 1


@pytest.mark.parametrize("name", sorted(DIVERSIFIERS))
def test_without_diversity_the_list_stays_as_it_is(name):
    ranked, vectors = make_lists()
    # Equal scores, and ones that are equal once they are brought between 0 and 1.
    ranked.scores[0, 2:5] = ranked.scores[0, 2]
    ranked.scores[1, :5] = [3e8, 1e-9, 5e-10, 0.0, -3e8]
    vectors[0, 1] = vectors[0, 0]
    for k in (4, 7):
        found = DIVERSIFIERS[name](ranked, vectors, 0.0, k)
        np.testing.assert_array_equal(found.rows, ranked.rows[:, :k])
        np.testing.assert_array_equal(found.scores, ranked.scores[:, :k])


@pytest.mark.parametrize("name", sorted(DIVERSIFIERS))
def test_every_filled_place_is_picked_once_and_an_empty_one_never(name):
    ranked, vectors = make_lists()
    vectors[0, 3] = vectors[0, 0]  # a copy, and a candidate without a vector
    vectors[0, 4] = 0.0
    for diversity in (0.5, 1.0):
        found = DIVERSIFIERS[name](ranked, vectors, diversity, 7)
        assert sorted(found.rows[0].numpy()) == [1, 2, 3, 4, 5, 6, 7]
        assert sorted(found.rows[1].numpy()) == sorted(ranked.rows[1])
        assert found.rows[1, 5:].numpy().tolist() == [0, 0]
        assert np.isneginf(found.scores[1, 5:]).all()
        assert not found.rows[2].numpy().any()


@pytest.mark.parametrize("name", sorted(DIVERSIFIERS))
def test_a_copy_of_the_first_comes_after_all_that_differs(name):
    ranked = TopKRows(np.array([[1, 2, 3]], np.int32), np.array([[3.0, 2.9, 1.0]], np.float32))
    vectors = np.array([[[1, 0], [1, 0], [0, 1]]], np.float32)
    # relevance 1, 0.95, 0; at one half: 2 has 0.475 - 0.5 for mmr, 3 has 0 - 0
    found = DIVERSIFIERS[name](ranked, vectors, 0.5, 2)
    assert found.rows.numpy().tolist() == [[1, 3]]


def test_all_picks_together_count_for_dpp_and_the_nearest_for_mmr():
    ranked = TopKRows(np.array([[1, 2, 3, 4]], np.int32), np.array([[4.0, 3, 2, 2]], np.float32))
    # 3 lies between 1 and 2, with cosine 0.7 to each: all of it is explained by both together. 4
    # has a cosine of 0.75 to 2, so its nearest is nearer, and 0.44 of its square is new.
    third = [0.7, 0.7, np.sqrt(1 - 0.98)]
    fourth = [0.0, 0.75, np.sqrt(1 - 0.5625)]
    vectors = np.array([[[1, 0, 0], [0, 1, 0], third, fourth]], np.float32)
    assert mmr(ranked, vectors, 0.5, 3).rows.numpy().tolist() == [[1, 2, 3]]
    assert dpp(ranked, vectors, 0.5, 3).rows.numpy().tolist() == [[1, 2, 4]]


@pytest.mark.parametrize("name", sorted(DIVERSIFIERS))
def test_each_list_may_have_its_own_weight_and_xla_compiles_it(name):
    ranked, vectors = make_lists()
    lists = TopKRows(*(np.repeat(part[:1], 2, axis=0) for part in ranked))
    vectors = np.repeat(vectors[:1], 2, axis=0)
    compiled = tf.function(DIVERSIFIERS[name], jit_compile=True)
    found = compiled(lists, vectors, tf.constant([0.0, 0.7]), 3)
    for place, weight in enumerate((0.0, 0.7)):
        alone = DIVERSIFIERS[name](lists, vectors, weight, 3)
        np.testing.assert_array_equal(found.rows[place], alone.rows[place])


def test_more_picks_than_candidates_are_refused():
    ranked, vectors = make_lists()
    with pytest.raises(ValueError, match="`k` must be from 1 to the 7 candidates of a list"):
        mmr(ranked, vectors, 0.5, 8)
