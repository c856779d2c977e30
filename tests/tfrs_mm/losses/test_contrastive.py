import math

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.losses import agreement_penalty, cosine_distance, info_nce, pairwise_sigmoid

ALL = {
    "infonce": lambda left, right, paired: info_nce(left, right, paired, 0.5),
    "sigmoid": lambda left, right, paired: pairwise_sigmoid(left, right, paired, 0.5, -1.0),
    "cosine": cosine_distance,
    "agreement": lambda left, right, paired: agreement_penalty(
        tf.stack([left[:, 0], right[:, 0]], 1), tf.stack([paired, paired], 1)
    ),
}
LEFT = tf.constant([[2.0, 0.0], [0.0, 3.0]])
RIGHT = tf.constant([[1.0, 0.0], [5.0, 0.0]])
BOTH = tf.constant([True, True])


def test_info_nce_is_the_negative_log_share_of_the_partner_in_both_directions():
    # cosines [[1, 1], [0, 0]] and temperature 1 / ln 3: exp gives [[3, 3], [1, 1]]
    loss = info_nce(LEFT, RIGHT, BOTH, 1 / math.log(3))
    # rows: ln 2 each; columns: ln(4/3) and ln 4; (2 ln 2 + ln(4/3) + ln 4) / 2 / 2 = 0.7651
    np.testing.assert_allclose(loss, 0.7651, atol=1e-4)


def test_the_sigmoid_loss_judges_every_two_on_their_own():
    loss = pairwise_sigmoid(LEFT, RIGHT, BOTH, 1 / math.log(3), 0.0)
    # odds [[3, 3], [1, 1]]: partners -ln(3/4) and -ln(1/2), the others -ln(1/4) and -ln(1/2);
    # (0.2877 + 0.6931 + 1.3863 + 0.6931) / 2 = 1.5301
    np.testing.assert_allclose(loss, 1.5301, atol=1e-4)


def test_the_bias_of_the_sigmoid_loss_enters_every_logit():
    loss = pairwise_sigmoid(LEFT[:1], RIGHT[:1], BOTH[:1], 1 / math.log(3), -math.log(3.0))
    # ln 3 - ln 3 = 0: -ln(1/2) = 0.6931
    np.testing.assert_allclose(loss, 0.6931, atol=1e-4)


def test_the_cosine_distance_moves_the_prediction_only():
    left, right = tf.Variable(LEFT), tf.Variable(RIGHT + 0.1)
    with tf.GradientTape() as tape:
        loss = cosine_distance(left, right, BOTH)
    gradients = tape.gradient(loss, [left, right])
    assert np.abs(gradients[0]).max() > 0.1
    assert gradients[1] is None
    # 1 - 1 and 1 - 0
    np.testing.assert_allclose(cosine_distance(LEFT, RIGHT, BOTH), 0.5, atol=1e-6)


def test_disagreement_is_the_variance_of_the_present_decisions():
    decisions = tf.constant([[1.0, 3.0, 50.0], [0.0, 3.0, 6.0], [7.0, 9.0, 9.0]])
    present = tf.constant([[True, True, False], [True, True, True], [True, False, False]])
    # about the means 2 and 3: (1 + 1) / 2 = 1 and (9 + 0 + 9) / 3 = 6; the last has one decision
    # only and takes no part: (1 + 6) / 2
    np.testing.assert_allclose(agreement_penalty(decisions, present), 3.5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("value", [0.0, 1e3, float("nan"), float("inf")])
def test_a_missing_pair_is_neither_an_example_nor_a_negative(name, value):
    generator = np.random.default_rng(0)
    left, right = (tf.constant(generator.normal(size=(3, 2)), tf.float32) for _ in range(2))
    few = ALL[name](left[:2], right[:2], BOTH)
    noise = tf.fill([1, 2], value)
    paired = tf.constant([True, True, False])
    many = ALL[name](tf.concat([left[:2], noise], 0), tf.concat([right[:2], -noise], 0), paired)
    np.testing.assert_allclose(many, few, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ALL))
def test_where_all_pairs_are_missing_it_is_zero_and_its_gradient_finite(name):
    left, right = tf.Variable([[np.nan, 1.0], [2.0, 3.0]]), tf.Variable([[0.0, 0.0], [np.inf, 1.0]])
    with tf.GradientTape() as tape:
        loss = ALL[name](left, right, tf.constant([False, False]))
    assert float(loss) == 0.0
    for gradient in tape.gradient(loss, [left, right], unconnected_gradients="zero"):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("name", sorted(ALL))
def test_embeddings_without_length_have_finite_gradients(name):
    left, right = tf.Variable(tf.zeros([2, 2])), tf.Variable([[0.0, 0.0], [1.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = ALL[name](left, right, BOTH)
    for gradient in tape.gradient(loss, [left, right], unconnected_gradients="zero"):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("name", sorted(ALL))
def test_xla_gives_the_same(name):
    compiled = tf.function(ALL[name], jit_compile=True)
    paired = tf.constant([True, False])
    np.testing.assert_allclose(
        compiled(LEFT, RIGHT + 1.0, paired), ALL[name](LEFT, RIGHT + 1.0, paired), atol=1e-6
    )
