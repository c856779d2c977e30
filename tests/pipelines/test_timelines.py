import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines_world import (
    MAX_HISTORY,
    Columns,
    batch_of,
    kept_by_hand,
    logs,
    rows_of_users,
    timelines_of,
)

from pipelines.timelines import encode_records, sort_timelines, split_sizes
from tfrs_mm.data.splits import cut_moments, leave_one_out, temporal


@settings(deadline=None)
@given(logs)
def test_timelines_are_sorted_and_hold_each_item_the_first_time(events):
    timelines = timelines_of(events)
    kept = kept_by_hand(events)
    assert timelines.user_ids == sorted(kept)
    repeats = timelines.repeats + timelines.exact_duplicates
    assert repeats == len(events) - sum(map(len, kept.values()))
    for user, start, end in zip(timelines.user_ids, timelines.starts, timelines.ends, strict=True):
        names = [timelines.event_names[place] for place in timelines.events[start:end]]
        found = list(
            zip(
                names,
                timelines.items[start:end].tolist(),
                timelines.times[start:end].tolist(),
                strict=True,
            )
        )
        assert found == kept[user]


@settings(deadline=None)
@given(logs, st.randoms())
def test_the_order_in_which_batches_arrive_means_nothing(events, random):
    whole = timelines_of(events)
    places = list(range(len(events)))
    random.shuffle(places)
    third = len(places) // 3
    batches = [
        batch_of([events[place] for place in part], part)
        for part in (places[:third], places[third : 2 * third], places[2 * third :], [])
    ]
    parts = sort_timelines(batches)
    assert parts.user_ids == whole.user_ids
    assert parts.repeats == whole.repeats
    for name in ("starts", "ends", "items", "times", "positions"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    named = [[t.event_names[place] for place in t.events] for t in (parts, whole)]
    assert named[0] == named[1]


def records_of(events: list[tuple], kind: str):
    timelines = timelines_of(events)
    if kind == "leave_one_out":
        split = leave_one_out(timelines.starts, timelines.ends)
    else:
        split = temporal(
            timelines.times, timelines.positions, cut_moments(timelines.times, timelines.positions)
        )
    event_rows = np.arange(1, len(timelines.event_names) + 1)
    records = encode_records(
        timelines, split, Columns(), rows_of_users(timelines), event_rows, MAX_HISTORY
    )
    return timelines, split, records


@pytest.mark.parametrize("kind", ["leave_one_out", "temporal"])
@settings(deadline=None)
@given(events=logs)
def test_every_event_is_asked_or_learnt_once_and_no_history_knows_its_future(kind, events):
    timelines, split, records = records_of(events, kind)
    items = {
        user: timelines.items[start:end].tolist()
        for user, (start, end) in enumerate(
            zip(timelines.starts, timelines.ends, strict=True), start=1
        )
    }
    owners = np.repeat(np.arange(len(timelines.starts)) + 1, timelines.ends - timelines.starts)
    wanted = {name: [] for name in ("train", "valid", "test")}
    for owner, item, part in zip(
        owners.tolist(), timelines.items.tolist(), split.tolist(), strict=True
    ):
        wanted[("train", "valid", "test")[part]].append((owner, item))
    learners = {owner for owner, _ in wanted["train"]}

    learnt = []
    for window in records["train"]:
        rows = window["history/item"]
        assert len(rows) <= MAX_HISTORY + 1
        first = items[window["user"]].index(rows[0])
        assert items[window["user"]][first : first + len(rows)] == rows  # a stretch of the timeline
        learnt += [(window["user"], item) for item in rows[window["first_target"] :]]
    assert sorted(learnt) == sorted(wanted["train"])

    for name in ("valid", "test"):
        asked = [(query["user"], item) for query in records[name] for item in query["target/item"]]
        assert sorted(asked) == sorted(pair for pair in wanted[name] if pair[0] in learners)
        for query in records[name]:
            place = items[query["user"]].index(query["target/item"][0])
            assert query["seen/item"] == items[query["user"]][:place]
            assert query["history/item"] == query["seen/item"][-MAX_HISTORY:]
            assert max(query["history/time"]) <= min(query["target/time"])

    assert [query["user"] for query in records["users"]] == sorted(items)
    for query in records["users"]:
        assert query["seen/item"] == items[query["user"]]
        assert query["history/item"] == query["seen/item"][-MAX_HISTORY:]
        assert not query["target/item"]
    sizes = split_sizes(timelines, split)
    asked = {
        name: [pair for pair in wanted[name] if pair[0] in learners] for name in ("valid", "test")
    }
    assert (sizes["train"], sizes["valid"], sizes["test"]) == (
        len(wanted["train"]), len(asked["valid"]), len(asked["test"])
    )  # fmt: skip


def test_the_test_history_holds_the_validation_event():
    # Items 1, 2, 3 and 4 of one user: 1 and 2 train, 3 validates, 4 tests.
    events = [("p", "x", item, 10 * item) for item in (1, 2, 3, 4)]
    _, _, records = records_of(events, "leave_one_out")
    (window,), (valid,), (test,) = records["train"], records["valid"], records["test"]
    assert window["history/item"] == [1, 2]
    assert (valid["history/item"], valid["target/item"]) == ([1, 2], [3])
    assert (test["history/item"], test["target/item"], test["target/time"]) == (
        [1, 2, 3],
        [4],
        [40],
    )


def test_rows_of_events_and_seconds_are_written():
    events = [("p", "y", 1, 0.75), ("p", "x", 2, -0.25)]
    _, _, records = records_of(events, "leave_one_out")
    (window,) = records["train"]
    # x has row 1 and y row 2; -0.25 s lies in second -1, which is the earlier.
    assert window["history/item"] == [2, 1]
    assert window["history/event"] == [1, 2]
    assert window["history/time"] == [-1, 0]


def test_a_user_without_training_events_is_not_asked_but_served():
    # Ten events by time; q has the last one only, which is test.
    events = [("p", "x", item, item) for item in range(1, 10)] + [("q", "x", 1, 99)]
    timelines, split, records = records_of(events, "temporal")
    assert not records["test"]
    assert [query["user"] for query in records["users"]] == [1, 2]
    sizes = split_sizes(timelines, split)
    assert (sizes["train"], sizes["valid"], sizes["test"]) == (8, 1, 0)
    assert sizes["events of users without training"] == 1


def test_a_partition_without_users_has_no_records():
    timelines, split, records = records_of([], "leave_one_out")
    assert timelines.user_ids == []
    assert len(split) == 0
    assert records == {"train": [], "valid": [], "test": [], "users": []}
