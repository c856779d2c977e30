"""A run that goes on from a former one ends where a run over all logs ends."""

import itertools
import json
import shutil

import behaviour_world as world
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines import behaviour
from pipelines.event_store import places_of
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.item_neighbours import KINDS, NeighbourTables
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

SETTINGS = {
    "interactions": "logs/*.csv",
    "events": ["view=1", "buy=2", "interaction=1", "hate=-1"],
    "max_events_per_hour": 40,
    "min_item_events": 2,
    "max_reject_share": 0.9,
    "transition_window": 3,
}
DAYS, ITEMS = (2, 0, 1), (25, 33, 40)  # which log comes when, and how far the catalogue reaches


def written(folder, days, items):
    """Logs of these days: late events among them, items before they are in the catalogue, rows that
    are none."""
    events = world.random_events()
    generator = np.random.default_rng(5)
    day_of = generator.integers(0, 3, len(events))
    (folder / "logs").mkdir(parents=True)
    for day in days:
        rows = [
            ",".join((user, item, "hate" if place % 9 == 0 else name, time)) + "\n"
            for place, (user, item, name, time) in enumerate(events)
            if day_of[place] == day
        ]
        rows[3:3] = ["user 1,001,view,noon\n", "user 2\n", ",002,view,3\n"]
        (folder / "logs" / f"day-{day}.csv").write_text(world.HEADER + "".join(rows))
    # The newest come first.
    lines = "".join(f"{item:03d},{'x|y' if item % 2 else f'z{item}'}\n" for item in range(items))
    ordered = "".join(reversed(lines.splitlines(keepends=True)))
    (folder / "items.csv").write_text("item_id,genres\n" + ordered)
    return folder


@pytest.fixture(scope="module", params=world.KINDS)
def runs(request, tmp_path_factory):
    """The run over everything, and the last of three that each have one day more."""
    folder = tmp_path_factory.mktemp(request.param)
    config = world.config_of(request.param, **SETTINGS)
    whole = world.run_job(written(folder / "all", range(3), 40), folder / "whole", config)
    base, grown = None, []
    for number, (day, items) in enumerate(zip(DAYS, ITEMS, strict=True)):
        source = written(folder / f"in-{number}", [day], items)
        output = folder / f"out-{number}"
        grown.append(world.run_job(source, output, config, base))
        base = output
    return whole, grown


def test_records_are_those_of_a_run_over_all_logs(runs):
    whole, (*_, last) = runs
    for name in ("train", "valid", "test", "windows"):
        assert sorted(getattr(last, name)) == sorted(getattr(whole, name))
    assert last.queries == whole.queries


def test_counters_rejects_and_negatives_are_those_of_a_run_over_all_logs(runs):
    whole, (first, *_, last) = runs
    aside = ("seconds", "anomalies")
    reports = [{k: v for k, v in made.report.items() if k not in aside} for made in (whole, last)]
    assert reports[0] == reports[1]
    assert reports[0]["robots"] and reports[0]["negative events"]
    rejects = [(made.folder / "rejects/events.jsonl").read_bytes() for made in (whole, last)]
    assert rejects[0] == rejects[1]
    # What was unknown on the first day is an event by now.
    assert "item_id is not in the catalogue" in first.report["reasons"]
    assert "item_id is not in the catalogue" not in last.report["reasons"]
    negatives = []
    for made in (whole, last):
        items = Vocabulary.read(made.folder / "vocabulary/items.txt")
        table = pq.read_table(made.folder / "behaviour/negatives.parquet").to_pylist()
        negatives.append([row | {"item": items.ids[row["item"] - 1]} for row in table])
    assert negatives[0] == negatives[1]


def test_counts_and_neighbours_are_those_of_a_run_over_all_logs(runs):
    whole, (*_, last) = runs
    ids = [f"{item:03d}" for item in range(40)]
    tables = []
    for made in (whole, last):
        rows = Vocabulary.read(made.folder / "vocabulary/items.txt").rows_of(ids)
        counts = ItemCounts.read(made.folder / "behaviour/item_counts.npz")
        tables.append([counts.counts[rows], counts.first_time[rows], counts.last_time[rows]])
    for one, other in zip(*tables, strict=True):
        np.testing.assert_array_equal(one, other)
    lines = [_lines(made) for made in (whole, last)]
    assert lines[0] == lines[1]


def _lines(made):
    items = Vocabulary.read(made.folder / "vocabulary/items.txt")
    tables = NeighbourTables.read(made.folder / "behaviour/item_neighbours.npz")
    found = {}
    for kind in KINDS:
        table = getattr(tables, kind)
        for row, item_id in enumerate(items.ids, start=1):
            entries = zip(table.neighbours[row].tolist(), table.weights[row].tolist(), strict=True)
            found[kind, item_id] = {items.ids[near - 1]: w for near, w in entries if near}
    return found


def test_ids_keep_their_rows(runs):
    _, grown = runs
    for name in ("users", "items", "events", "genres"):
        ids = [Vocabulary.read(made.folder / f"vocabulary/{name}.txt").ids for made in grown]
        for former, later in itertools.pairwise(ids):
            assert later[: len(former)] == former
    assert len(ids[-1]) > len(ids[0])


def test_logs_that_were_read_are_not_read_again(runs, tmp_path, monkeypatch):
    whole, grown = runs
    source = whole.folder.parent / "all"
    config = world.config_of(split_of(whole), **SETTINGS)
    # All three logs lie there, and none is opened: the base has read them.
    monkeypatch.setattr("pipelines.records.read_table", None)
    again = world.run_job(source, tmp_path / "out", config, grown[-1].folder)
    assert again.queries == whole.queries
    assert "anomalies" not in again.report


def split_of(made):
    return made.folder.parent.name.removesuffix("0")


def test_the_same_run_twice_writes_the_same_bytes(runs, tmp_path):
    _, grown = runs
    folder = grown[-1].folder
    config = world.config_of(split_of(grown[-1]), **SETTINGS)
    world.run_job(folder.parent / "in-2", tmp_path / "out", config, grown[1].folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ("report.json", "anomalies.json"):
            assert (tmp_path / "out" / path.relative_to(folder)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"shards": 2}, r"was read with other settings.*data\.shards"),
        ({"events": ["view=1"]}, "was read with other settings"),
    ],
)
def test_a_base_of_other_settings_is_refused(runs, tmp_path, change, fault):
    _, grown = runs
    config = world.config_of(**(SETTINGS | change))
    with pytest.raises(UserError, match=fault):
        behaviour.run(grown[0].folder.parent / "in-1", tmp_path, config, (), grown[0].folder)


def test_a_base_without_events_is_refused(runs, tmp_path):
    config = world.config_of(**SETTINGS)
    with pytest.raises(UserError, match=r"data\.keep_events"):
        behaviour.run(runs[1][0].folder.parent / "in-1", tmp_path, config, (), tmp_path)


def test_a_log_that_has_changed_is_refused(runs, tmp_path):
    _, grown = runs
    source = shutil.copytree(grown[0].folder.parent / "in-0", tmp_path / "in")
    log = source / "logs" / f"day-{DAYS[0]}.csv"
    log.write_text(log.read_text() + "user 1,001,view,7\n")
    (tmp_path / "out").mkdir()
    config = world.config_of(**SETTINGS)
    with pytest.raises(UserError, match=rf"day-{DAYS[0]}\.csv has \d+ bytes, but had \d+"):
        behaviour.run(source, tmp_path / "out", config, (), grown[0].folder)


def test_a_catalogue_that_lost_an_item_is_refused(runs, tmp_path):
    _, grown = runs
    source = written(tmp_path / "in", [0], 20)
    (tmp_path / "out").mkdir()
    config = world.config_of(**SETTINGS)
    with pytest.raises(UserError, match="lacks 5 items of the base, such as"):
        behaviour.run(source, tmp_path / "out", config, (), grown[0].folder)


def test_a_damaged_store_is_told(runs, tmp_path):
    _, grown = runs
    base = shutil.copytree(grown[0].folder, tmp_path / "base")
    path = base / "behaviour/events/events-00000-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "out").mkdir()
    config = world.config_of(**SETTINGS)
    with pytest.raises(UserError, match=r"events-00000-of-00003\.parquet cannot be read"):
        behaviour.run(grown[0].folder.parent / "in-1", tmp_path / "out", config, (), base)


def test_logs_are_placed_by_the_parts_of_their_names():
    assert places_of(["b/1.csv", "b-1/0.csv", "b/0.csv"]) == {
        "b/0.csv": 0,
        "b/1.csv": 1,
        "b-1/0.csv": 2,
    }


def test_events_are_not_kept_where_nobody_wants_them(tmp_path):
    world.write_input(tmp_path / "in", world.random_events())
    world.run_job(tmp_path / "in", tmp_path / "out", world.config_of(keep_events=False))
    assert not (tmp_path / "out/behaviour/events").exists()
    assert json.loads((tmp_path / "out/behaviour/report.json").read_text())["train"] > 0
