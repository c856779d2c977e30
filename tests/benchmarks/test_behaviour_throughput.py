"""The benchmark's forms of the behaviour job make what the job makes; how fast is not asked."""

import collections
import csv
import importlib
import pathlib
import shutil
import sys
import types

import pytest

from pipelines import behaviour
from tfrs_mm.config import Config
from tfrs_mm.data.tfrecord import read_tfrecord, shard_name, write_tfrecord

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
EVENTS, USERS, ITEMS, SHARDS = 2_000, 120, 60, 3


@pytest.fixture(scope="module")
def benchmarks():
    """The scripts as modules; they import each other by name, as scripts of one folder do."""
    names = ("synthetic_log", "child_runs", "one_element_form", "behaviour_throughput")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield types.SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def log(benchmarks, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("benchmark") / "log"
    return benchmarks.synthetic_log.write_log(folder, EVENTS, USERS, ITEMS, seed=4)


@pytest.fixture(scope="module")
def written(benchmarks, log) -> dict[str, str]:
    """What the job makes."""
    output = log.parent / "job"
    output.mkdir()
    settings = {"shards": SHARDS, "max_history": 20, "statistics": False, "transition_window": 0}
    config = Config().with_overrides({f"data.{name}": value for name, value in settings.items()})
    behaviour.run(log, output, config)
    return benchmarks.behaviour_throughput.written(output)


def test_the_form_of_one_element_an_event_makes_the_same(benchmarks, log, written):
    output = log.parent / "one element"
    benchmarks.one_element_form.run(log, output, SHARDS, max_history=20)
    assert benchmarks.behaviour_throughput.written(output) == written


def test_the_polars_form_makes_the_same(benchmarks, log, written):
    pytest.importorskip("polars", reason="comes with the extra bench")
    polars_form = importlib.import_module("polars_form")
    output = log.parent / "polars"
    polars_form.run(log, output, SHARDS, max_history=20)
    assert benchmarks.behaviour_throughput.written(output) == written


def test_what_is_compared_is_there(written):
    counts = {what.split(" ", 1)[1]: int(what.split(" ")[0]) for what in written}
    assert counts["items of the vocabulary"] == ITEMS
    assert counts["events of the vocabulary"] == 4
    assert counts["records of train"] > counts["users of the vocabulary"]  # long ones are cut
    assert 0 < counts["records of test"] == counts["records of valid"] <= USERS
    assert counts["rejects"] > 0


def test_one_other_record_shows(benchmarks, log, written, tmp_path):
    shutil.copytree(log.parent / "job", tmp_path / "job")
    path = tmp_path / "job" / "behaviour" / shard_name("test", 1, SHARDS)
    first, *others = read_tfrecord(path)
    write_tfrecord(path, [first[:-1] + bytes([first[-1] ^ 1]), *others])
    other = benchmarks.behaviour_throughput.written(tmp_path / "job")
    differing = {what for what in written if other.get(what) != written[what]}
    assert [what.split(" ", 1)[1] for what in differing] == ["records of test"]


def test_a_log_is_the_same_for_the_same_seed_and_in_the_order_of_time(benchmarks, log, tmp_path):
    again = benchmarks.synthetic_log.write_log(tmp_path / "log", EVENTS, USERS, ITEMS, seed=4)
    text = (again / "interactions.csv").read_bytes()
    assert text == (log / "interactions.csv").read_bytes()
    with open(log / "interactions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    times = [int(row["timestamp"]) for row in rows]
    assert len(rows) == EVENTS and times == sorted(times)
    frequent = collections.Counter(row["item_id"] for row in rows).most_common()
    # Zipf: the first of 60 items has 1 / (1 + 1/2 + ... + 1/60) = 21% of the events.
    assert 0.17 < frequent[0][1] / EVENTS < 0.26


def test_a_command_that_fails_says_why(benchmarks):
    with pytest.raises(RuntimeError, match="no such thing"):
        benchmarks.child_runs.run_child(["-c", "raise SystemExit('no such thing')"])


def test_a_child_is_measured_by_itself(benchmarks):
    run = benchmarks.child_runs.run_child(["-c", "print('done')"])
    assert run.said == "done" and 0 < run.seconds
    assert run.peak_mib < 60  # a bare Python, not this process with Beam in it
