import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.retrieval import MixedNegatives, NegativeSampler, NegativesQueue
from tfrs_mm.training.loop import KeepBest


def push(queue: NegativesQueue, *rows: int, compiled: bool = False) -> None:
    """Each row's vector is the row itself and a tenth of it."""
    values = np.array(rows, np.float32)
    vectors = tf.constant(np.stack([values, values / 10], axis=1))
    tf.function(queue.push, jit_compile=compiled)(tf.constant(rows, tf.int32), vectors)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_newest_items_stay_in_order_and_empty_places_take_none(compiled):
    queue = NegativesQueue(4, dim=2)
    push(queue, 7, -1, 5, compiled=compiled)
    rows, _, used = queue.read()
    assert rows.numpy().tolist() == [-1] * 4  # two of four: not in use yet
    assert float(used) == 0
    push(queue, -1, 3, 9, 2, compiled=compiled)
    rows, vectors, used = queue.read()
    assert rows.numpy().tolist() == [5, 3, 9, 2]
    np.testing.assert_allclose(vectors[:, 1], [0.5, 0.3, 0.9, 0.2], rtol=1e-6)
    assert float(used) == 4
    push(queue, 1, 2, 3, 4, 5, 6, compiled=compiled)
    assert queue.read()[0].numpy().tolist() == [3, 4, 5, 6]


def test_a_queue_waits_until_it_is_warm():
    queue = NegativesQueue(2, dim=2, warmup=2)
    push(queue, 7, 5)
    assert queue.read()[0].numpy().tolist() == [-1, -1]
    push(queue, 3)
    assert queue.read()[0].numpy().tolist() == [5, 3]


def test_negatives_of_past_batches_compete_with_the_q_of_both():
    # Rows 1, 2, 3 with 6, 3, 1 targets; 2 drawn from the batch, 3 uniformly, 4 kept.
    negatives = MixedNegatives(np.array([0, 6, 3, 1]), in_batch=2, uniform=3, seed=0)
    sampler = NegativeSampler(negatives, NegativesQueue(4, dim=1))
    targets = tf.constant([1, 1, 2, 3])
    drawn, vectors = tf.constant([1, 2, 3, 3, 1]), tf.reshape(tf.range(5.0), [5, 1])
    for _ in range(2):
        found, log_q, _ = sampler.compete(drawn, vectors, targets, 4, training=True)
        assert found.rows.numpy().tolist() == [1, 2, 3, 3, 1, -1, -1, -1, -1]
    # 2 * 0.6 + 1 = 2.2; 2 * 0.3 + 1 = 1.6; 2 * 0.1 + 1 = 1.2
    np.testing.assert_allclose(np.exp(log_q), [2.2, 2.2, 1.6, 1.2], rtol=1e-5)

    found, log_q, mean = sampler.compete(drawn, vectors, targets, 4, training=True)
    # The uniform draws are not kept.
    assert found.rows.numpy().tolist() == [1, 2, 3, 3, 1, 1, 2, 1, 2]
    np.testing.assert_allclose(found.vectors[5:, 0], [0, 1, 0, 1])
    # With four kept: 6 * 0.6 + 1 = 4.6; 6 * 0.3 + 1 = 2.8; 6 * 0.1 + 1 = 1.6; 9 / 3 on average
    np.testing.assert_allclose(np.exp(log_q), [4.6, 4.6, 2.8, 1.6], rtol=1e-5)
    np.testing.assert_allclose(np.exp(found.log_q[5:]), [4.6, 2.8, 4.6, 2.8], rtol=1e-5)
    np.testing.assert_allclose(np.exp(mean), 3, rtol=1e-5)


def test_nothing_is_remembered_outside_training_and_no_gradient_goes_back_in_time():
    negatives = MixedNegatives(np.array([0, 1, 1]), in_batch=2, uniform=0, seed=0)
    sampler = NegativeSampler(negatives, NegativesQueue(2, dim=1))
    vectors = tf.Variable([[1.0], [2.0]])
    rows = tf.constant([1, 2])
    sampler.compete(rows, vectors, rows, 2, training=False)
    assert sampler.variables[0].numpy().tolist() == [-1, -1]
    with tf.GradientTape() as tape:
        sampler.compete(rows, vectors, rows, 2, training=True)
        found, _, _ = sampler.compete(rows, vectors, rows, 2, training=False)
        total = tf.reduce_sum(found.vectors)
    assert float(total) == 6
    gradient = tf.convert_to_tensor(tape.gradient(total, vectors))
    assert gradient.numpy().tolist() == [[1.0], [1.0]]  # of the new ones alone


def test_an_interrupted_fit_finds_its_queue_again(tmp_path):
    def keep(queue: NegativesQueue) -> KeepBest:
        weights = tf.Module()
        weights.weight = tf.Variable(1.0)
        optimizer = tf.keras.optimizers.SGD()
        optimizer.build(weights.trainable_variables)
        return KeepBest(
            weights, optimizer, lambda: 0.5, 3, tmp_path, averaged=False, state=queue.variables
        )

    queue = NegativesQueue(2, dim=2)
    kept = keep(queue)
    push(queue, 4, 8)
    kept.on_epoch_end(0)
    again = NegativesQueue(2, dim=2)
    assert keep(again).resumed
    rows, vectors, used = again.read()
    assert rows.numpy().tolist() == [4, 8]
    np.testing.assert_allclose(vectors, [[4, 0.4], [8, 0.8]], rtol=1e-6)
    assert float(used) == 2
