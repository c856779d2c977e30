import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.data.item_neighbours import ItemNeighbours
from tfrs_mm.data.transitions import transition_scores
from tfrs_mm.ranking import ItemToItem, TransitionTables, transitions

NUM_ITEMS, TOP = 12, 5


def make_kind(seed: int) -> ItemNeighbours:
    generator = np.random.default_rng(seed)
    rows = np.zeros((NUM_ITEMS + 1, TOP), np.int32)
    weights = np.zeros((NUM_ITEMS + 1, TOP), np.float32)
    for row in range(1, NUM_ITEMS):  # the last item leads nowhere
        others = np.setdiff1d(np.arange(1, NUM_ITEMS + 1), [row])
        rows[row] = generator.choice(others, TOP, replace=False)
        weights[row] = -np.sort(-generator.random(TOP)) + 0.1
    return ItemNeighbours(rows, weights, weights.sum(1) + np.float32(0.5))


def features(kinds, history, candidates, own=None, window=4, half_life=2.0):
    parts = {
        str(place): ItemToItem(kind.neighbours, kind.weights, kind.support)
        for place, kind in enumerate(kinds)
    }
    tables = TransitionTables(parts, window, half_life)
    own = None if own is None else tf.constant(own)
    return tables.features(
        tf.constant(history, tf.int32), tf.constant(candidates, tf.int32), own
    ).numpy()


def as_shares(logarithms):
    """What was before `log(share + 1e-4) - log(1e-4)`."""
    return np.exp(logarithms + np.log(1e-4)) - 1e-4


def test_shares_are_those_of_the_statistics_for_the_newest_items():
    generator = np.random.default_rng(1)
    history = np.zeros((4, 10), np.int64)
    for query, length in enumerate((10, 8, 3, 0)):
        history[query, :length] = generator.permutation(NUM_ITEMS)[:length] + 1
    candidates = generator.integers(0, NUM_ITEMS + 1, (4, 6))
    kinds = [make_kind(2), make_kind(3)]
    found = as_shares(features(kinds, history, candidates))
    assert found.shape == (4, 6, 4)
    newest = history.copy()
    newest[0] = 0
    newest[0, :8] = history[0, 2:]  # of ten items the eight newest
    for place, kind in enumerate(kinds):
        wanted = transition_scores(kind, newest, candidates, half_life=3.0)
        np.testing.assert_allclose(found[..., 2 * place], wanted, atol=1e-5)


def test_the_last_item_alone_is_a_feature():
    kind = make_kind(2)
    found = as_shares(features([kind], [[3, 7, 0]], [[int(kind.neighbours[7, 1]), 12]]))
    np.testing.assert_allclose(found[0, 0, 1], kind.weights[7, 1] / kind.support[7], rtol=1e-4)


def test_what_the_positives_own_event_counted_is_taken_away():
    # Item 1 leads to item 2 with weight 3.5 of 7: 1 from another user right after it, 2.5 from
    # elsewhere. Item 4 leads to 2 with weight 2 of 4, all of it from this very event and others.
    rows = np.zeros((5, 1), np.int32)
    weights, support = np.zeros((5, 1), np.float32), np.zeros(5, np.float32)
    rows[1], weights[1], support[1] = 2, 3.5, 7.0
    rows[4], weights[4], support[4] = 2, 2.0, 4.0
    kind = ItemNeighbours(rows, weights, support)
    own = np.array([[1.0]], np.float32)
    # The newest item is 1 step before: its event counted 1. The one before it 2 steps: 2^(-1/2).
    found = as_shares(features([kind], [[4, 1]], [[2]], own))
    last = (3.5 - 1.0) / 7.0
    before = (2.0 - 2**-0.5) / 4.0
    np.testing.assert_allclose(found[0, 0], [last + before * 2 ** (-1 / 3), last], rtol=1e-4)
    # Beyond the window nothing was counted, so nothing is taken away.
    found = as_shares(features([kind], [[4, 1]], [[2]], own, window=1))
    np.testing.assert_allclose(found[0, 0, 0], last + 0.5 * 2 ** (-1 / 3), rtol=1e-4)


def test_a_pair_that_only_the_own_event_made_is_worth_nothing():
    rows, weights = np.zeros((3, 1), np.int32), np.zeros((3, 1), np.float32)
    rows[1], weights[1] = 2, 1.0
    kind = ItemNeighbours(rows, weights, np.array([0, 1, 0], np.float32))
    assert features([kind], [[1]], [[2]], np.array([[1.0]], np.float32)).max() == pytest.approx(0)
    assert features([kind], [[1]], [[2]]).max() > 9  # log(1 + 1e-4) - log(1e-4) = 9.21


def test_padding_leads_nowhere_and_is_led_to_by_nothing():
    found = features([make_kind(2)], [[0, 0, 0]], [[0, 3]])
    np.testing.assert_allclose(found, 0, atol=1e-5)
    assert features([make_kind(2)], [[5, 0, 0]], [[0]]).max() == pytest.approx(0, abs=1e-5)


def test_comparing_and_looking_up_give_the_same(monkeypatch):
    generator = np.random.default_rng(5)
    history, candidates = np.zeros((6, 9), np.int64), generator.integers(0, NUM_ITEMS + 1, (6, 7))
    for query, length in enumerate((9, 8, 5, 2, 1, 0)):
        history[query, :length] = generator.permutation(NUM_ITEMS)[:length] + 1
    kinds = [make_kind(2), make_kind(3)]
    looked_up = features(kinds, history, candidates)
    monkeypatch.setattr(transitions, "_WRITTEN_OUT", 0)
    np.testing.assert_allclose(features(kinds, history, candidates), looked_up, atol=1e-5)
    assert looked_up.any()


def test_a_linear_model_keeps_its_weights_whatever_the_own_event_and_can_be_replaced():
    kind = make_kind(2)
    linear = ItemToItem(kind.neighbours, kind.weights, None)
    tables = TransitionTables({"similar": linear}, window=4, half_life=2.0)
    history, candidates = tf.constant([[7]]), tf.constant([[int(kind.neighbours[7, 1]), 12]])
    for own in (None, tf.ones([1, 2])):
        _, last = tables.totals("similar", history, candidates, own)
        np.testing.assert_allclose(last, [[kind.weights[7, 1], 0.0]], rtol=1e-6)
    tables.put({"similar": ItemToItem(kind.neighbours, 2 * kind.weights, None)})
    _, last = tables.totals("similar", history, candidates)
    np.testing.assert_allclose(last, [[2 * kind.weights[7, 1], 0.0]], rtol=1e-6)
