import numpy as np
import pytest

from tfrs_mm.evaluation import source_report


def test_each_source_is_told_with_what_it_adds_to_the_others():
    found = {
        "towers": np.array([[1, 2, 3], [4, 5, 0]]),
        "lists": np.array([[3, 9], [9, 0]]),
    }
    # Query 0 wants 3 and 9: the towers find one of two, the lists both, nobody else 9. Query 1
    # wants 4, which the towers find alone.
    report = source_report(found, [np.array([3, 9]), np.array([4])], corpus_size=9)
    # 1, 2, 3, 9 and 4, 5, 9 are 7 of two queries.
    assert report["union"] == {"items": pytest.approx(3.5), "recall": pytest.approx(1.0)}
    towers, lists = report["sources"].values()
    # (1/2 + 1) / 2 = .75, of which query 1's is found by nobody else: 1 / 2
    assert towers == {"items": 2.5, "recall": pytest.approx(0.75), "adds": pytest.approx(0.5)}
    # (1 + 0) / 2 = .5, and half of query 0 is found by nobody else: .5 / 2
    assert lists == {"items": 1.5, "recall": pytest.approx(0.5), "adds": pytest.approx(0.25)}


def test_a_source_that_finds_nothing_is_told_so():
    report = source_report({"empty": np.zeros((1, 2), int)}, [np.array([1])], corpus_size=3)
    assert report["sources"]["empty"] == {"items": 0.0, "recall": 0.0, "adds": 0.0}
