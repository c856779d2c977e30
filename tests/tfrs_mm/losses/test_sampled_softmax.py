import math

import numpy as np
import tensorflow as tf

from tfrs_mm.losses import (
    any_of,
    correct_for_sampling,
    first_of_each,
    same_item,
    sampled_softmax,
)


def test_log_q_lifts_the_rare_candidate():
    corrected = correct_for_sampling(tf.constant([[2.0, 1.0]]), tf.math.log([0.5, 0.25]))
    # 2 - ln 0.5 = 2.6931 and 1 - ln 0.25 = 2.3863
    np.testing.assert_allclose(corrected, [[2.6931, 2.3863]], atol=1e-4)


def test_log_q_is_not_clipped_for_a_corpus_of_millions():
    corrected = correct_for_sampling(tf.constant([0.0]), tf.constant([math.log(1e-8)]))
    # -ln 1e-8 = 18.4207; a clip at 1e-6 would give 13.8155
    np.testing.assert_allclose(corrected, [18.4207], atol=1e-4)


def test_the_loss_is_the_negative_log_share_of_the_positive():
    loss = sampled_softmax(
        tf.constant([math.log(3.0)]),
        tf.constant([[math.log(2.0), math.log(5.0)]]),
        tf.constant([[True, True]]),
    )
    # -ln(3 / (3 + 2 + 5)) = 1.2040
    np.testing.assert_allclose(loss, [1.2040], atol=1e-4)


def test_a_negative_that_is_not_allowed_takes_no_part():
    loss = sampled_softmax(
        tf.constant([math.log(3.0)]),
        tf.constant([[math.log(2.0), 80.0]]),
        tf.constant([[True, False]]),
    )
    # -ln(3 / (3 + 2)) = 0.5108
    np.testing.assert_allclose(loss, [0.5108], atol=1e-4)


def test_without_any_negative_the_loss_is_zero_and_its_gradient_finite():
    positive = tf.Variable([1.5])
    negative = tf.Variable([[2.0, 3.0]])
    with tf.GradientTape() as tape:
        loss = sampled_softmax(positive, negative, tf.constant([[False, False]]))
    np.testing.assert_allclose(loss, [0.0], atol=1e-6)
    for gradient in tape.gradient(loss, [positive, negative]):
        assert np.isfinite(gradient.numpy()).all()


def test_accidental_hits_are_found_by_row():
    hits = same_item(tf.constant([7, 8]), tf.constant([8, 7, 9]))
    assert hits.numpy().tolist() == [[False, True, False], [True, False, False]]


def test_a_users_own_items_are_found_in_the_candidates():
    found = any_of(tf.constant([[1, 2, 0], [5, 0, 0]]), tf.constant([2, 5, 6]))
    assert found.numpy().tolist() == [[True, False, False], [False, True, False]]


def test_every_item_is_named_once():
    first = first_of_each(tf.constant([7, -1, 8, 7, 0, 8, 9, -1]))
    assert first.numpy().tolist() == [True, False, True, False, False, False, True, False]


def test_the_sampled_loss_estimates_the_full_softmax():
    """Drawn from a skewed Q, the corrected logits give the full softmax's loss on average."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=50).astype(np.float32)
    probability = generator.dirichlet(np.ones(50) * 0.5)
    size, rounds = 4000, 20
    full = math.log(np.exp(logits[1:]).sum())
    estimates = []
    for _ in range(rounds):
        rows = generator.choice(50, size, p=probability)
        expected_count = size * probability[rows]
        corrected = correct_for_sampling(
            tf.constant(logits[rows]), tf.constant(np.log(expected_count), tf.float32)
        )
        allowed = tf.constant((rows != 0)[None])
        # a positive far below all others: the loss is the log-sum over the negatives, less the
        # positive
        loss = sampled_softmax(tf.constant([-30.0]), corrected[None], allowed)
        estimates.append(float(loss[0]) - 30.0)
    assert abs(np.mean(estimates) - full) < 0.05
