import itertools
import math

import numpy as np

from tfrs_mm.evaluation.lists import coverage, diversity, gini, novelty

# Six lists of at most five of nine items; drawn once, some places empty.
RANKED = np.array(
    [[1, 2, 3, 4, 5], [1, 2, 3, 9, 0], [2, 1, 0, 0, 0], [7, 3, 1, 2, 4], [0] * 5, [6, 1, 0, 0, 0]]
)
CORPUS = 9


def test_coverage_counts_distinct_items_of_the_first_k():
    # items 1, 2, 3 among the first two places; the 0 is empty: 3 of 10
    assert coverage(np.array([[1, 2, 9], [3, 0, 0]]), 2, 10) == 0.3


def test_gini_of_one_item_everywhere_and_of_equal_shares():
    # one of four items has all places: (4 - 1) / 4
    assert gini(np.array([[3], [3]]), 1, 4) == 0.75
    assert gini(np.array([[1, 2], [3, 4]]), 2, 4) == 0.0
    # places 1 and 3 of two items: ((2 - 3) * 1 + (4 - 3) * 3) / (2 * 4)
    assert gini(np.array([[1, 2], [2, 0], [2, 0]]), 2, 2) == 0.25
    assert math.isnan(gini(np.zeros((2, 3), int), 3, 4))


def test_gini_is_the_mean_difference_of_any_two_items_over_twice_the_mean():
    places = [sum(row == item for row in RANKED[:, :3].flat) for item in range(1, CORPUS + 1)]
    differences = [abs(a - b) for a in places for b in places]
    expected = sum(differences) / len(differences) / (2 * sum(places) / CORPUS)
    np.testing.assert_allclose(gini(RANKED, 3, CORPUS), expected)


def test_novelty_is_the_self_information_of_an_item_met():
    counts = np.array([0, 3, 0, 2])
    # 5 events and 3 items: p = 4 / 8, 1 / 8, 3 / 8, so 1 bit, 3 bits, 1.415 bits
    values = novelty(np.array([[1, 2, 3], [2, 0, 0], [0, 0, 0]]), 2, counts)
    np.testing.assert_allclose(values, [2.0, 3.0, np.nan])


def test_diversity_of_a_pair_is_one_less_its_cosine():
    content = np.zeros((4, 1, 2))
    content[1:, 0] = [[2, 0], [3, 4], [-1, 0]]
    present = np.array([[False], [True], [True], [True]])
    # cosine of (2, 0) and (3, 4) is 3 / 5; of (2, 0) and (-1, 0) it is -1; a single item has none
    values = diversity(np.array([[1, 2], [1, 3], [2, 0]]), 2, content, present)
    np.testing.assert_allclose(values, [0.4, 2.0, np.nan])
    # three pairs: cosines 3 / 5, -1 and -3 / 5, so 1 - (-1 / 3)
    np.testing.assert_allclose(diversity(np.array([[1, 2, 3]]), 3, content, present), [4 / 3])


def test_diversity_takes_each_pair_by_the_modalities_that_both_have():
    generator = np.random.default_rng(0)
    present = np.array([[False] * 2, *(generator.random((CORPUS, 2)) < 0.6)])
    content = generator.normal(size=(CORPUS + 1, 2, 3)) * present[..., None]
    found = diversity(RANKED, 4, content, present)
    for row, value in zip(RANKED[:, :4], found, strict=True):
        distances = []
        for a, b in itertools.combinations([int(item) for item in row if item], 2):
            cosines = [
                float(
                    content[a, m]
                    @ content[b, m]
                    / np.linalg.norm(content[a, m])
                    / np.linalg.norm(content[b, m])
                )
                for m in range(2)
                if present[a, m] and present[b, m]
            ]
            if cosines:
                distances.append(1 - sum(cosines) / len(cosines))
        expected = sum(distances) / len(distances) if distances else math.nan
        np.testing.assert_allclose(value, expected, atol=1e-9)
