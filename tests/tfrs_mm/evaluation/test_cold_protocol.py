import hashlib
import random

import numpy as np
import pytest

from tfrs_mm.evaluation import cold_protocol
from tfrs_mm.evaluation.cold_protocol import (
    Interactions,
    cold_events,
    event_ranks,
    is_cold,
    learnt_from,
    rank_among,
    recall_of_events,
)


def remainder_of(item: str) -> int:
    return int(hashlib.sha256(item.encode("utf-8")).hexdigest(), 16) % 10


BY_REMAINDER = {
    remainder: [f"i{n}" for n in range(400) if remainder_of(f"i{n}") == remainder][:6]
    for remainder in range(10)
}
COLD, OTHER, WARM = BY_REMAINDER[0], BY_REMAINDER[1], BY_REMAINDER[2] + BY_REMAINDER[3]


def log(*timelines: list[str]) -> Interactions:
    rows = [
        (f"u{n}", item, at) for n, items in enumerate(timelines) for at, item in enumerate(items)
    ]
    return Interactions.of_columns(*zip(*rows, strict=True))


def test_a_tenth_of_the_items_is_cold_by_their_ids():
    assert all(is_cold(item) for item in COLD)
    assert not any(is_cold(item) for item in OTHER + WARM)
    assert all(is_cold(item, 1) for item in OTHER)


def test_an_event_needs_two_warm_ones_before_it():
    events = cold_events(log([WARM[0], COLD[0], WARM[1], COLD[1], WARM[2], COLD[2]]))
    assert [(event.item, event.history) for event in events] == [
        (COLD[1], (WARM[0], WARM[1])),
        (COLD[2], (WARM[0], WARM[1], WARM[2])),
    ]
    # Cold items had before are in no history, but nobody is offered them again.
    assert events[1].had == {WARM[0], COLD[0], WARM[1], COLD[1], WARM[2]}


def test_a_history_holds_the_last_warm_items():
    (event,) = cold_events(log([*WARM[:5], COLD[0]]), history=2)
    assert event.history == (WARM[3], WARM[4])


def test_items_left_out_are_in_nothing():
    timeline = log([WARM[0], COLD[0], WARM[1], OTHER[0], WARM[2]])
    (event,) = cold_events(timeline, remainder=1, without=0)
    assert (event.item, event.had) == (OTHER[0], {WARM[0], WARM[1]})
    of_user = [item for item, _ in timeline.timelines["u0"]]
    assert [item for item in of_user if learnt_from(item, 1, 0)] == WARM[:3]


def test_events_of_equal_time_keep_their_order_and_repetitions_count_once():
    timeline = Interactions.of_columns(
        ["u", "u", "u", "v", "u"], ["b", "a", "b", "a", "c"], [5.0, 5.0, 7.0, 1.0, 4.0]
    )
    assert timeline.timelines == {"v": [("a", 1.0)], "u": [("c", 4.0), ("b", 5.0), ("a", 5.0)]}


def test_too_many_events_are_drawn_from_the_list_by_user_as_text():
    timelines = log(*[[WARM[0], WARM[1], COLD[n % 6]] for n in range(12)])
    drawn = cold_events(timelines, limit=5)
    users = sorted(f"u{n}" for n in range(12))  # u0, u1, u10, u11, u2, ...
    assert [event.user for event in drawn] == random.Random(0).sample(users, 5)


def test_a_tie_costs_half_a_place():
    scores = np.array([9.0, 1.0, 2.0, 1.0, 3.0, 1.0])
    candidates = np.array([False, True, True, True, False, True])
    # 2 is higher; of 1, 3 and 5, which are equal, the other two count half
    assert rank_among(scores, 3, candidates) == 1 + 1 + 2 / 2


def test_ranks_are_among_cold_items_and_among_all_without_those_had(monkeypatch):
    monkeypatch.setattr(cold_protocol, "_BLOCK", 2)
    item_ids = ["", *COLD[:3], *WARM[:4]]
    events = cold_events(log(*[[WARM[0], COLD[0], WARM[1], COLD[1]]] * 3))
    sizes = []

    def score(block, candidates):
        sizes.append(candidates.sum(axis=1).tolist())
        return np.tile(-np.arange(8.0), (len(block), 1))  # the first row scores best

    ranks = event_ranks(score, events, item_ids)
    # Of items 1 to 7 the user has had 1, 4 and 5: left are 2, which is taken, 3, 6 and 7.
    assert sizes == [[2, 2], [2], [4, 4], [4]]
    assert ranks["among_cold"].tolist() == ranks["among_all"].tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="Keep the cold items in the catalogue"):
        event_ranks(score, events, ["", *WARM])


def test_recall_is_of_events_and_its_interval_over_users():
    # one user with three events, two of them found, and one with one that is not
    ranks = np.array([1.0, 20.0, 20.5, 30.0])
    assert recall_of_events(ranks, ["b", "b", "b", "a"]) == (0.5, 0.0, pytest.approx(2 / 3))
