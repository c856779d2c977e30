"""Which events the behaviour job puts where, and that nothing but the events matters."""

import collections
import csv
import dataclasses
import gzip
import json
import math
import pathlib
import subprocess
import sys

import behaviour_world as world
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as csv_reader

from pipelines import behaviour, table_blocks
from tfrs_mm.data.catalogue import ItemCounts


def test_the_splits_are_those_of_the_rule(made):
    kind, made = made
    expected = world.splits_by_hand(world.random_events(), kind)
    for name in ("train", "valid", "test"):
        assert sorted(getattr(made, name)) == sorted(expected[name])
        assert made.report[name] == len(expected[name]) > 0
    before = {"valid": ("train",), "test": ("train", "valid"), "users": ("train", "valid", "test")}
    for name, parts in before.items():
        past = [event for part in parts for event in expected[part]]
        for user, query in made.queries[name].items():
            own = [item for owner, item, _ in past if owner == user]
            # A temporal split leaves out events of some users, which their histories to serve from
            # have.
            if name != "users" or kind == "leave_one_out":
                assert query["seen"] == own
            assert query["history"] == query["seen"][-6:]
    assert len(made.queries["users"]) == len({event[0] for event in world.random_events()})


def test_a_training_window_is_a_stretch_of_its_users_training_events(made):
    kind, made = made
    events = world.random_events()
    own = collections.defaultdict(list)
    for user, item, _ in world.splits_by_hand(events, kind)["train"]:
        own[user].append(item)
    names = {}
    for user, item, name, _ in sorted(events, key=lambda event: float(event[3])):  # stable
        names.setdefault((user, item), name or "interaction")
    for user, items, of_items, targets in made.windows:
        start = own[user].index(items[0])
        assert list(items) == own[user][start : start + len(items)]
        assert of_items == tuple(names[user, item] for item in items)
        assert targets[-1]
        # Seven events are a window; a later one predicts at most half of them, from the others.
        assert start == 0 or not any(targets[:4])


def test_ties_are_broken_by_file_and_row_and_a_repeat_counts_once(tmp_path):
    # All at second 5, in the order of the files; "000" comes back, and "004" is older than
    # everything.
    folder = world.write_input(
        tmp_path / "in",
        [("u", item, "", "5") for item in ("003", "000", "001", "000", "002")]
        + [("u", "004", "", "4")],
        logs=2,
    )
    made = world.run_job(folder, tmp_path / "out", world.config_of(interactions="log-*.csv"))
    # In order 004 003 000 001 002: the last is test, the one before validation.
    assert made.windows == [("u", ("004", "003", "000"), ("interaction",) * 3, (True,) * 3)]
    assert (made.valid, made.test) == ([("u", "001", 5)], [("u", "002", 5)])
    assert made.queries["valid"]["u"]["history"] == ["004", "003", "000"]
    assert made.queries["test"]["u"]["history"] == ["004", "003", "000", "001"]
    assert (made.report["exact duplicates"], made.report["repeats dropped"]) == (1, 0)


def test_the_number_of_shards_only_renumbers_users(made, tmp_path):
    kind, three = made
    shards = {"leave_one_out": 1, "temporal": 8}[kind]
    events = world.write_input(tmp_path / "in", world.random_events())
    other = world.run_job(events, tmp_path / "out", world.config_of(kind, shards=shards))
    for name in ("train", "valid", "test", "windows"):
        assert sorted(getattr(other, name)) == sorted(getattr(three, name))
    assert other.queries == three.queries
    assert {**other.report, "seconds": 0} == {**three.report, "seconds": 0}
    names = sorted(path.name for path in (other.folder / "behaviour").glob("*.tfrecord.gz"))
    assert names == [
        f"{name}-{shard:05d}-of-{shards:05d}.tfrecord.gz"
        for name in ("test", "train", "users", "valid")
        for shard in range(shards)
    ]


@pytest.mark.parametrize("kind", world.KINDS)
def test_an_event_to_be_predicted_leaves_no_trace_in_training(tmp_path, kind):
    planted = (
        "user 1",
        "040",
        "view",
        "1000000",
    )  # the only one of its item, long after all others
    folder = world.write_input(tmp_path / "in", [planted, *world.random_events()], items=41)
    made = world.run_job(folder, tmp_path / "out", world.config_of(kind))
    assert ("user 1", "040", 1_000_000) in made.test
    assert not any("040" in items for _, items, _, _ in made.windows)
    for name in ("valid", "test"):
        assert not any(
            "040" in query["history"] + query["seen"] for query in made.queries[name].values()
        )
    assert "040" in made.queries["users"]["user 1"]["seen"]
    counts = ItemCounts.read(made.folder / "behaviour" / "item_counts.npz")
    assert not counts.counts[41].any()  # "040" is on row 41
    assert (counts.first_time[41], counts.last_time[41]) == (-1, -1)
    assert counts.time_edges[-1] <= 60  # not even its time shows: others are at 0 to 59
    assert counts.counts.sum() == len(made.train)


def expect_those_of_the_bench(
    made: world.Made,
    input_dir: pathlib.Path,
    kind: str,
    bench: pathlib.Path,
    shared_dir: pathlib.Path,
) -> None:
    """Compares with what the shared bench cuts, run as a program of its own."""
    subprocess.run(
        [
            sys.executable, shared_dir / "bench" / "prepare.py", "split", "--data", input_dir,
            "--kind", {"leave_one_out": "loo", "temporal": "temporal"}[kind], "--out", bench,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    for name in ("train", "valid", "test"):
        with open(bench / f"{name}.csv", newline="", encoding="utf-8") as file:
            expected = [
                (r["user_id"], r["item_id"], math.floor(float(r["timestamp"])))
                for r in csv.DictReader(file)
            ]
        assert sorted(getattr(made, name)) == sorted(expected)
    counted = json.loads((bench / "split.json").read_text())
    # Whoever counts one item of a user once drops duplicates as repeats.
    repeats = made.report["exact duplicates"] + made.report["repeats dropped"]
    assert repeats == counted["repeats_dropped"]
    for theirs, ours in {"train": "train", "valid": "valid",
                         "test": "test", "users": "users", "items": "items"}.items():  # fmt: skip
        assert made.report[ours] == counted[theirs]
    assert sorted(made.queries["test"]) == sorted({user for user, _, _ in made.test})


def test_the_splits_of_random_events_are_those_of_the_shared_bench(made, tmp_path, shared_dir):
    kind, made = made
    input_dir = world.write_input(tmp_path / "in", world.random_events())
    expect_those_of_the_bench(made, input_dir, kind, tmp_path / "bench", shared_dir)


@pytest.mark.parametrize("kind", world.KINDS)
def test_the_splits_of_real_events_are_those_of_the_shared_bench(tmp_path, kind, shared_dir):
    input_dir = shared_dir / "data" / "xwines_100"
    made = world.run_job(input_dir, tmp_path / "out", world.config_of(kind))
    expect_those_of_the_bench(made, input_dir, kind, tmp_path / "bench", shared_dir)


def test_the_splits_without_some_times_are_those_of_the_shared_bench(tmp_path, shared_dir):
    generator = np.random.default_rng(5)
    folder = world.write_input(tmp_path / "in", [])
    rows = ["user_id,item_id,timestamp,order"]
    for user, item, time, place in generator.integers(0, [12, 40, 9, 9], (150, 4)):
        timestamp = "" if time % 3 == 0 else str(time - 5.25)  # negative ones as well
        rows.append(f"user {user},{item:03d},{timestamp},{place if place % 2 else ''}")
    (folder / "interactions.csv").write_text("\n".join(rows) + "\n")
    made = world.run_job(folder, tmp_path / "out", world.config_of())
    expect_those_of_the_bench(made, folder, "leave_one_out", tmp_path / "bench", shared_dir)


def test_the_records_do_not_depend_on_blocks_or_on_how_the_log_is_cut(made, tmp_path, monkeypatch):
    kind, one = made
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 512)
    many = tmp_path / "out"
    many.mkdir()
    behaviour.run(
        world.write_input(tmp_path / "in", world.random_events(), logs=4),
        many,
        world.config_of(kind, interactions="log-*.csv"),
    )
    files = sorted(path.relative_to(many) for path in many.rglob("*.gz"))
    assert len(files) == 4 * 3  # record sets by shards
    vocabularies = sorted(path.relative_to(many) for path in many.rglob("*.txt"))
    assert [path.stem for path in vocabularies] == ["events", "genres", "items", "users"]
    for path in files + vocabularies:
        assert (one.folder / path).read_bytes() == (many / path).read_bytes(), path
    counts = [
        ItemCounts.read(folder / "behaviour" / "item_counts.npz") for folder in (one.folder, many)
    ]
    for field in dataclasses.fields(ItemCounts):
        np.testing.assert_array_equal(
            getattr(counts[0], field.name), getattr(counts[1], field.name)
        )


def write_as(folder: pathlib.Path, suffix: str) -> None:
    """Puts a table of their own column names beside each of `world.write_input`."""
    for name, theirs in (("interactions", {"user_id": "who", "timestamp": "at"}), ("items", {})):
        table = csv_reader.read_csv(
            folder / f"{name}.csv",
            convert_options=csv_reader.ConvertOptions(
                column_types={"timestamp": pa.float64(), "item_id": pa.string()}
            ),
        )
        if name == "items":
            lists = pa.array([genres.split("|") for genres in table.column("genres").to_pylist()])
            table = table.set_column(table.column_names.index("genres"), "genres", lists)
        table = table.rename_columns([theirs.get(column, column) for column in table.column_names])
        if suffix == ".parquet":
            pq.write_table(table, folder / f"{name}{suffix}")
        else:
            lines = "".join(json.dumps(row) + "\n" for row in table.to_pylist())
            (folder / f"{name}{suffix}").write_bytes(gzip.compress(lines.encode()))


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".parquet"])
def test_the_records_do_not_depend_on_the_format_of_the_tables(made, tmp_path, suffix):
    kind, one = made
    write_as(world.write_input(tmp_path / "in", world.random_events()), suffix)
    settings = {
        "interactions": f"interactions{suffix}",
        "items": f"items{suffix}",
        "interaction_columns": ["user_id=who", "timestamp=at"],
    }
    other = world.run_job(tmp_path / "in", tmp_path / "out", world.config_of(kind, **settings))
    files = [path for path in one.folder.rglob("*") if path.suffix in (".gz", ".txt")]
    assert len(files) == 4 * 3 + 4
    for path in files:
        there = other.folder / path.relative_to(one.folder)
        assert path.read_bytes() == there.read_bytes(), path
    assert {**other.report, "seconds": 0} == {**one.report, "seconds": 0}
