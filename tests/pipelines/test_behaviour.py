import collections
import csv
import dataclasses
import gzip
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as csv_reader

from pipelines import behaviour, table_blocks
from tfrs_mm.config import Config
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import Kind, Owner, Schema

REPOSITORY = pathlib.Path(__file__).parent.parent.parent
KINDS = ["leave_one_out", "temporal"]
HEADER = "user_id,item_id,event,timestamp\n"
Event = tuple[str, str, str, str]  # user, item, event, timestamp


def config_of(kind: str = "leave_one_out", **data: object) -> Config:
    """Without statistics of the input and of pairs, which have tests of their own."""
    settings = {"shards": 3, "max_history": 6, "time_buckets": 4, "split": kind}
    settings |= {"statistics": False, "transition_window": 0, **data}
    return Config().with_overrides({f"data.{name}": value for name, value in settings.items()})


def random_events(seed: int = 7) -> list[Event]:
    """600 events of 45 users with ties and repeats; some have one or two, one has all items."""
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.minimum(generator.zipf(1.4, 600), 45))
    items, times = generator.integers(0, 40, 600), generator.integers(0, 60, 600)
    names = generator.choice(["view", "buy", ""], 600)
    return [
        (f"user {user}", f"{item:03d}", str(name), f"{time}.5" if user % 2 else str(time))
        for user, item, name, time in zip(users, items, names, times, strict=True)
    ]


def write_input(
    folder: pathlib.Path, events: list[Event], logs: int = 1, items: int = 40
) -> pathlib.Path:
    """The input folder of these events; `log-0.csv` and so on where there are several logs."""
    folder.mkdir(parents=True)
    rows = [",".join(event) + "\n" for event in events]
    for log in range(logs):
        part = rows[len(rows) * log // logs : len(rows) * (log + 1) // logs]
        name = "interactions.csv" if logs == 1 else f"log-{log}.csv"
        (folder / name).write_text(HEADER + "".join(part))
    catalogue = "".join(f"{item:03d},Title,{'x|y' if item % 2 else 'x'}\n" for item in range(items))
    (folder / "items.csv").write_text("item_id,title,genres\n" + catalogue)
    return folder


@dataclasses.dataclass
class Made:
    """A finished job, its records as ids.

    Attributes:
        train: targets `(user, item, second)`; so are `valid` and `test`.
        windows: `(user, items, names of events, which are targets)`.
        queries: by split and user, the items of `history` and `seen`.
    """

    folder: pathlib.Path
    report: dict
    train: list[tuple]
    valid: list[tuple]
    test: list[tuple]
    windows: list[tuple]
    queries: dict[str, dict]


def run_job(input_dir: pathlib.Path, folder: pathlib.Path, config: Config) -> Made:
    folder.mkdir(parents=True)
    report = behaviour.run(input_dir, folder, config)
    schema = Schema(behaviour.behaviour_features(folder, config), config.data.max_history)
    users, items, names = (
        Vocabulary.read(folder / "vocabulary" / f"{name}.txt").ids
        for name in ("users", "items", "events")
    )
    windows = read_windows(folder, schema)
    train = [
        (users[user - 1], items[item - 1], int(time))
        for user, rows, times, targets in zip(
            windows["user"],
            windows["history/item"],
            windows["history/time"],
            windows["is_target"],
            strict=True,
        )
        for item, time in zip(rows[targets], times[targets], strict=True)
    ]
    cuts = [
        (
            users[user - 1],
            tuple(items[row - 1] for row in rows[rows > 0]),
            tuple(names[row - 1] for row in events[rows > 0]),
            tuple(targets[rows > 0].tolist()),
        )
        for user, rows, events, targets in zip(
            windows["user"],
            windows["history/item"],
            windows["history/event"],
            windows["is_target"],
            strict=True,
        )
    ]
    asked, queries = {}, {}
    for name in ("valid", "test", "users"):
        read = read_queries(folder, schema, name)
        asked[name], queries[name] = [], {}
        for place, user in enumerate(users[row - 1] for row in read.user):
            of = slice(*read.targets.splits[place : place + 2])
            targets, times = read.targets.values[of], read.target_times.values[of]
            asked[name] += [
                (user, items[i - 1], int(t)) for i, t in zip(targets, times, strict=True)
            ]
            seen = read.seen.values[slice(*read.seen.splits[place : place + 2])]
            length = read.history_length[place]
            queries[name][user] = {
                "history": [items[row - 1] for row in read.history_items[place, :length]],
                "seen": [items[row - 1] for row in seen],
            }
    return Made(folder, report, train, asked["valid"], asked["test"], cuts, queries)


def splits_by_hand(events: list[Event], kind: str) -> dict[str, list[tuple]]:
    """The rule in plain Python, one event after another."""
    kept, had = [], set()
    for user, item, _, time in sorted(events, key=lambda event: float(event[3])):  # stable
        if (user, item) not in had:
            had.add((user, item))
            kept.append((user, item, int(float(time))))
    if kind == "temporal":
        a, b = int(len(kept) * 0.8), int(len(kept) * 0.9)
        known = {user for user, _, _ in kept[:a]}
        return {
            "train": kept[:a],
            "valid": [event for event in kept[a:b] if event[0] in known],
            "test": [event for event in kept[b:] if event[0] in known],
        }
    split: dict[str, list[tuple]] = {"train": [], "valid": [], "test": []}
    of_user = collections.defaultdict(list)
    for event in kept:
        of_user[event[0]].append(event)
    for own in of_user.values():
        cut = len(own) - 2 if len(own) >= 3 else len(own)
        split["train"] += own[:cut]
        split["valid"] += own[cut : cut + 1]
        split["test"] += own[cut + 1 :]
    return split


@pytest.fixture(scope="module", params=KINDS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Made]:
    """The finished job of `random_events`, of either split."""
    folder = tmp_path_factory.mktemp(request.param)
    write_input(folder / "in", random_events())
    return request.param, run_job(folder / "in", folder / "out", config_of(request.param))


def test_the_splits_are_those_of_the_rule(made):
    kind, made = made
    expected = splits_by_hand(random_events(), kind)
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
    assert len(made.queries["users"]) == len({event[0] for event in random_events()})


def test_a_training_window_is_a_stretch_of_its_users_training_events(made):
    kind, made = made
    events = random_events()
    own = collections.defaultdict(list)
    for user, item, _ in splits_by_hand(events, kind)["train"]:
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
    folder = write_input(
        tmp_path / "in",
        [("u", item, "", "5") for item in ("003", "000", "001", "000", "002")]
        + [("u", "004", "", "4")],
        logs=2,
    )
    made = run_job(folder, tmp_path / "out", config_of(interactions="log-*.csv"))
    # In order 004 003 000 001 002: the last is test, the one before validation.
    assert made.windows == [("u", ("004", "003", "000"), ("interaction",) * 3, (True,) * 3)]
    assert (made.valid, made.test) == ([("u", "001", 5)], [("u", "002", 5)])
    assert made.queries["valid"]["u"]["history"] == ["004", "003", "000"]
    assert made.queries["test"]["u"]["history"] == ["004", "003", "000", "001"]
    assert made.report["repeats dropped"] == 1


def test_the_number_of_shards_only_renumbers_users(made, tmp_path):
    kind, three = made
    shards = {"leave_one_out": 1, "temporal": 8}[kind]
    events = write_input(tmp_path / "in", random_events())
    other = run_job(events, tmp_path / "out", config_of(kind, shards=shards))
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


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_to_be_predicted_leaves_no_trace_in_training(tmp_path, kind):
    planted = (
        "user 1",
        "040",
        "view",
        "1000000",
    )  # the only one of its item, long after all others
    folder = write_input(tmp_path / "in", [planted, *random_events()], items=41)
    made = run_job(folder, tmp_path / "out", config_of(kind))
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
    made: Made, input_dir: pathlib.Path, kind: str, bench: pathlib.Path, shared_dir: pathlib.Path
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
    for theirs, ours in {"repeats_dropped": "repeats dropped", "train": "train", "valid": "valid",
                         "test": "test", "users": "users", "items": "items"}.items():  # fmt: skip
        assert made.report[ours] == counted[theirs]
    assert sorted(made.queries["test"]) == sorted({user for user, _, _ in made.test})


def test_the_splits_of_random_events_are_those_of_the_shared_bench(made, tmp_path, shared_dir):
    kind, made = made
    input_dir = write_input(tmp_path / "in", random_events())
    expect_those_of_the_bench(made, input_dir, kind, tmp_path / "bench", shared_dir)


@pytest.mark.parametrize("kind", KINDS)
def test_the_splits_of_real_events_are_those_of_the_shared_bench(tmp_path, kind, shared_dir):
    input_dir = shared_dir / "data" / "xwines_100"
    made = run_job(input_dir, tmp_path / "out", config_of(kind))
    expect_those_of_the_bench(made, input_dir, kind, tmp_path / "bench", shared_dir)


def test_the_splits_without_some_times_are_those_of_the_shared_bench(tmp_path, shared_dir):
    generator = np.random.default_rng(5)
    folder = write_input(tmp_path / "in", [])
    rows = ["user_id,item_id,timestamp,order"]
    for user, item, time, place in generator.integers(0, [12, 40, 9, 9], (150, 4)):
        timestamp = "" if time % 3 == 0 else str(time - 5.25)  # negative ones as well
        rows.append(f"user {user},{item:03d},{timestamp},{place if place % 2 else ''}")
    (folder / "interactions.csv").write_text("\n".join(rows) + "\n")
    made = run_job(folder, tmp_path / "out", config_of())
    expect_those_of_the_bench(made, folder, "leave_one_out", tmp_path / "bench", shared_dir)


def test_the_records_do_not_depend_on_blocks_or_on_how_the_log_is_cut(made, tmp_path, monkeypatch):
    kind, one = made
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 512)
    many = tmp_path / "out"
    many.mkdir()
    behaviour.run(
        write_input(tmp_path / "in", random_events(), logs=4),
        many,
        config_of(kind, interactions="log-*.csv"),
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
    """Puts a table of their own column names beside each of `write_input`."""
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
    write_as(write_input(tmp_path / "in", random_events()), suffix)
    settings = {
        "interactions": f"interactions{suffix}",
        "items": f"items{suffix}",
        "interaction_columns": ["user_id=who", "timestamp=at"],
    }
    other = run_job(tmp_path / "in", tmp_path / "out", config_of(kind, **settings))
    files = [path for path in one.folder.rglob("*") if path.suffix in (".gz", ".txt")]
    assert len(files) == 4 * 3 + 4
    for path in files:
        there = other.folder / path.relative_to(one.folder)
        assert path.read_bytes() == there.read_bytes(), path
    assert {**other.report, "seconds": 0} == {**one.report, "seconds": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cleaned_away_leaves_no_trace_and_the_totals_add_up(tmp_path, kind):
    events = [event for event in random_events() if event[0] != "user 1"]
    robot = [("robot", f"{item:03d}", "view", str(60 * item)) for item in range(40)]
    named = [
        (user, item, "hate" if (place % 7 == 0) else name or "view", time)
        for place, (user, item, name, time) in enumerate(events)
    ]
    settings = {
        "events": ["view=1", "buy=5", "hate=-1"],
        # 40 events in 40 minutes; all others have theirs within one.
        "max_events_per_hour": 39,
        "min_user_events": 3,
        "min_item_events": 4,
    }
    counts = collections.Counter(user for user, *_ in named)
    named = [event for event in named if counts[event[0]] < 40]
    folder = write_input(tmp_path / "in", [*named, *robot, ("user 2", "zzz", "view", "1")])
    made = run_job(folder, tmp_path / "out", config_of(kind, **settings))

    positive = [event for event in named if event[2] != "hate"]
    core, had = {(user, item) for user, item, *_ in positive}, 0
    while had != len(core):
        had = len(core)
        users, items = (collections.Counter(column) for column in zip(*core, strict=True))
        core = {pair for pair in core if users[pair[0]] >= 3 and items[pair[1]] >= 4}
    left = [event for event in positive if event[:2] in core]
    assert 0 < len(core) < len({event[:2] for event in positive})
    expected = splits_by_hand(left, kind)
    for name in ("train", "valid", "test"):
        assert sorted(getattr(made, name)) == sorted(expected[name])
    read = pq.read_table(made.folder / "behaviour" / "negatives.parquet")
    items = Vocabulary.read(made.folder / "vocabulary" / "items.txt")
    found = zip(read["user_id"].to_pylist(), items.ids_of(read["item"]), read["time"].to_pylist(),
                strict=True)  # fmt: skip
    hated = [(user, item, float(time)) for user, item, name, time in named if name == "hate"]
    assert sorted(found) == sorted(hated)
    assert Vocabulary.read(made.folder / "vocabulary" / "events.txt").ids == ("buy", "view")
    report = made.report
    assert (report["robots"], report["events of robots"]) == (1, 40)
    assert report["events read"] == len(named) + 40 + 1
    assert report["events read"] == sum(
        report[name]
        for name in (
            "events rejected", "negative events", "events of robots", "repeats dropped",
            "events outside the core", "train", "valid", "test", "events of users without training",
        )
    )  # fmt: skip
    rejects = (made.folder / "rejects" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["where"] for line in rejects] == [
        f"interactions.csv:{len(named) + 40 + 2}",
        "user robot",
    ]


def test_items_are_counted_in_the_training_range_only(made):
    _, made = made
    counts = ItemCounts.read(made.folder / "behaviour" / "item_counts.npz")
    rows = Vocabulary.read(made.folder / "vocabulary" / "items.txt")
    by_row = collections.defaultdict(list)
    for _, item, second in made.train:
        by_row[int(rows.rows_of([item])[0])].append(second)
    assert counts.counts.shape == (41, len(counts.time_edges) - 1)
    for row in range(41):
        times = by_row[row]
        assert counts.first_time[row] == min(times, default=-1)
        assert counts.last_time[row] == max(times, default=-1)
        for bucket, count in enumerate(counts.counts[row]):
            low, high = counts.time_edges[bucket : bucket + 2]
            assert count == sum(low <= time < high for time in times)


def test_vocabularies_and_features_are_those_of_the_input(made):
    kind, made = made
    folder = made.folder / "vocabulary"
    assert Vocabulary.read(folder / "items.txt").ids == tuple(f"{item:03d}" for item in range(40))
    assert Vocabulary.read(folder / "events.txt").ids == ("buy", "interaction", "view")
    assert Vocabulary.read(folder / "genres.txt").ids == ("x", "y")
    users = Vocabulary.read(folder / "users.txt").ids
    assert sorted(users) == sorted({event[0] for event in random_events()})
    features = {f.name: f for f in behaviour.behaviour_features(made.folder, config_of(kind))}
    assert list(features) == ["user", "item", "event", "genres"]
    assert features["user"].size == len(users) + 1
    assert (features["item"].size, features["event"].size) == (41, 4)
    genres = features["genres"]
    assert (genres.owner, genres.kind, genres.size, genres.width) == (
        Owner.ITEM,
        Kind.CATEGORY,
        3,
        8,
    )
    assert made.report == json.loads((made.folder / "behaviour" / "report.json").read_text())


def test_rejects_are_kept_with_their_reasons(tmp_path):
    folder = write_input(
        tmp_path / "in", [("u", f"{item:03d}", "view", str(item)) for item in range(8)]
    )
    with open(folder / "interactions.csv", "a", encoding="utf-8") as file:
        file.write(
            ",001,view,9\nbroken\nu,unknown,view,9\nu,,view,9\nu,0\x0701,view,9\nu,001,view,noon\n"
        )
    made = run_job(folder, tmp_path / "out", config_of(max_reject_share=0.5))
    rejects = [
        json.loads(line)
        for line in (made.folder / "rejects" / "events.jsonl").open(encoding="utf-8")
    ]

    def record(user: str, item: str, time: str = "9") -> dict[str, str]:
        return {"user_id": user, "item_id": item, "event": "view", "timestamp": time}

    # A header and eight events stand before them.
    expected = [
        ("user_id is empty", 10, record("", "001")),
        ("the row has not as many cells as the header", 11, {"row": "broken"}),
        ("item_id is not in the catalogue", 12, record("u", "unknown")),
        ("item_id is empty", 13, record("u", "")),
        ("item_id has control characters", 14, record("u", "0\x0701")),
        ("timestamp is neither a number nor an ISO 8601 time", 15, record("u", "001", "noon")),
    ]
    assert sorted(rejects, key=lambda reject: reject["where"]) == [
        {"reason": reason, "where": f"interactions.csv:{row}", "record": kept}
        for reason, row, kept in expected
    ]
    assert (made.report["events read"], made.report["events rejected"]) == (14, 6)
    assert made.report["reasons"] == {reason: 1 for reason, _, _ in expected}
    # Of the eight good events six train.
    assert [made.report[name] for name in ("users", "train", "valid", "test")] == [1, 6, 1, 1]
    assert (made.folder / "rejects" / "items.jsonl").read_text() == ""


GOOD = "u,000,view,1\nu,001,view,2\nu,002,view,3\n"
BAD_INPUT = {
    "a pattern without files": (HEADER + GOOD, ["data.interactions=events-*.csv"],
                                "matches no file"),
    "a pattern that leaves the folder": (HEADER + GOOD, ["data.interactions=../*/*.csv"],
                                         "must lie below"),
    "a catalogue elsewhere": (HEADER + GOOD, ["data.items=../items.csv"], "must lie below"),
    "no catalogue": (HEADER + GOOD, ["data.items=films.csv"], "films.csv does not exist"),
    "an empty log": ("", [], "interactions.csv is empty"),
    "a header alone": (HEADER, [], "hold no event"),
    "a missing column": ("user_id,item_id\nu,000\n", [], "no column ['timestamp']"),
    "too many rejects": (HEADER + GOOD + "u,x,view,4\n", ["data.max_reject_share=0.2"],
                         "1 of 4 events of the logs (interactions.csv) were rejected"),
    "rejects alone": (HEADER + "u,x,view,4\n", ["data.max_reject_share=1.0"],
                      "item_id is not in the catalogue (1, such as interactions.csv:2)"),
    "times are missing": (HEADER + GOOD + "u,003,view,\n", ["data.split=temporal"],
                          "1 events of the logs"),
    "nothing to train on": (HEADER + "u,000,view,1\n", ["data.split=temporal"], "left to train on"),
    "a record without end": (HEADER + GOOD + 'u,003,"' + "x" * (12 * 2**20), [],
                             "cannot be read behind row"),
    "an option nobody has": (HEADER + GOOD, ["data.shards=1", "--no_such_option=1"],
                             "no_such_option"),
    "a setting nobody has": (HEADER + GOOD, ["data.shard=1"], "data.shard: unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_clear_line_and_leaves_nothing(tmp_path, capsys, name):
    log, options, said = BAD_INPUT[name]
    folder = write_input(tmp_path / "in", [])
    (folder / "interactions.csv").write_text(log)
    arguments = ["--input", str(folder), "--output", str(tmp_path / "out")]
    for option in options:
        arguments += [option] if option.startswith("--") else ["--set", option]
    assert behaviour.main(arguments) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert said in written.err
    assert written.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_old_output_stays_when_the_new_one_fails(tmp_path, capsys):
    folder = write_input(tmp_path / "in", [("u", "unknown", "view", "1")])
    output = tmp_path / "out"
    output.mkdir()
    (output / "old.txt").write_text("old")
    arguments = ["--input", str(folder), "--output", str(output)]
    assert behaviour.main(arguments) == 2
    assert "not empty" in capsys.readouterr().err
    assert behaviour.main([*arguments, "--overwrite"]) == 2
    assert "were rejected" in capsys.readouterr().err
    assert [path.name for path in output.iterdir()] == ["old.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_the_job_runs_by_itself_and_says_nothing_but_its_report(tmp_path):
    write_input(tmp_path / "in", random_events())
    command = [
        sys.executable, "-m", "pipelines.behaviour",
        "--input", tmp_path / "in", "--output", tmp_path / "out",
        "--direct_num_workers=2", "--direct_running_mode=multi_threading",
    ]  # fmt: skip
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    assert json.loads(answer.stdout)["events read"] == 600
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "behaviour",
        "rejects",
        "vocabulary",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("made", ["temporal"], indirect=True)  # the split with more between workers
def test_worker_processes_make_the_same_records(made, tmp_path):
    kind, one = made
    write_input(tmp_path / "in", random_events())
    command = [
        sys.executable, "-m", "pipelines.behaviour",
        "--input", tmp_path / "in", "--output", tmp_path / "out",
        "--set", f"data.split={kind}", "--set", "data.shards=3", "--set", "data.max_history=6",
        "--set", "data.time_buckets=4", "--set", "data.statistics=false",
        "--set", "data.transition_window=0",
        "--direct_num_workers=2", "--direct_running_mode=multi_processing",
    ]  # fmt: skip
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    files = [path for path in one.folder.rglob("*") if path.suffix in (".gz", ".txt", ".jsonl")]
    assert len(files) == 4 * 3 + 4 + 2  # record sets by shards, vocabularies, rejects
    for path in files:
        assert (
            path.read_bytes() == (tmp_path / "out" / path.relative_to(one.folder)).read_bytes()
        ), path
    report = json.loads((tmp_path / "out" / "behaviour" / "report.json").read_text())
    assert {**report, "seconds": 0} == {**one.report, "seconds": 0}


def test_importing_the_jobs_leaves_logging_as_it_was():
    code = (
        "import logging; logging.disable(5); import pipelines\n"
        "assert logging.root.manager.disable == 5 and not logging.root.handlers"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
