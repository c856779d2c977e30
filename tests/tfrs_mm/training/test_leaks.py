"""Nothing that the ranker reads of an example knows the very event it is to predict.

Statistics of the training range count every event, those that are the ranker's positives as well.
Each test plants an item that nothing but one event could lead to, and looks for it in what mining
and features make of that event.
"""

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.data.optional_features import optional_features
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.ranking import (
    ItemToItem,
    RankingModel,
    RankingTables,
    TransitionTables,
    popularity_table,
)
from tfrs_mm.schema import Schema
from tfrs_mm.training.context import context_spec, contexts_at
from tfrs_mm.training.mining import RankingExamples, mine_examples

NUM_ITEMS, LENGTH = 10, 6
PLANTED = 10  # one event in all the log: the last of user 1
EDGES = np.array([0, 20, 40, 61])


class NoQuery(tf.Module):
    """A query model to which all items are alike."""

    def __init__(self):
        super().__init__()
        self.item_vectors = tf.Variable(tf.ones([NUM_ITEMS + 1, 2]))

    def __call__(self, history, contexts):
        return tf.ones([tf.shape(history)[0], 2])


def make_windows():
    generator = np.random.default_rng(0)
    users = 5
    rows = np.stack([generator.permutation(9)[:LENGTH] + 1 for _ in range(users)]).astype(np.int32)
    rows[0, -1] = PLANTED
    times = np.tile(10 * np.arange(LENGTH, dtype=np.int64), (users, 1)) + np.arange(users)[:, None]
    return {
        "user": np.arange(1, users + 1, dtype=np.int32),
        "history/item": rows,
        "history/time": times,
        "history/event": np.ones_like(rows),
        "is_target": np.ones(rows.shape, bool),
    }


def count(windows, left_out=None):
    """Statistics of all events but one, as the behaviour job counts them: of every pair of one
    user's items, later by earlier, with a weight that halves at every two steps."""
    following = np.zeros((NUM_ITEMS + 1, NUM_ITEMS + 1), np.float32)
    counts = np.zeros((NUM_ITEMS + 1, len(EDGES) - 1), np.int32)
    first = np.full(NUM_ITEMS + 1, 10**6, np.int64)
    rows, times = windows["history/item"], windows["history/time"]
    for user, place in np.ndindex(rows.shape):
        if (user, place) == left_out:
            continue
        row, time = rows[user, place], times[user, place]
        counts[row, np.searchsorted(EDGES, time, side="right") - 1] += 1
        first[row] = min(first[row], time)
        for steps, earlier in enumerate(rows[user, :place][::-1]):
            following[earlier, row] += 2.0 ** (-steps / 2.0)
    order = np.argsort(-following, axis=1, kind="stable")
    ordered = np.take_along_axis(following, order, axis=1)
    neighbours = np.where(ordered > 0, order, 0).astype(np.int32)
    support = following.sum(axis=1)
    return (neighbours, ordered, support), popularity_table(counts, EDGES, first)


def features_of(statistics, examples, own_event=True):
    """The last six features: four of popularity, two of one kind of statistics."""
    kind, popularity = statistics
    tables = RankingTables(
        np.ones((NUM_ITEMS + 1, 2), np.float32),
        np.zeros((NUM_ITEMS + 1, 0, 2), np.float32),
        np.zeros((NUM_ITEMS + 1, 0), bool),
        popularity,
        {},
        TransitionTables({"next": ItemToItem(*kind)}, window=8, half_life=2.0),
    )
    model = RankingModel(
        tables, cross_layers=1, projection_dim=2, hidden=(), dropout=0.0, category_dim=2,
        categories={}, temperature=1.0,
    )  # fmt: skip
    inputs = {
        "query": examples.query,
        "history": examples.history,
        "bucket": examples.bucket,
        "candidates": examples.candidates,
        "retrieval_scores": examples.retrieval_scores,
    } | ({"own_event": examples.own_event} if own_event else {})
    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    return model.features(inputs).numpy()[..., -6:]


@pytest.fixture(scope="module")
def windows():
    return make_windows()


@pytest.fixture(scope="module")
def examples(windows) -> RankingExamples:
    query_model = NoQuery()
    model = TwoStage(query_model, ExactIndex(query_model.item_vectors), None, NUM_ITEMS)
    return mine_examples(
        model, windows, EDGES, np.arange(NUM_ITEMS + 1) > 0, num_negatives=3, limit=100,
        batch_size=8, half_life_days=0.0, seed=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def planted(examples):
    (place,) = np.flatnonzero(examples.candidates[:, 0] == PLANTED)
    return place


def test_no_feature_of_a_planted_item_knows_the_event_that_it_was_planted_by(
    windows, examples, planted
):
    found = features_of(count(windows), examples)[planted, 0]
    np.testing.assert_allclose(found, 0, atol=1e-5)
    # The plant is there to be found: what is not told of the own event gives it away.
    leaking = features_of(count(windows), examples, own_event=False)[planted, 0]
    assert leaking[4:].min() > 5


def test_negatives_keep_all_that_statistics_say_of_them(windows, examples):
    honest = features_of(count(windows), examples)[:, 1:]
    np.testing.assert_array_equal(
        honest, features_of(count(windows), examples, own_event=False)[:, 1:]
    )
    assert not examples.own_event[:, 1:].any()


def test_popularity_is_the_same_without_the_own_event(windows, examples):
    """Of others than the planted one as well."""
    whole = features_of(count(windows), examples)
    rows = windows["history/item"]
    for user, place in ((0, 5), (1, 1), (2, 3), (4, 4)):
        match = (examples.candidates[:, 0] == rows[user, place]) & (
            (examples.history > 0).sum(axis=1) == place
        )
        match &= (examples.history[:, :place] == rows[user, :place]).all(axis=1)
        (example,) = np.flatnonzero(match)
        without = features_of(count(windows, left_out=(user, place)), examples)
        np.testing.assert_allclose(whole[example, 0, :4], without[example, 0, :4], atol=1e-6)


def test_a_context_is_of_the_moment_before_the_event(windows, examples):
    config = Config().with_overrides({"ranking.profiles": True, "data.profiles": True})
    schema = Schema(optional_features(config.data, 2, 0), LENGTH)
    # As the job writes profiles: each position's own, of the events before it.
    before = np.broadcast_to(np.arange(LENGTH), windows["history/item"].shape)
    profiles = {
        "profile/kinds": np.stack([0 * before, before], axis=-1),
        "profile/activity": np.repeat(before[..., None], 3, axis=-1),
        "profile/seconds_since_last": np.where(before > 0, 10, -1),
    }
    spec = context_spec(config, schema)
    found = contexts_at(windows | profiles, examples.places, spec, schema)["context"]
    # One event more would be the positive itself.
    counts = (examples.history > 0).sum(axis=1)
    np.testing.assert_allclose(found[:, 1:5], np.log1p(counts)[:, None].repeat(4, 1), rtol=1e-6)


def test_a_history_ends_before_the_event(windows, examples, planted):
    before = windows["history/item"][0, :-1]
    np.testing.assert_array_equal(examples.history[planted], before)
    assert not (examples.history == PLANTED).any()
