import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.data.item_neighbours import ItemNeighbours
from tfrs_mm.data.transitions import candidates_from_history, transition_scores

# 1 leads to 2 (3 of 4) and 4 (1 of 4); 2 to 3 (1 of 2, the other was cut off); 3 to 2 and 5 (half
# each).
NEXT = ItemNeighbours(
    np.array([[0, 0], [2, 4], [3, 0], [2, 5], [0, 0], [0, 0]], np.int32),
    np.array([[0, 0], [3, 1], [1, 0], [1, 1], [0, 0], [0, 0]], np.float32),
    np.array([0, 4, 2, 2, 0, 0], np.float32),
)


def rows(*lines: list[int]) -> np.ndarray:
    return np.array(lines, np.int32)


def test_shares_of_the_history_are_halved_by_steps_back_and_added_up():
    history = rows([1, 3, 2], [2, 1, 0], [4, 0, 0], [0, 0, 0])
    scores = transition_scores(NEXT, history, rows(*[[2, 3, 4, 5, 1, 0]] * 4), half_life=1.0)
    assert scores.dtype == np.float32
    # First: 1 two steps back (1/4), 3 one step back (1/2), 2 newest (1):
    #   2: 1/4 * 3/4 + 1/2 * 1/2 = 0.4375; 3: 1 * 1/2; 4: 1/4 * 1/4 = 0.0625; 5: 1/2 * 1/2.
    # Second: 2 one step back, 1 newest: 2: 3/4; 3: 1/2 * 1/2; 4: 1/4.
    # Item 4 leads nowhere, nor does no history. Nothing leads to 1 or to none.
    assert scores.tolist() == [
        [0.4375, 0.5, 0.0625, 0.25, 0, 0],
        [0.75, 0.25, 0.25, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_an_item_that_comes_twice_counts_twice():
    # 1 newest and one step back at half-life 2: (1 + 2^(-1/2)) * 1/4.
    scores = transition_scores(NEXT, rows([1, 1]), rows([4]), half_life=2.0)
    np.testing.assert_allclose(scores, [[(1 + 0.5**0.5) / 4]], rtol=1e-6)


def test_without_a_half_life_all_steps_are_equal():
    scores = transition_scores(NEXT, rows([1, 3]), rows([2]), half_life=np.inf)
    assert scores.tolist() == [[0.75 + 0.5]]


def test_the_best_candidates_come_back_but_never_an_excluded_one():
    history = rows([1, 3, 2], [2, 1, 0], [4, 0, 0])
    best = candidates_from_history(NEXT, history, rows([0], [0], [0]), k=3, half_life=1.0)
    # By the scores above; 3 and 4 tie in the second line.
    assert best.dtype == np.int32
    assert best.tolist() == [[3, 2, 5], [2, 3, 4], [0, 0, 0]]
    excluded = rows([3, 2], [2, 0], [1, 5])
    best = candidates_from_history(NEXT, history, excluded, k=3, half_life=1.0)
    assert best.tolist() == [[5, 4, 0], [3, 4, 0], [0, 0, 0]]


def test_no_query_has_no_answer():
    none = np.zeros((0, 3), np.int32)
    assert transition_scores(NEXT, none, none, 1.0).shape == (0, 3)
    assert candidates_from_history(NEXT, none, none, 2, 1.0).shape == (0, 2)


@pytest.mark.parametrize(
    ("history", "other", "half_life", "message"),
    [
        (rows([1]), rows([1]), 0.0, "`half_life` must be above 0"),
        (rows([1]), rows([1]), np.nan, "`half_life` must be above 0"),
        (rows([0, 1]), rows([1]), 1.0, "on the right only"),
        (rows([6]), rows([1]), 1.0, r"`history` must be rows from 0 to 5, received 6\.\.6"),
        (rows([1])[0], rows([1]), 1.0, "`history` must be of shape"),
        (rows([1]), rows([-1]), 1.0, r"must be rows from 0 to 5, received -1\.\.-1"),
        (rows([1]), rows([1], [2]), 1.0, r"must be of shape \[1, any\], received \(2, 1\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(history, other, half_life, message):
    with pytest.raises(ValueError, match=message):
        transition_scores(NEXT, history, other, half_life)
    with pytest.raises(ValueError, match=message):
        candidates_from_history(NEXT, history, other, 1, half_life)


def test_no_candidates_are_not_asked_for():
    with pytest.raises(ValueError, match="`k` must be at least 1"):
        candidates_from_history(NEXT, rows([1]), rows([0]), 0, 1.0)


def neighbours_at_random(seed: int, size: int, top: int) -> ItemNeighbours:
    generator = np.random.default_rng(seed)
    neighbours, weights = np.zeros((size, top), np.int32), np.zeros((size, top), np.float32)
    for item in range(1, size):
        others = generator.permutation(np.setdiff1d(np.arange(1, size), [item]))
        line = sorted(
            (-float(generator.integers(1, 9)), int(other))
            for other in others[: generator.integers(0, top + 1)]
        )
        neighbours[item, : len(line)] = [other for _, other in line]
        weights[item, : len(line)] = [-weight for weight, _ in line]
    support = weights.sum(axis=1) + generator.integers(0, 5, size).astype(np.float32)
    return ItemNeighbours(neighbours, weights, support)


@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=4),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.floats(0.3, 20),
)
def test_scores_and_candidates_are_those_of_a_plain_loop(seed, histories, excluded, half_life):
    neighbours = neighbours_at_random(seed, size=10, top=3)
    history = np.zeros((len(histories), 6), np.int32)
    wanted = []
    for line, items in zip(history, histories, strict=True):
        line[: len(items)] = items
        scores = collections.Counter()
        for back, item in enumerate(reversed(items)):
            for other, weight in zip(
                neighbours.neighbours[item], neighbours.weights[item], strict=True
            ):
                if other:
                    share = float(weight) / float(neighbours.support[item])
                    scores[int(other)] += 2 ** (-back / half_life) * share
        wanted.append(scores)
    candidates = np.tile(np.arange(10, dtype=np.int32), (len(histories), 1))
    found = transition_scores(neighbours, history, candidates, half_life)
    np.testing.assert_allclose(
        found, [[scores[item] for item in range(10)] for scores in wanted], rtol=1e-6
    )
    shut = np.tile(np.array(excluded, np.int32), (len(histories), 1))
    best = candidates_from_history(neighbours, history, shut, 5, half_life)
    for line, scores in zip(best, wanted, strict=True):
        listed = [int(item) for item in line if item]
        assert line[len(listed) :].tolist() == [0] * (5 - len(listed))
        assert len(set(listed)) == len(listed) == min(5, len(set(scores) - set(excluded)))
        assert not set(listed) & set(excluded)
        reached = sorted((scores[item] for item in set(scores) - set(excluded)), reverse=True)
        # The order of near ties may differ by rounding, their scores not.
        np.testing.assert_allclose(
            [scores[item] for item in listed], reached[: len(listed)], rtol=1e-9
        )
