import numpy as np
import tensorflow as tf

from tfrs_mm.evaluation import ranks as ranks_module
from tfrs_mm.evaluation.metrics import query_metrics
from tfrs_mm.evaluation.ranks import rank_metrics, relevant_ranks
from tfrs_mm.index import ExactIndex

# The fourth item is the second one again; row 0 would win everywhere if it could.
ITEMS = np.array([[9, 9], [1, 0], [0, 1], [1, 1], [0, 1]], np.float32)


def test_a_rank_is_one_more_than_the_items_that_score_higher():
    queries = np.array([[3, 1], [0, 2]], np.float32)
    # scores of items 1 to 4: 3, 1, 4, 1 and 0, 2, 2, 2, where the lower row comes first
    found = relevant_ranks(
        queries, ITEMS, [np.array([1, 4]), np.array([4])], [np.array([], int)] * 2
    )
    assert [ranks.tolist() for ranks in found] == [[2, 4], [3]]


def test_of_several_interests_the_best_one_counts():
    # Scores of items 1 to 4: of the first interest 3, 1, 4, 1, of the second 0, 5, 5, 5.
    queries = np.array([[[3, 1], [0, 5]]], np.float32)
    found = relevant_ranks(queries, ITEMS, [np.array([1, 2])], [np.array([], int)])
    assert [ranks.tolist() for ranks in found] == [[4, 1]]


def test_what_is_excluded_stands_in_nobodys_way_and_is_never_found():
    queries = np.array([[3, 1], [3, 1]], np.float32)
    found = relevant_ranks(
        queries, ITEMS, [np.array([4]), np.array([3])], [np.array([3, 2]), np.array([3])]
    )
    assert [ranks.tolist() for ranks in found] == [[2], [5]]
    assert rank_metrics(found, (("recall", 4),)).tolist() == [[1.0], [0.0]]


def test_ranks_and_lists_give_the_same_metrics(monkeypatch):
    monkeypatch.setattr(ranks_module, "_BLOCK", 7)
    generator = np.random.default_rng(0)
    # Whole numbers, so that there are ties and both products are exact.
    items = generator.integers(-2, 3, (41, 4)).astype(np.float32)
    queries = generator.integers(-2, 3, (30, 4)).astype(np.float32)
    relevant = [generator.choice(np.arange(1, 41), at % 3 + 1, replace=False) for at in range(30)]
    excluded = [generator.choice(np.arange(1, 41), at % 5, replace=False) for at in range(30)]
    padded = np.zeros((30, 4), np.int32)
    for at, rows in enumerate(excluded):
        padded[at, : len(rows)] = rows
    lists = ExactIndex(items).search(tf.constant(queries), tf.constant(padded), 40).rows.numpy()
    metrics = (("recall", 3), ("recall", 40), ("ndcg", 10), ("mrr", 10), ("map", 5))
    found = rank_metrics(relevant_ranks(queries, items, relevant, excluded), metrics)
    np.testing.assert_array_equal(found, query_metrics(lists, relevant, metrics))
