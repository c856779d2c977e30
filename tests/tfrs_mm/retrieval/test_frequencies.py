import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.retrieval import MixedNegatives, NegativeSampler, StreamingFrequencies


def make(**changes):
    settings = {"buckets": 1000, "hashes": 1, "rate": 0.25, "initial": 8.0, "seed": 0} | changes
    return StreamingFrequencies(**settings)


def test_the_distance_between_two_draws_is_averaged():
    frequencies = make()
    for rows in ([5], [7], [7, 5], [-1, 7]):
        frequencies.update(tf.constant(rows))
    # Row 5 at steps 1 and 3: 8 * 3/4 + 1 / 4 = 6.25, then 6.25 * 3/4 + 2 / 4 = 5.1875.
    # Row 7 at steps 2, 3 and 4: 8 * 3/4 + 2 / 4 = 6.5, then 5.125, then 4.09375. Row 9 never.
    np.testing.assert_allclose(
        1 / frequencies.expected(tf.constant([5, 7, 9])), [5.1875, 4.09375, 8.0], rtol=1e-6
    )


def test_several_draws_of_a_step_count_as_many_at_even_distances():
    frequencies = make()
    for rows in ([3, 3], [1], [1], [3, 3, 3]):
        frequencies.update(tf.constant(rows))
    # Twice in 1 step: 8 -> 6.125 -> 4.71875 by distances of 1/2; thrice in 3 steps: by 1 each,
    # 4.71875 -> 3.7890625 -> 3.091796875 -> 2.56884765625.
    np.testing.assert_allclose(1 / frequencies.expected(tf.constant([3])), 2.568848, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_the_papers_algorithm_with_several_hash_functions(compiled):
    frequencies = make(buckets=13, hashes=3, rate=0.1)
    places = frequencies._places(tf.range(40)).numpy()
    assert len({tuple(line) for line in places.T}) > 13  # one function cannot tell so many apart
    generator = np.random.default_rng(0)
    last, between = np.zeros((3, 13)), np.full((3, 13), 8.0)
    update = tf.function(frequencies.update, jit_compile=compiled)
    for step in range(1, 31):
        # One item of each place, as the paper meets each at most once in a step.
        rows = generator.permutation(40)[:2]
        if (places[:, rows[0]] == places[:, rows[1]]).any():
            rows[1] = rows[0] = -1
        for row in rows[rows >= 0]:
            for function, place in enumerate(places[:, row]):
                distance = step - last[function, place]
                between[function, place] = 0.9 * between[function, place] + 0.1 * distance
                last[function, place] = step
        update(tf.constant(rows, tf.int32))
    expected = 1 / between[np.arange(3)[:, None], places].max(axis=0)
    np.testing.assert_allclose(frequencies.expected(tf.range(40)), expected, rtol=1e-5)


def test_estimates_approach_the_expected_draws_of_rare_and_of_frequent_items():
    frequencies = make(rate=0.01, initial=1.0)
    expected = np.array([6.0, 1.0, 0.2])
    generator = np.random.default_rng(0)
    update = tf.function(frequencies.update)
    for _ in range(1500):
        rows = np.repeat(np.arange(3), generator.poisson(expected))
        update(tf.constant(np.resize(np.append(rows, [-1] * (30 - len(rows))), 30), tf.int32))
    # A moving average at rate a varies by the root of a / 2 of the distances' deviation, 0.07.
    np.testing.assert_allclose(frequencies.expected(tf.range(3)), expected, rtol=0.2)


def test_q_is_what_was_learnt_from_earlier_steps():
    negatives = MixedNegatives(np.array([0, 1, 1]), in_batch=1, uniform=2, seed=0)
    frequencies = make()
    sampler = NegativeSampler(negatives, frequencies=frequencies)
    drawn, targets = tf.constant([2, 1, 1]), tf.constant([1, 2])
    found, of_targets, _ = sampler.compete(drawn, tf.zeros([3, 1]), targets, 2, training=True)
    # 1/8 and one uniform draw; of this step nothing is known yet.
    np.testing.assert_allclose(np.exp(of_targets), [1.125, 1.125], rtol=1e-6)
    found, of_targets, _ = sampler.compete(drawn, tf.zeros([3, 1]), targets, 2, training=False)
    # Only row 2 came from the batch: B = 8 * 3/4 + 1/4 = 6.25.
    np.testing.assert_allclose(np.exp(of_targets), [1.125, 1.16], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found.log_q), [1.16, 1.125, 1.125], rtol=1e-6)
    assert int(sampler.variables[0]) == 1
