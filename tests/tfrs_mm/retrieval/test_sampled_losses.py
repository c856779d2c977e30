"""The loss of other samples than the mixture's own, against sums in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from retrieval_world import NUM_ITEMS, make_batch, make_model


@pytest.mark.parametrize("corrected", [True, False])
def test_gbce_weighs_positives_by_how_often_their_items_are_drawn(corrected):
    # All 4 * 7 places are drawn as negatives, and nothing else.
    model = make_model(
        retrieval__loss="gbce", retrieval__gbce_calibration=0.75, retrieval__uniform_negatives=0,
        retrieval__in_batch_negatives=28, retrieval__log_q_correction=corrected,
    )  # fmt: skip
    batch = make_batch(4)
    rows, is_target = batch["history/item"], batch["is_target"]
    vectors = model.encode_items(tf.range(NUM_ITEMS + 1)).numpy()
    queries = model.user_tower(tf.constant(vectors[rows[:, :-1]])).numpy()
    losses = []
    for window, of, places in zip(rows, queries, is_target, strict=True):
        rivals = [row for row in rows[is_target] if row not in window]
        for target, query in zip(window[places], of[places], strict=True):
            # Row r is a target r times of 1 + 2 + ... + 40 = 820, and 28 are drawn.
            rate = 28 * target / 820 if corrected else 28 / NUM_ITEMS
            scores = vectors @ query / 0.07
            negative = np.log1p(np.exp(scores[rivals])).sum()
            weight = 0.75 * rate + 0.25
            losses.append((weight * np.log1p(np.exp(-scores[target])) + negative) / 29)
    loss = model.compute_loss({"history/item": tf.constant(rows), "is_target": is_target})
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)


def test_queued_items_compete_unless_the_user_had_them():
    # All 4 * 7 places are drawn as negatives, and nothing else; ten of before compete as well.
    model = make_model(
        retrieval__uniform_negatives=0, retrieval__in_batch_negatives=28,
        retrieval__negatives_queue=10, retrieval__negatives_queue_warmup=3,
    )  # fmt: skip
    generator = np.random.default_rng(0)
    queued, queued_vectors = np.arange(10, 20), generator.normal(size=(10, 16))
    for variable, value in zip(model.training_state, (queued, queued_vectors, 3), strict=True):
        variable.assign(value)
    batch = make_batch(4)
    rows, is_target = batch["history/item"], batch["is_target"]
    assert any(np.isin(queued, window).any() for window in rows)
    vectors = model.encode_items(tf.range(NUM_ITEMS + 1)).numpy()
    queries = model.user_tower(tf.constant(vectors[rows[:, :-1]])).numpy()
    # Row r is a target r times of 1 + 2 + ... + 40 = 820, and 28 + 10 are there.
    q = 38 * np.arange(NUM_ITEMS + 1) / 820
    losses = []
    for window, of, places in zip(rows, queries, is_target, strict=True):
        drawn = rows[is_target & ~np.isin(rows, window)]
        kept = ~np.isin(queued, window)
        for target, query in zip(window[places], of[places], strict=True):
            negative = np.exp(vectors[drawn] @ query / 0.07) / q[drawn]
            earlier = np.exp(queued_vectors[kept] @ query / 0.07) / q[queued[kept]]
            positive = np.exp(vectors[target] @ query / 0.07) / q[target]
            total = positive + negative.sum() + earlier.sum()
            losses.append(np.log(total / positive))
    inputs = {"history/item": tf.constant(rows), "is_target": tf.constant(is_target)}
    np.testing.assert_allclose(model.compute_loss(inputs), np.mean(losses), rtol=1e-4)


@pytest.mark.parametrize("source", ["index", "log"])
def test_each_positive_meets_a_hard_negative_of_its_own(source):
    # All 4 * 7 places are drawn as negatives, and nothing else.
    model = make_model(
        retrieval__uniform_negatives=0, retrieval__in_batch_negatives=28,
        retrieval__hard_negatives=1, retrieval__hard_negatives_from=source,
    )  # fmt: skip
    batch = make_batch(4)
    rows, is_target = batch["history/item"], batch["is_target"]
    users = np.array([3, 1, 8, 5], np.int32)
    # Of each item the one four further, which some users had; of the users one that they had, none,
    # one that others had, and one that nobody had.
    of_item, of_user = np.arange(NUM_ITEMS + 1) + 4, np.full(9, -1)
    of_item[of_item > NUM_ITEMS] = -1
    of_user[users] = [rows[0, 2], -1, rows[3, 0], NUM_ITEMS]
    table = of_user if source == "log" else of_item
    model.hard_negatives.fill(table[:, None].astype(np.int32))
    vectors = model.encode_items(tf.range(NUM_ITEMS + 1)).numpy()
    queries = model.user_tower(tf.constant(vectors[rows[:, :-1]])).numpy()
    losses, met = [], []
    for user, window, of, places in zip(users, rows, queries, is_target, strict=True):
        drawn = rows[is_target & ~np.isin(rows, window)]
        for target, query in zip(window[places], of[places], strict=True):
            hard = table[user if source == "log" else target]
            # Row r is a target r times of 1 + 2 + ... + 40 = 820, and 28 are drawn; the hard one
            # comes once more.
            q = 28 * np.arange(NUM_ITEMS + 1) / 820
            q[hard] += hard not in (-1, target)
            scores = np.exp(vectors @ query / 0.07) / q.clip(1e-9)
            met.append(hard > 0 and hard not in window)
            total = scores[target] + scores[drawn].sum() + met[-1] * scores[hard]
            losses.append(np.log(total / scores[target]))
    assert 0 < np.mean(met) < 1
    inputs = {"history/item": rows, "is_target": is_target, "user": users}
    loss = model.compute_loss({name: tf.constant(column) for name, column in inputs.items()})
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-4)
