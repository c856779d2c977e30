import numpy as np
import tensorflow as tf

from tfrs_mm.retrieval.hard_negatives import HardNegatives, further_draws, log_q_of_each_query


def test_one_of_the_candidates_is_drawn_each_alike_and_none_where_there_is_none():
    hard = HardNegatives(3, 3, by_user=False, seed=0)
    assert (hard.draw(hard.of(tf.constant([0, 1, 2]))).numpy() == -1).all()  # nothing known yet
    hard.fill(np.array([[-1, -1, -1], [5, 7, -1], [4, 6, 8]], np.int32))
    drawn = hard.draw(hard.of(tf.repeat([0, 1, 2], 600))).numpy().reshape(3, 600)
    assert set(drawn[0]) == {-1}
    # 600 draws of two and of three: standard deviations 12 and 12
    assert abs((drawn[1] == 5).sum() - 300) < 50
    assert abs((drawn[2] == 8).sum() - 200) < 50
    assert set(drawn[1]) == {5, 7}
    assert set(drawn[2]) == {4, 6, 8}


def test_q_of_a_query_counts_its_own_draw():
    candidates = tf.constant([[1, 3], [2, -1], [-1, -1]])
    assert further_draws(candidates, tf.constant([1, 2, 9, -1])).numpy().tolist() == [
        [0.5, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0],
    ]  # fmt: skip
    log_q = log_q_of_each_query(
        candidates,
        drawn=tf.constant([3, 2, -1]),
        rows=tf.constant([1, 2]),
        log_q=tf.math.log([0.5, 0.25]),
        log_q_of_drawn=tf.math.log([0.1, 0.25, 0.3]),
        replicas=1,
    )
    expected = [[0.5 + 0.5, 0.25, 0.1 + 0.5], [0.5, 0.25 + 1, 0.25 + 1], [0.5, 0.25, 0.3]]
    np.testing.assert_allclose(np.exp(log_q), expected, rtol=1e-6)


def test_of_several_replicas_the_own_draw_is_a_smaller_share():
    log_q = log_q_of_each_query(
        tf.constant([[1, 3]]), tf.constant([3]), tf.constant([1]), tf.math.log([0.5]),
        tf.math.log([0.1]), replicas=2,
    )  # fmt: skip
    # Of 2 * 0.5 + 1/2 and 2 * 0.1 + 1/2 half each.
    np.testing.assert_allclose(np.exp(log_q), [[0.75, 0.35]], rtol=1e-6)
