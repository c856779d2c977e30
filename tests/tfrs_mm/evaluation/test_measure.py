import numpy as np
import pytest

from tfrs_mm.evaluation import Ranked, report
from tfrs_mm.evaluation.measure import difference, measure
from tfrs_mm.evaluation.questions import Corpus, Questions

# Items 1 to 5: counts 5, 3, 1, 1 and a cold one; the first has a picture and a text, the second a
# text, the others nothing.
CORPUS = Corpus(
    np.array([0, 5, 3, 1, 1, 0]),
    ("image", "text"),
    np.array([[0, 0], [1, 1], [0, 1], [0, 0], [0, 0], [0, 0]], bool),
    np.ones((6, 2, 2)),
)


def lists(*rows: list[int]) -> Ranked:
    return Ranked(np.array(rows, np.int32), np.zeros((len(rows), len(rows[0])), np.float32))


def questions(*relevant: list[int], lengths: tuple[int, ...] = ()) -> Questions:
    lengths = lengths or (1,) * len(relevant)
    return Questions([np.array(rows) for rows in relevant], np.array(lengths), CORPUS)


def test_cold_and_warm_targets_are_reported_apart():
    result = report(measure(lists([1, 5], [5, 1]), questions([1], [5])))
    assert result["slices"]["cold_items"]["queries"] == 1
    assert result["slices"]["warm_items"]["metrics"]["ndcg@10"]["value"] == 1.0
    assert result["metrics"]["recall@10"]["value"] == 1.0


def test_items_are_grouped_by_modalities_and_by_popularity():
    groups = {name: np.flatnonzero(rows[1:]) + 1 for name, rows in CORPUS.groups()}
    assert {name: rows.tolist() for name, rows in groups.items()} == {
        "cold_items": [5],
        "warm_items": [1, 2, 3, 4],
        "modalities_image+text": [1],
        "modalities_text": [2],
        "modalities_none": [3, 4, 5],
        # of ten events more frequent items hold 0; 5; 8 and 8, as equal counts stay together
        "popularity_head": [1],
        "popularity_middle": [2],
        "popularity_tail": [3, 4],
    }


def test_a_slice_of_items_asks_for_its_own_targets_alone():
    # items 1 (head) and 3 (tail) are wanted, 3 alone is found, at the second place
    result = report(measure(lists([2, 3]), questions([1, 3])))
    assert result["metrics"]["recall@10"]["value"] == 0.5
    assert result["slices"]["popularity_head"]["metrics"]["recall@10"]["value"] == 0.0
    assert result["slices"]["popularity_tail"]["metrics"]["recall@10"]["value"] == 1.0
    assert "popularity_middle" not in result["slices"]


def test_users_are_grouped_by_how_much_they_had():
    asked = questions(*[[1]] * 7, lengths=(0, 1, 4, 5, 49, 99, 100))
    sizes = {name: len(places) for name, places, _ in asked.slices() if "history" in name}
    assert sizes == {
        "history_0": 1, "history_1-4": 2, "history_5-9": 1, "history_20-49": 1,
        "history_50-99": 1, "history_100+": 1,
    }  # fmt: skip


def test_what_all_lists_have_together_stands_beside_without_an_interval():
    metrics = report(measure(lists([1, 2], [1, 2]), questions([1], [2])))["metrics"]
    assert metrics["coverage@10"] == {"value": 0.4}
    # places 0, 0, 0, 2, 2: (2 * (8 - 6) + 2 * (10 - 6)) / (5 * 4)
    assert metrics["gini@10"] == {"value": 0.6}
    # 10 events and 5 items: p = 6 / 15 and 4 / 15
    expected = -(np.log2(6 / 15) + np.log2(4 / 15)) / 2
    np.testing.assert_allclose(metrics["novelty@10"]["value"], expected)
    assert abs(metrics["diversity@10"]["value"]) < 1e-9  # all embeddings are equal


def test_lists_without_content_have_no_diversity():
    metrics = report(measure(lists([3, 4]), questions([3])))["metrics"]
    assert "diversity@10" not in metrics


def test_a_difference_is_paired_by_query():
    generator = np.random.default_rng(0)
    hard = generator.random(60)
    ours = lists(*[[1, 2] if at < 0.5 else [2, 3] for at in hard])
    other = lists(*[[2, 1] if at < 0.5 else [2, 3] for at in hard])
    asked = questions(*[[1]] * 60)
    found = difference(measure(ours, asked), measure(other, asked))["metrics"]["mrr@10"]
    share = (hard < 0.5).mean()
    # 1 against 1 / 2 where it is found at all
    np.testing.assert_allclose([found["ours"], found["other"]], [share, share / 2])
    np.testing.assert_allclose(found["value"], share / 2)
    alone = report(measure(ours, asked))["metrics"]["mrr@10"]
    # Paired values are 1 / 2 or 0, so they vary half as much as the first's own, 1 or 0.
    np.testing.assert_allclose(found["high"] - found["low"], (alone["high"] - alone["low"]) / 2)


def test_a_recommender_does_not_differ_from_itself():
    measured = measure(lists([1, 2], [3, 4]), questions([1], [5]))
    found = difference(measured, measured)
    for metrics in (found["metrics"], *(part["metrics"] for part in found["slices"].values())):
        for figures in metrics.values():
            assert figures["value"] == 0.0
            assert figures.get("low", 0.0) == figures.get("high", 0.0) == 0.0


def test_differences_of_other_questions_are_refused():
    one, two = measure(lists([1, 2]), questions([1])), measure(lists([1, 2]), questions([5]))
    with pytest.raises(ValueError, match="measured on the same questions"):
        difference(one, two)
