"""What the behaviour job leaves out, counts, writes beside the records, and refuses."""

import collections
import json
import pathlib
import subprocess
import sys

import behaviour_world as world
import pyarrow.parquet as pq
import pytest

from pipelines import behaviour
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import Kind, Owner

REPOSITORY = pathlib.Path(__file__).parent.parent.parent


@pytest.mark.parametrize("kind", world.KINDS)
def test_what_is_cleaned_away_leaves_no_trace_and_the_totals_add_up(tmp_path, kind):
    events = [event for event in world.random_events() if event[0] != "user 1"]
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
    folder = world.write_input(tmp_path / "in", [*named, *robot, ("user 2", "zzz", "view", "1")])
    made = world.run_job(folder, tmp_path / "out", world.config_of(kind, **settings))

    positive = [event for event in named if event[2] != "hate"]
    core, had = {(user, item) for user, item, *_ in positive}, 0
    while had != len(core):
        had = len(core)
        users, items = (collections.Counter(column) for column in zip(*core, strict=True))
        core = {pair for pair in core if users[pair[0]] >= 3 and items[pair[1]] >= 4}
    left = [event for event in positive if event[:2] in core]
    assert 0 < len(core) < len({event[:2] for event in positive})
    expected = world.splits_by_hand(left, kind)
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
            "events rejected", "negative events", "events of robots", "exact duplicates",
            "repeats dropped", "events outside the core", "train", "valid", "test",
            "events of users without training",
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
    assert sorted(users) == sorted({event[0] for event in world.random_events()})
    features = {f.name: f for f in behaviour.behaviour_features(made.folder, world.config_of(kind))}
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
    folder = world.write_input(
        tmp_path / "in", [("u", f"{item:03d}", "view", str(item)) for item in range(8)]
    )
    with open(folder / "interactions.csv", "a", encoding="utf-8") as file:
        file.write(
            ",001,view,9\nbroken\nu,unknown,view,9\nu,,view,9\nu,0\x0701,view,9\nu,001,view,noon\n"
        )
    made = world.run_job(folder, tmp_path / "out", world.config_of(max_reject_share=0.5))
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
    "a pattern without files": (world.HEADER + GOOD, ["data.interactions=events-*.csv"],
                                "matches no file"),
    "a pattern that leaves the folder": (world.HEADER + GOOD, ["data.interactions=../*/*.csv"],
                                         "must lie below"),
    "a catalogue elsewhere": (world.HEADER + GOOD, ["data.items=../items.csv"], "must lie below"),
    "no catalogue": (world.HEADER + GOOD, ["data.items=films.csv"], "films.csv does not exist"),
    "an empty log": ("", [], "interactions.csv is empty"),
    "a header alone": (world.HEADER, [], "hold no event"),
    "a missing column": ("user_id,item_id\nu,000\n", [], "no column ['timestamp']"),
    "too many rejects": (world.HEADER + GOOD + "u,x,view,4\n", ["data.max_reject_share=0.2"],
                         "1 of 4 events of the logs (interactions.csv) were rejected"),
    "rejects alone": (world.HEADER + "u,x,view,4\n", ["data.max_reject_share=1.0"],
                      "item_id is not in the catalogue (1, such as interactions.csv:2)"),
    "times are missing": (world.HEADER + GOOD + "u,003,view,\n", ["data.split=temporal"],
                          "1 events of the logs"),
    "nothing to train on": (world.HEADER + "u,000,view,1\n", ["data.split=temporal"],
                            "left to train on"),
    "a record without end": (world.HEADER + GOOD + 'u,003,"' + "x" * (12 * 2**20), [],
                             "cannot be read behind row"),
    "an option nobody has": (world.HEADER + GOOD, ["data.shards=1", "--no_such_option=1"],
                             "no_such_option"),
    "a setting nobody has": (world.HEADER + GOOD, ["data.shard=1"], "data.shard: unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_clear_line_and_leaves_nothing(tmp_path, capsys, name):
    log, options, said = BAD_INPUT[name]
    folder = world.write_input(tmp_path / "in", [])
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
    folder = world.write_input(tmp_path / "in", [("u", "unknown", "view", "1")])
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
    world.write_input(tmp_path / "in", world.random_events())
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
    world.write_input(tmp_path / "in", world.random_events())
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
