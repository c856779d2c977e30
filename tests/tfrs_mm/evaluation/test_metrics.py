import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.evaluation import Ranked, popularity_ranking, rank_queries, report, write_predictions
from tfrs_mm.evaluation.metrics import bootstrap_interval, coverage, hits_of, query_metrics


def test_metrics_of_one_hit_at_the_third_place():
    ranked = np.array([[7, 8, 9, 4]])
    values = query_metrics(
        ranked, [np.array([9])], (("recall", 2), ("recall", 3), ("ndcg", 3), ("mrr", 3))
    )
    # not among 2; among 3; 1 / log2(4) = 0.5; 1 / 3
    np.testing.assert_allclose(values, [[0, 1, 0.5, 1 / 3]])


def test_recall_divides_by_all_relevant_and_ndcg_by_the_best_possible_list():
    ranked = np.array([[1, 5, 2, 0]])
    values = query_metrics(ranked, [np.array([1, 2, 3])], (("recall", 2), ("ndcg", 2)))
    # one of three; (1 / log2 2) / (1 / log2 2 + 1 / log2 3) = 1 / 1.6309 = 0.6131
    np.testing.assert_allclose(values, [[1 / 3, 0.6131]], atol=1e-4)


def test_an_empty_place_is_no_hit_even_for_a_padded_relevant_row():
    assert not hits_of(np.array([[0, 0]]), [np.array([3])]).any()
    assert not hits_of(np.array([[0, 0], [1, 0]]), [np.array([3]), np.array([3, 4])]).any()


@given(st.data())
def test_ndcg_is_its_definition(data):
    ranked = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=10, unique=True))
    relevant = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True))
    k = data.draw(st.integers(1, 10))
    gain = sum(1 / np.log2(rank + 2) for rank, row in enumerate(ranked[:k]) if row in relevant)
    ideal = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(relevant))))
    value = query_metrics(np.array([ranked]), [np.array(relevant)], (("ndcg", k),))[0, 0]
    assert abs(value - gain / ideal) < 1e-9


def test_coverage_counts_distinct_items_of_the_first_k():
    # items 1, 2, 3 among the first two places; the 0 is empty: 3 of 10
    assert coverage(np.array([[1, 2, 9], [3, 0, 0]]), 2, 10) == 0.3


def test_the_interval_holds_the_mean_and_shrinks_with_more_queries():
    generator = np.random.default_rng(0)
    few = generator.random((50, 1))
    many = np.tile(few, (16, 1))
    mean, low, high = bootstrap_interval(few)
    assert low[0] < mean[0] < high[0]
    _, many_low, many_high = bootstrap_interval(many)
    # sixteen times the queries: a quarter of the width
    assert 0.15 < (many_high - many_low)[0] / (high - low)[0] < 0.35


def test_popularity_leaves_out_what_was_seen():
    ranked = popularity_ranking(np.array([0, 5, 9, 9, 1]), [np.array([2]), np.array([], int)], k=3)
    assert ranked.rows.tolist() == [[3, 1, 4], [2, 3, 1]]


def test_queries_are_asked_in_whole_batches_and_come_back_in_order():
    sizes = []

    def recommend(history, excluded, buckets):
        sizes.append(len(history))
        assert excluded.shape[1] == 2
        return history[:, :1] + 100, history[:, :1].astype(np.float32)

    history = np.arange(1, 6, dtype=np.int32)[:, None]
    seen = [np.array([1, 2]), *[np.array([], int)] * 4]
    ranked = rank_queries(recommend, history, seen, np.zeros(5, np.int32), 2, "ask")
    assert ranked.rows[:, 0].tolist() == [101, 102, 103, 104, 105]
    assert sizes == [2, 2, 2]


def test_contexts_go_with_their_queries():
    def recommend(history, excluded, buckets, contexts):
        return history + contexts["age"].astype(np.int32)[:, None], history * 1.0

    history = np.array([[1], [2], [3]], np.int32)
    ages = {"age": np.array([10.0, 20.0, 30.0], np.float32)}
    ranked = rank_queries(
        recommend, history, [np.array([], int)] * 3, np.zeros(3, np.int32), 2, "ask", ages
    )
    assert ranked.rows[:, 0].tolist() == [11, 22, 33]


def test_cold_and_warm_targets_are_reported_apart():
    cold = np.array([False, False, True])
    ranked = Ranked(np.array([[1, 2], [2, 1]], np.int32), np.zeros((2, 2), np.float32))
    result = report(ranked, [np.array([1]), np.array([2])], 2, cold)
    assert result["slices"]["cold_items"]["queries"] == 1
    assert result["slices"]["warm_items"]["metrics"]["ndcg@10"]["value"] == 1.0
    assert result["metrics"]["recall@10"]["value"] == 1.0


def test_predictions_hold_filled_places_only(tmp_path):
    ranked = Ranked(np.array([[2, 1, 0]], np.int32), np.array([[0.5, 0.25, -np.inf]], np.float32))
    assert write_predictions(tmp_path / "p.csv", ["u,1"], ["", "a", "b"], ranked) == 2
    rows = list(csv.reader((tmp_path / "p.csv").open()))
    assert rows == [
        ["user_id", "rank", "item_id", "score"],
        ["u,1", "1", "b", "0.5"],
        ["u,1", "2", "a", "0.25"],
    ]


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="received 'auc'"):
        query_metrics(np.array([[1]]), [np.array([1])], (("auc", 1),))
