"""Gaps, cold items and cold users: what is learnt, asked and told, against the rules in plain
Python."""

import dataclasses

import behaviour_world as world
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines_world import MAX_HISTORY, Columns, logs, rows_of_users, timelines_of

from pipelines.splitting import SplitRules, split_sizes
from pipelines.timelines import encode_records
from tfrs_mm.config import DataConfig
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.cold import held_out
from tfrs_mm.data.item_neighbours import KINDS, NeighbourTables
from tfrs_mm.data.splits import cut_moments
from tfrs_mm.data.vocabulary import Vocabulary

NUM_ITEMS = 9
ITEMS = Vocabulary(tuple(f"item {row}" for row in range(1, NUM_ITEMS + 1)))

options = st.fixed_dictionaries(
    {
        "split": st.sampled_from(world.KINDS),
        "split_gap_seconds": st.sampled_from([0.0, 1.0, 2.5]),
        "split_train_share": st.sampled_from([0.8, 0.5]),
        "split_valid_share": st.sampled_from([0.1, 0.25]),
        "cold_item_share": st.sampled_from([0.0, 0.3, 0.6]),
        "cold_user_share": st.sampled_from([0.0, 0.5]),
        "split_seed": st.integers(1, 9),
        "train_on_validation": st.booleans(),
    }
)


@dataclasses.dataclass
class Expected:
    """What the rules make of a log.

    Attributes:
        learnt: `(user, item)`.
        asked: of `valid` and `test`, by user, the items of `history`, `seen` and `target`.
        histories: by user, the items of the history to serve from.
        sizes: events of each part.
    """

    learnt: list[tuple]
    asked: dict[str, dict]
    histories: dict[str, list]
    sizes: dict[str, int]


def by_hand(events: list[tuple], given: dict) -> Expected:
    """One event after another."""
    cold_items = {
        row for row, cold in enumerate(
            held_out(ITEMS.ids, given["cold_item_share"], given["split_seed"], "item"), start=1
        ) if cold
    }  # fmt: skip
    kept: list[tuple] = []
    for user, _, item, time in sorted(events, key=lambda event: event[3]):  # stable
        if (user, item) not in [event[:2] for event in kept]:
            kept.append((user, item, time))
    own: dict[str, list] = {}
    for rank, (user, item, time) in enumerate(kept):
        own.setdefault(user, []).append((rank, item, time))
    first = int(len(kept) * given["split_train_share"])
    second = int(len(kept) * (given["split_train_share"] + given["split_valid_share"]))
    if given["train_on_validation"]:
        first = second
    cuts = [kept[rank][2] if rank < len(kept) else np.inf for rank in (first, second)]

    def part_of(rank: int, place: int, count: int, time: float) -> str:
        if given["split"] == "leave_one_out":
            if count < 3:
                return "train"
            last = "train" if given["train_on_validation"] else "valid"
            return {count - 1: "test", count - 2: last}.get(place, "train")
        part = "train" if rank < first else "valid" if rank < second else "test"
        later = {"train": cuts, "valid": cuts[1:], "test": []}[part]
        return "gap" if any(cut - time < given["split_gap_seconds"] for cut in later) else part

    learnt, asked, histories = [], {"valid": {}, "test": {}}, {}
    names = ("train", "valid", "test", "events in the gap", "events of cold items",
             "events of cold users", "events of users without training")  # fmt: skip
    sizes = dict.fromkeys(names, 0)
    for user, events_of in own.items():
        (is_cold,) = held_out([user], given["cold_user_share"], given["split_seed"], "user")
        parts = []
        for place, (rank, item, time) in enumerate(events_of):
            part = part_of(rank, place, len(events_of), time)
            if is_cold and part != "test":
                part = "events of cold users"
            if item in cold_items and part not in ("valid", "test"):
                part = "events of cold items"
            parts.append("events in the gap" if part == "gap" else part)
        items = [item for _, item, _ in events_of]
        is_known = "train" in parts or "events of cold users" in parts
        learnt += [(user, i) for i, part in zip(items, parts, strict=True) if part == "train"]
        histories[user] = [item for item in items if item not in cold_items][-MAX_HISTORY:]
        for part in parts:
            known = is_known or part not in ("valid", "test")
            sizes[part if known else "events of users without training"] += 1
        for name in ("valid", "test"):
            if name in parts and is_known:
                before = items[: parts.index(name)]
                asked[name][user] = {
                    "history": [item for item in before if item not in cold_items][-MAX_HISTORY:],
                    "seen": before,
                    "target": [i for i, part in zip(items, parts, strict=True) if part == name],
                }
    return Expected(learnt, asked, histories, sizes)


def records_of(events: list[tuple], given: dict, items_path: str):
    timelines = timelines_of(events)
    data = DataConfig(**given)
    rules = SplitRules(data, items_path)
    cuts = None
    if data.split == "temporal":
        shares = data.split_train_share, data.split_valid_share
        cuts = cut_moments(timelines.times, timelines.positions, shares)
    split = rules.split(timelines, cuts)
    event_rows = np.arange(1, len(timelines.event_names) + 1)
    records = encode_records(
        timelines,
        split,
        Columns(),
        rows_of_users(timelines),
        event_rows,
        MAX_HISTORY,
        cold_items=rules.cold_items,
    )
    return timelines, split, records


@pytest.fixture(scope="module")
def items_path(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("vocabulary") / "items.txt"
    ITEMS.write(path)
    return str(path)


@settings(deadline=None, max_examples=300)
@given(events=logs, given=options)
def test_every_part_is_that_of_the_rules(items_path, events, given):
    timelines, split, records = records_of(events, given, items_path)
    expected = by_hand(events, given)
    names = timelines.user_ids
    learnt = [
        (names[window["user"] - 1], item)
        for window in records["train"]
        for item in window["history/item"][window["first_target"] :]
    ]
    assert sorted(learnt) == sorted(expected.learnt)
    for name in ("valid", "test"):
        found = {
            names[query["user"] - 1]: {
                "history": query["history/item"],
                "seen": query["seen/item"],
                "target": query["target/item"],
            }
            for query in records[name]
        }
        assert found == expected.asked[name]
    assert {
        names[query["user"] - 1]: query["history/item"] for query in records["users"]
    } == expected.histories
    assert split_sizes(timelines, split) == expected.sizes
    assert sum(expected.sizes.values()) == len(split)


@settings(deadline=None, max_examples=200)
@given(events=logs, given=options)
def test_parts_are_disjoint_and_nothing_of_the_future_or_the_held_out_is_told(
    items_path, events, given
):
    timelines, _, records = records_of(events, given, items_path)
    data = DataConfig(**given)
    cold = held_out(ITEMS.ids, data.cold_item_share, data.split_seed, "item")
    of_cold = held_out(timelines.user_ids, data.cold_user_share, data.split_seed, "user")
    learnt, asked = set(), {"valid": set(), "test": set()}
    last = -np.inf
    for window in records["train"]:
        assert not of_cold[window["user"] - 1]
        assert not cold[np.array(window["history/item"]) - 1].any()
        learnt |= {(window["user"], item) for item in window["history/item"]}
        last = max(last, *window["history/time"])
    firsts = {}
    for name in ("valid", "test"):
        for query in records[name]:
            asked[name] |= {(query["user"], item) for item in query["target/item"]}
            firsts[name] = min(firsts.get(name, np.inf), *query["target/time"])
            assert max(query["history/time"]) <= min(query["target/time"])
            assert not cold[np.array(query["history/item"]) - 1].any()
            assert set(query["history/item"]) <= set(query["seen/item"])
            assert not set(query["seen/item"]) & set(query["target/item"])
        assert not learnt & asked[name]
    assert not asked["valid"] & asked["test"]
    assert not any(of_cold[user - 1] for user, _ in asked["valid"])
    if data.split == "temporal":
        for first in firsts.values():
            assert last + data.split_gap_seconds <= first


@pytest.mark.parametrize("kind", world.KINDS)
def test_a_job_leaves_no_trace_of_what_is_held_out(tmp_path, kind):
    gap = {"split_gap_seconds": 3.0} if kind == "temporal" else {}
    given = {"cold_item_share": 0.2, "cold_user_share": 0.3, "split_seed": 5, **gap}
    config = world.config_of(kind, transition_window=4, **given)
    folder = world.write_input(tmp_path / "in", world.random_events())
    made = world.run_job(folder, tmp_path / "out", config)
    users, items = (
        Vocabulary.read(made.folder / "vocabulary" / f"{name}.txt") for name in ("users", "items")
    )
    cold = held_out(items.ids, 0.2, 5, "item")
    of_cold = {u for u, c in zip(users.ids, held_out(users.ids, 0.3, 5, "user"), strict=True) if c}
    cold_ids = {item for item, is_cold in zip(items.ids, cold, strict=True) if is_cold}
    counts = ItemCounts.read(made.folder / "behaviour" / "item_counts.npz")
    assert not counts.counts[1:][cold].any()
    assert counts.counts.sum() == made.report["train"] == len(made.train)
    tables = NeighbourTables.read(made.folder / "behaviour" / "item_neighbours.npz")
    for name in KINDS:
        neighbours = getattr(tables, name).neighbours
        assert not neighbours[1:][cold].any()
        assert not np.isin(neighbours, 1 + np.flatnonzero(cold)).any()
    assert {item for _, item, _ in made.valid + made.test} & cold_ids
    assert {user for user, *_ in made.test} & of_cold
    assert not {user for user, *_ in made.train + made.valid} & of_cold
    report = made.report
    assert report["balance"]["unaccounted"] == 0
    assert report["events of cold items"] > 0
    assert report["events of cold users"] > 0
    assert (report["events in the gap"] > 0) == bool(gap)
