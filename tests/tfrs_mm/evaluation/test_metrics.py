import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.evaluation import popularity_ranking, rank_queries
from tfrs_mm.evaluation.metrics import (
    bootstrap_interval,
    bootstrap_ratio,
    hits_of,
    query_metrics,
)


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


def test_average_precision_of_two_hits():
    values = query_metrics(
        np.array([[4, 9, 5, 0]]), [np.array([4, 5, 6])], (("map", 2), ("map", 3), ("map", 10))
    )
    # 1 / 1 of at most two hits; 1 / 1 + 2 / 3 of three; the same of three among ten
    np.testing.assert_allclose(values, [[0.5, 5 / 9, 5 / 9]])


@given(st.data())
def test_average_precision_is_its_definition_and_mrr_for_one_item(data):
    ranked = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=10, unique=True))
    relevant = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True))
    k = data.draw(st.integers(1, 12))
    total = 0.0
    for rank, row in enumerate(ranked[:k], start=1):
        if row in relevant:
            total += sum(1 for earlier in ranked[:rank] if earlier in relevant) / rank
    found = query_metrics(np.array([ranked]), [np.array(relevant)], (("map", k), ("mrr", k)))[0]
    assert abs(found[0] - total / min(k, len(relevant))) < 1e-9
    if len(relevant) == 1:
        assert found[0] == found[1]


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


def test_the_interval_is_that_of_means_over_drawn_queries():
    values = np.random.default_rng(1).random((30, 2))
    generator = np.random.default_rng(4)
    means = []
    for _ in range(200):
        drawn = np.repeat(np.arange(30), generator.multinomial(30, np.full(30, 1 / 30)))
        means.append(values[drawn].mean(axis=0))
    _, low, high = bootstrap_interval(values, resamples=200, seed=4)
    np.testing.assert_allclose([low, high], np.quantile(means, [0.025, 0.975], axis=0))


def test_contexts_go_with_their_queries():
    def recommend(history, excluded, buckets, contexts):
        return history + contexts["age"].astype(np.int32)[:, None], history * 1.0

    history = np.array([[1], [2], [3]], np.int32)
    ages = {"age": np.array([10.0, 20.0, 30.0], np.float32)}
    ranked = rank_queries(
        recommend, history, [np.array([], int)] * 3, np.zeros(3, np.int32), 2, "ask", ages
    )
    assert ranked.rows[:, 0].tolist() == [11, 22, 33]


def test_a_query_of_which_a_metric_says_nothing_takes_no_part():
    values = np.array([[0.0, 1.0, np.nan], [np.nan, 2.0, np.nan], [1.0, 3.0, np.nan]])
    mean, low, high = bootstrap_interval(values)
    np.testing.assert_array_equal(mean, [0.5, 2.0, np.nan])  # (0 + 1) / 2; (1 + 2 + 3) / 3
    assert (low[0], high[0]) == (0.0, 1.0)
    assert np.isnan([low[2], high[2]]).all()


def test_owners_are_drawn_with_all_their_events():
    # 3 hits of 4 events of the first owner, 0 of 1 of the second: 3 of 5, not (0.75 + 0) / 2.
    ratio, low, high = bootstrap_ratio(np.array([[3.0], [0.0]]), np.array([[4], [1]]))
    assert ratio[0] == 0.6
    assert (low[0], high[0]) == (0.0, 0.75)  # of draws that hold one owner twice


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="received 'auc'"):
        query_metrics(np.array([[1]]), [np.array([1])], (("auc", 1),))
