import numpy as np

from tfrs_mm.data.exposures import Exposures
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.training.mining import mine_examples, newest_targets


class MeanQuery:
    """A query model whose query is the mean of the history's vectors."""

    def __init__(self, vectors):
        import tensorflow as tf

        self.item_vectors = tf.Variable(vectors)

    def __call__(self, history, contexts):
        import tensorflow as tf

        known = tf.cast(history > 0, tf.float32)[..., None]
        return tf.reduce_sum(tf.gather(self.item_vectors, history) * known, 1) / (
            tf.reduce_sum(known, 1) + 1e-9
        )


class WhatIsTold(MeanQuery):
    """A query model whose query is the sum of the times that it is told, and that of the kinds."""

    def __call__(self, history, contexts):
        import tensorflow as tf

        told = [tf.reduce_sum(contexts[name], 1) for name in ("history/time", "history/event")]
        pair = tf.stack([tf.cast(column, tf.float32) for column in told], axis=1)
        return tf.pad(pair, [[0, 0], [0, 2]])


def make_windows():
    rows = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [4, 7, 8, 0]], np.int32)
    return {
        "user": np.array([1, 2, 1], np.int32),
        "history/item": rows,
        "history/time": np.array([[10, 20, 30, 40], [11, 21, 0, 0], [40, 50, 60, 0]], np.int64),
        "history/event": np.array([[1, 1, 2, 1], [2, 2, 0, 0], [1, 2, 1, 0]], np.int32),
        "is_target": np.array(
            [[True, True, True, True], [True, True, False, False], [False, True, True, False]]
        ),
    }


class Hour(MeanQuery):
    """A query model whose query is the hour that it is told."""

    def __call__(self, history, contexts):
        import tensorflow as tf

        return tf.cast(tf.repeat(contexts["context/hour"][:, None], 4, axis=1), tf.float32)


def mine(num_candidates=12, query_of=MeanQuery, **changes):
    vectors = np.random.default_rng(0).normal(size=(13, 4)).astype(np.float32)
    query_model = query_of(vectors)
    model = TwoStage(query_model, ExactIndex(query_model.item_vectors), None, num_candidates)
    settings = {
        "num_negatives": 3, "limit": 100, "batch_size": 4, "seed": 1,
        "half_life_days": 0.0,
        "time_edges": np.array([0, 15, 25, 61]), "warm": np.arange(13) > 0,
    } | changes  # fmt: skip
    hours = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 8, 9, 0]], np.int32)
    windows = make_windows() | {"context/hour": hours}
    return mine_examples(model, windows, **settings), vectors


def test_the_newest_targets_with_a_history_come_first():
    # targets with something before them, newest first: 60, 50, 40, 30, 21, 20
    assert newest_targets(make_windows(), 2).tolist() == [[2, 1], [2, 2]]
    assert len(newest_targets(make_windows(), 100)) == 6


def test_of_each_user_the_newest_few_targets_are_enough():
    windows = make_windows()
    found = newest_targets(windows, 100, of_a_user=1)
    whole = newest_targets(windows, 100)
    users, times = windows["user"][whole[:, 0]], windows["history/time"][tuple(whole.T)]
    newest = [whole[users == user][times[users == user].argmax()].tolist() for user in set(users)]
    assert sorted(found.tolist()) == sorted(newest) and len(found) < len(whole)
    assert newest_targets(windows, 100, of_a_user=50).tolist() == whole.tolist()


def test_a_history_holds_only_what_came_before_the_positive():
    examples, _ = mine()
    for history, positive in zip(examples.history, examples.candidates[:, 0], strict=True):
        before = {2: [1], 3: [1, 2], 4: [1, 2, 3], 6: [5], 7: [4], 8: [4, 7]}[int(positive)]
        assert history[history > 0].tolist() == before


def test_nothing_that_the_user_ever_had_is_a_negative():
    examples, _ = mine(num_negatives=12)
    for positive, rows in zip(examples.candidates[:, 0], examples.candidates[:, 1:], strict=True):
        had = {5, 6} if positive == 6 else {1, 2, 3, 4, 7, 8}
        drawn = set(rows[rows > 0].tolist())
        assert drawn == set(range(1, 13)) - had


def test_an_item_without_training_events_is_no_negative():
    warm = np.arange(13) > 0
    warm[[9, 10]] = False
    examples, _ = mine(num_negatives=12, warm=warm)
    assert not np.isin(examples.candidates, [9, 10]).any()


def test_a_positive_that_retrieval_would_not_return_is_left_out():
    everything, vectors = mine(num_candidates=12)
    examples, _ = mine(num_candidates=3)
    wanted = []
    for query, positive in zip(everything.query, everything.candidates[:, 0], strict=True):
        had = [5, 6] if positive == 6 else [1, 2, 3, 4, 7, 8]
        scores = vectors @ query
        others = [row for row in range(1, 13) if row not in had]
        # Returned among the best three if fewer than three of the others stand above it.
        if sum(scores[row] > scores[positive] for row in others) < 3:
            wanted.append(int(positive))
    assert examples.candidates[:, 0].tolist() == wanted
    assert 0 < len(wanted) < 6


def test_popularity_is_known_up_to_the_event_before_the_positive():
    examples, _ = mine()
    by_positive = dict(
        zip(examples.candidates[:, 0].tolist(), examples.bucket.tolist(), strict=True)
    )
    # events before: 2 at 10, 3 at 20, 4 at 30, 6 at 11, 7 at 40, 8 at 50; edges 0, 15, 25
    assert by_positive == {2: 0, 3: 1, 4: 2, 6: 0, 7: 2, 8: 2}


def test_the_kind_of_event_is_the_positives_own():
    examples, _ = mine()
    by_positive = dict(
        zip(examples.candidates[:, 0].tolist(), examples.event.tolist(), strict=True)
    )
    assert by_positive == {2: 1, 3: 2, 4: 1, 6: 2, 7: 2, 8: 1}


def test_the_towers_are_told_times_and_kinds_up_to_the_event_before_the_positive():
    examples, _ = mine(query_of=WhatIsTold)
    told = dict(
        zip(examples.candidates[:, 0].tolist(), examples.query[:, :2].tolist(), strict=True)
    )
    # 4 follows events at 10, 20 and 30 of the kinds 1, 1 and 2; 8 follows 40 and 50 of 1 and 2
    assert told == {2: [10, 1], 3: [30, 2], 4: [60, 4], 6: [11, 2], 7: [40, 1], 8: [90, 3]}


def test_the_towers_are_told_the_moment_of_the_positive():
    examples, _ = mine(query_of=Hour, moments=("context/hour",))
    told = dict(zip(examples.candidates[:, 0].tolist(), examples.query[:, 0].tolist(), strict=True))
    assert told == {2: 2, 3: 3, 4: 4, 6: 6, 7: 8, 8: 9}


def test_an_example_says_where_its_positive_lies():
    examples, _ = mine(num_candidates=5)
    rows = make_windows()["history/item"]
    np.testing.assert_array_equal(rows[tuple(examples.places.T)], examples.candidates[:, 0])


def test_scores_are_the_first_stages_own():
    examples, vectors = mine()
    wanted = np.einsum("nd,nkd->nk", examples.query, vectors[examples.candidates])
    np.testing.assert_allclose(examples.retrieval_scores, wanted, atol=1e-5)


HOUR = 1 / 3600.0  # of one second


def mine_shown(hours=8 * HOUR, **changes):
    """User 1 was shown 9, 3, 11 and 12, at 28, 29, 31 and 61; user 2 saw 10 long before."""
    exposures = Exposures.of(
        np.array([1, 1, 1, 1, 2]), np.array([9, 3, 11, 12, 10]),
        np.array([28.0, 29.0, 31.0, 61.0, 1.0]), num_users=2,
    )  # fmt: skip
    return mine(exposures=exposures, exposure_hours=hours, **changes)


def negatives_of(examples):
    return {
        int(rows[0]): rows[1:][rows[1:] > 0].tolist()
        for rows, shown in zip(examples.candidates, examples.shown, strict=True)
        if shown
    }


def test_negatives_are_what_was_shown_near_the_positive_and_never_taken():
    examples, vectors = mine_shown()
    # 3 at 30: 11 is one second away, 9 two, and 3 was taken; 12 at 61 is near 8 at 60, but behind
    # the user's last event. 2 at 20 has 9 at eight seconds, and 4 at 40 nothing: 11 is nine away.
    assert negatives_of(examples) == {3: [11, 9], 2: [9]}
    wanted = np.einsum("nd,nkd->nk", examples.query, vectors[examples.candidates])
    filled = examples.candidates > 0
    np.testing.assert_allclose(examples.retrieval_scores[filled], wanted[filled], atol=1e-5)
    assert not examples.own_event[:, 1:].any()


def test_a_positive_beside_which_nothing_was_shown_has_negatives_of_retrieval():
    examples, _ = mine_shown()
    plain, _ = mine()
    others = ~examples.shown
    assert others.sum() == 4 and not plain.shown.any()
    np.testing.assert_array_equal(examples.candidates[others], plain.candidates[others])


def test_a_positive_beside_others_counts_whatever_retrieval_returns():
    examples, _ = mine_shown(num_candidates=1)
    assert {2, 3} <= set(examples.candidates[:, 0].tolist())
    assert examples.candidates.shape[1] == 2  # as many negatives as there are candidates
    assert negatives_of(examples) == {3: [11], 2: [9]}


def test_what_was_shown_without_any_training_event_is_no_negative():
    warm = np.arange(13) > 0
    warm[11] = False
    examples, _ = mine_shown(warm=warm)
    assert negatives_of(examples) == {3: [9], 2: [9]}


def test_the_draw_follows_the_seed():
    first, _ = mine()
    again, _ = mine()
    other, _ = mine(seed=2)
    np.testing.assert_array_equal(first.candidates, again.candidates)
    assert (first.candidates != other.candidates).any()
