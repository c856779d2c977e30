import math

import numpy as np
import tensorflow as tf

from tfrs_mm.losses import gbce, gbce_beta


def test_beta_goes_from_one_to_the_sampling_rate():
    # a = 0.2: 0.2 (t (1 - 5) + 5) = 1 - 0.8 t
    betas = [gbce_beta(0.2, t) for t in (0.0, 0.75, 1.0)]
    np.testing.assert_allclose(betas, [1.0, 0.4, 0.2], rtol=1e-6)


def test_the_loss_is_that_of_the_paper():
    loss = gbce(
        tf.constant([math.log(3.0)]),
        tf.constant([[-math.log(3.0), 0.0, 80.0]]),
        tf.constant([[True, True, False]]),
        sampling_rate=0.2,
        calibration=0.75,
    )
    # sigmoid is 3/4 of the positive, 1/4 and 1/2 of the negatives; beta is 0.4; of 3 places drawn:
    # (-0.4 ln 0.75 - ln 0.75 - ln 0.5) / 4 = (0.11507 + 0.28768 + 0.69315) / 4 = 0.27398
    np.testing.assert_allclose(loss, [0.27398], atol=1e-5)


def test_fully_calibrated_it_is_least_at_the_probabilities_however_unequally_items_are_drawn():
    # Of ten queries five take item 0, three item 1, two item 2; item i is drawn 4, 2 and 1 times.
    takes, drawn = [0] * 5 + [1] * 3 + [2] * 2, [0, 0, 0, 0, 1, 1, 2]
    shares, rates = np.array([0.5, 0.3, 0.2]), np.array([4.0, 2.0, 1.0], np.float32)
    logits = tf.Variable(np.log(shares / (1 - shares)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            gbce(
                tf.gather(logits, takes),
                tf.tile(tf.gather(logits, drawn)[None], [10, 1]),
                tf.constant(np.array(takes)[:, None] != np.array(drawn)[None, :]),
                sampling_rate=tf.constant(rates[takes]),
                calibration=1.0,
            )
        )
    # Item 1: 3 positives of weight 2 push with 1 - 0.3, 7 queries with 2 negatives pull with 0.3.
    gradient = tf.convert_to_tensor(tape.gradient(loss, logits))
    np.testing.assert_allclose(gradient, np.zeros(3), atol=1e-6)


def test_a_negative_that_is_not_allowed_has_no_gradient():
    negatives = tf.Variable([[1.0, 200.0]])
    with tf.GradientTape() as tape:
        loss = gbce(tf.constant([0.0]), negatives, tf.constant([[True, False]]), 0.5, 1.0)
    gradient = tf.convert_to_tensor(tape.gradient(loss, negatives)).numpy()
    # sigmoid(1) / 3 = 0.24369
    np.testing.assert_allclose(gradient, [[0.24369, 0.0]], atol=1e-5)
