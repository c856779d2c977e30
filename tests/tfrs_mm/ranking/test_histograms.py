import numpy as np
import tensorflow as tf

from tfrs_mm.ranking import RankingTables
from tfrs_mm.ranking.histograms import linear_histogram, match_histograms


def histogram(values, valid=True, bins=5):
    values = tf.constant([[values]], tf.float32)
    return linear_histogram(values, tf.constant(valid), bins).numpy()[0, 0]


def test_a_value_between_two_centres_counts_for_either_by_nearness():
    # centres -1, -0.5, 0, 0.5, 1: 0.75 lies half way, -0.4 is one fifth of the way from -0.5 to 0
    np.testing.assert_allclose(histogram([0.75]), [0, 0, 0, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(histogram([-0.4]), [0, 0.8, 0.2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(histogram([1.0, -1.0, 1.0]), [1, 0, 0, 0, 2], atol=1e-6)


def test_every_value_that_counts_counts_once():
    values = np.random.default_rng(0).uniform(-1, 1, 30)
    np.testing.assert_allclose(histogram(values, bins=7).sum(), 30, rtol=1e-5)
    valid = np.arange(30)[None, None] < 12
    np.testing.assert_allclose(histogram(values, valid, bins=7).sum(), 12, rtol=1e-5)


def test_a_cosine_that_rounding_puts_beyond_one_is_counted():
    assert histogram([1.000001])[-1] == 1


def test_pairs_are_counted_by_item_vector_and_by_each_modality_that_both_have():
    # Item 2 points as item 1 does, item 3 the other way; by picture 1 and 3 are alike, 2 has none.
    vectors = np.array([[0, 0], [2, 0], [3, 0], [-1, 0]], np.float32)
    pictures = np.array([[0, 0], [0, 1], [0, 0], [0, 5]], np.float32)[:, None]
    present = np.array([[False], [True], [False], [True]])
    tables = RankingTables(vectors, pictures, present, np.zeros((4, 2, 4), np.float32), {})
    history = tf.constant([[2, 3, 2, 0]])
    found = match_histograms(tables, history, tf.constant([[1, 2]]), bins=3).numpy()
    counts = [[1, 0, 2, 0, 0, 1], [1, 0, 2, 0, 0, 0]]  # at -1, 0, 1 by vector, then by picture
    np.testing.assert_allclose(found[0], np.log1p(counts), atol=1e-6)
