import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.losses import RANKING_LOSSES, listwise, pairwise, pointwise

LOGITS = tf.constant([[np.log(3.0), 0.0, np.log(2.0), 50.0]], tf.float32)
ALLOWED = tf.constant([[True, True, True, False]])


def test_pointwise_is_the_mean_cross_entropy_of_the_places():
    # sigmoid(ln 3) = 3/4, sigmoid(0) = 1/2, sigmoid(ln 2) = 2/3:
    # -(ln 3/4 + ln 1/2 + ln 1/3) / 3 = ln 8 / 3
    np.testing.assert_allclose(pointwise(LOGITS, ALLOWED), [np.log(8) / 3], rtol=1e-5)


def test_pairwise_is_the_mean_logistic_loss_of_the_pairs():
    # differences ln 3 and ln 3/2: -(ln 3/4 + ln 3/5) / 2
    np.testing.assert_allclose(pairwise(LOGITS, ALLOWED), [-np.log(0.45) / 2], rtol=1e-5)


def test_listwise_is_the_softmax_of_the_list():
    # 3 / (3 + 1 + 2)
    np.testing.assert_allclose(listwise(LOGITS, ALLOWED), [np.log(2)], rtol=1e-5)


def test_a_positive_of_another_task_is_a_negative_point_and_no_pair_or_list():
    other = tf.constant([False])
    # -(ln 1/4 + ln 1/2 + ln 1/3) / 3 = ln 24 / 3
    np.testing.assert_allclose(pointwise(LOGITS, ALLOWED, other), [np.log(24) / 3], rtol=1e-5)
    assert pairwise(LOGITS, ALLOWED, other).numpy() == [0]
    assert listwise(LOGITS, ALLOWED, other).numpy() == [0]


@pytest.mark.parametrize("name", sorted(RANKING_LOSSES))
def test_all_positives_of_the_task_are_as_good_as_not_said(name):
    logits = tf.random.stateless_normal([5, 4], [1, 2])
    allowed = tf.random.stateless_uniform([5, 4], [3, 4]) > 0.3
    allowed = tf.concat([tf.ones([5, 1], tf.bool), allowed[:, 1:]], axis=1)
    loss = RANKING_LOSSES[name]
    np.testing.assert_array_equal(
        loss(logits, allowed), loss(logits, allowed, tf.ones([5], tf.bool))
    )


@pytest.mark.parametrize("name", sorted(RANKING_LOSSES))
def test_empty_places_change_neither_the_loss_nor_its_gradient(name):
    allowed = tf.constant([[True, True, False, True], [True, False, False, False]])
    logits = tf.constant([[0.3, -1.0, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0]])
    noise = tf.where(allowed, 0.0, 1e3)
    results = []
    for values in (logits, logits + noise):
        with tf.GradientTape() as tape:
            tape.watch(values)
            losses = RANKING_LOSSES[name](values, allowed)
        gradient = tape.gradient(losses, values)
        assert not gradient.numpy()[~allowed.numpy()].any()
        results.append((losses.numpy(), gradient.numpy()))
    for plain, noisy in zip(*results, strict=True):
        np.testing.assert_array_equal(plain, noisy)
        assert np.isfinite(plain).all()


@pytest.mark.parametrize("name", sorted(RANKING_LOSSES))
def test_a_step_down_the_gradient_lifts_the_positive(name):
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        losses = RANKING_LOSSES[name](LOGITS, ALLOWED)
    gradient = tape.gradient(losses, LOGITS).numpy()[0]
    assert gradient[0] < 0 < min(gradient[1:3]) and gradient[3] == 0
