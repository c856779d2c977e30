import numpy as np
import tensorflow as tf

from tfrs_mm.retrieval import AllItems, MixedNegatives, StreamingFrequencies


def test_q_is_the_expected_count_of_the_mixture():
    # rows 1, 2, 3 with 6, 3, 1 targets; 4 drawn from the batch, 3 uniformly from 3 items
    negatives = MixedNegatives(np.array([0, 6, 3, 1]), in_batch=4, uniform=3, seed=0)
    # 4 * 0.6 + 1 = 3.4; 4 * 0.3 + 1 = 2.2; 4 * 0.1 + 1 = 1.4
    np.testing.assert_allclose(
        np.exp(negatives.log_q(tf.constant([1, 2, 3]), 20)), [3.4, 2.2, 1.4], rtol=1e-5
    )


def test_targets_of_earlier_batches_count_as_further_draws():
    negatives = MixedNegatives(np.array([0, 6, 3, 1]), in_batch=4, uniform=3, seed=0)
    # 4 drawn and 6 kept: 10 * 0.6 + 1 = 7; 10 * 0.3 + 1 = 4; 10 * 0.1 + 1 = 2; on average 13 / 3
    log_q = negatives.log_q(tf.constant([1, 2, 3]), 20, tf.constant(6.0))
    np.testing.assert_allclose(np.exp(log_q), [7, 4, 2], rtol=1e-5)
    mean = np.exp(negatives.mean_log_q(20, tf.constant(6.0)))
    np.testing.assert_allclose(mean, 13 / 3, rtol=1e-5)


def test_estimated_draws_stand_in_for_the_counts():
    negatives = MixedNegatives(np.array([0, 6, 3, 1]), in_batch=4, uniform=3, seed=0)
    rows, estimated = tf.constant([1, 3]), tf.constant([0.5, 2.0])
    np.testing.assert_allclose(
        np.exp(negatives.log_q(rows, 20, estimated=estimated)), [1.5, 3.0], rtol=1e-5
    )
    # With 6 kept from before each comes 1 + 6 / 4 times as often: 1.25 + 1 and 5 + 1.
    log_q = negatives.log_q(rows, 20, tf.constant(6.0), estimated)
    np.testing.assert_allclose(np.exp(log_q), [2.25, 6.0], rtol=1e-5)


def test_draws_follow_q():
    counts = np.array([0, 6, 3, 1])
    negatives = MixedNegatives(counts, in_batch=4, uniform=3, seed=0)
    generator = np.random.default_rng(0)
    drawn = np.zeros(4)
    rounds = 600
    for _ in range(rounds):
        targets = generator.choice(4, 20, p=counts / 10)
        rows = negatives.draw(tf.constant(targets, tf.int32), tf.ones(20, tf.bool)).numpy()
        drawn += np.bincount(rows, minlength=4)
    expected = rounds * np.exp(negatives.log_q(tf.constant([1, 2, 3]), 20))
    np.testing.assert_allclose(drawn[1:], expected, rtol=0.1)


def test_places_that_are_no_targets_are_never_drawn():
    negatives = MixedNegatives(np.array([0, 1, 1, 1]), in_batch=3, uniform=0, seed=0)
    drawn = negatives.draw(
        tf.constant([1, 2, 3, 3], tf.int32), tf.constant([True, False, False, False])
    )
    assert sorted(drawn.numpy().tolist()) == [-1, -1, 1]


def test_uniform_draws_reach_every_item_with_events_and_no_other():
    negatives = MixedNegatives(np.array([0, 5, 0, 1, 2]), in_batch=1, uniform=400, seed=0)
    rows = negatives.draw(tf.constant([1], tf.int32), tf.constant([True])).numpy()[1:]
    assert set(rows.tolist()) == {1, 3, 4}


def test_all_items_with_events_compete_once_whatever_is_in_the_batch():
    negatives = AllItems(np.array([0, 5, 0, 1]))
    drawn = negatives.draw(tf.constant([3, 3], tf.int32), tf.constant([True, False]))
    assert drawn.numpy().tolist() == [1, 3]
    assert negatives.log_q(drawn, 2).numpy().tolist() == [0, 0]


def test_q_is_not_clipped_for_a_corpus_of_millions():
    # One target in 1e9 and one draw: Q is 1e-9, counted or estimated. A clip of probabilities at
    # 1e-6, as TensorFlow Recommenders has it, would give -13.8 in place of -20.7.
    negatives = MixedNegatives(np.array([0, 1e9 - 1, 1]), in_batch=1, uniform=0, seed=0)
    frequencies = StreamingFrequencies(buckets=8, hashes=1, rate=0.1, initial=1e9, seed=0)
    counted = negatives.log_q(tf.constant([2]), 20)
    estimated = negatives.log_q(tf.constant([2]), 20, None, frequencies.expected(tf.constant([2])))
    np.testing.assert_allclose([counted, estimated], [[-20.7233]] * 2, rtol=1e-5)
