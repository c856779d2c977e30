"""Every runner at hand gives the same counters and the same bytes."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import apache_beam as beam
import behaviour_world
import media_world
import pytest
from apache_beam.metrics import Metrics

from pipelines import behaviour, media
from pipelines.runners import counters, new_pipeline, run_pipeline
from tfrs_mm.config import Config
from tfrs_mm.errors import UserError

PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
RUNNERS = ["processes", "portable"]


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> Iterator[dict[str, tuple[str, ...]]]:
    """What Beam is told for each runner; the job service for Python lives as long as the module."""
    port = tmp_path_factory.mktemp("service") / "port"
    command = [
        sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main",
        "--port", "0", "--port_file", str(port),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        try:
            for _ in range(600):
                if port.is_file() or service.poll() is not None:
                    break
                time.sleep(0.1)
            portable = (
                "--runner=PortableRunner",
                f"--job_endpoint=localhost:{port.read_text()}",
                "--environment_type=LOOPBACK",
            )
            yield {"memory": (), "processes": PROCESSES, "portable": portable}
        finally:
            service.terminate()


@dataclasses.dataclass
class Output:
    """What a job wrote: the bytes of every file by its name, the report without its seconds."""

    files: dict[str, bytes]
    report: dict

    @classmethod
    def of(cls, folder: pathlib.Path, report: dict) -> "Output":
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "report.json"
        }
        return cls(files, {**report, "seconds": 0})


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> tuple[pathlib.Path, Config]:
    """Three logs with ties, repeats, negative events, rejects, and a column of their own."""
    folder = tmp_path_factory.mktemp("logs") / "in"
    events = [
        (user, item, "hate" if place % 9 == 0 else name or "view", time)
        for place, (user, item, name, time) in enumerate(behaviour_world.random_events())
    ]
    behaviour_world.write_input(folder, [*events, ("u", "none", "view", "1")], logs=3)
    for log in folder.glob("log-*.csv"):
        head, *rows = log.read_text().splitlines()
        wider = [f"{head},page", *(f"{row},{len(row)}" for row in rows), "cut off"]
        log.write_text("\n".join(wider) + "\n")
    settings = {
        "interactions": "log-*.csv", "events": ["view=1", "buy=5", "hate=-1"],
        "min_user_events": 2, "statistics": True, "transition_window": 4,
    }  # fmt: skip
    return folder, behaviour_world.config_of("temporal", **settings)


def behaviour_output(
    logs: tuple[pathlib.Path, Config], folder: pathlib.Path, beam_args: tuple[str, ...]
) -> Output:
    report = behaviour.run(logs[0], folder, logs[1], beam_args)
    assert report == json.loads((folder / "behaviour" / "report.json").read_text())
    return Output.of(folder, report)


def media_output(shop, encoders, folder: pathlib.Path, beam_args: tuple[str, ...]) -> Output:
    media_world.write_vocabularies(folder, media_world.IDS, ["new", "old"])
    config, schema = media_world.small_config(), media_world.SCHEMA
    report = media.run(shop, folder, config, encoders, schema, beam_args)
    return Output.of(folder, report)


@pytest.fixture(scope="module")
def behaviour_in_memory(logs, tmp_path_factory) -> Output:
    return behaviour_output(logs, tmp_path_factory.mktemp("behaviour"), ())


@pytest.fixture(scope="module")
def media_in_memory(shop, encoders, tmp_path_factory) -> Output:
    return media_output(shop, encoders, tmp_path_factory.mktemp("media"), ())


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_behaviour_job_is_the_same_on_every_runner(
    logs, behaviour_in_memory, options, tmp_path, runner
):
    expected, found = behaviour_in_memory, behaviour_output(logs, tmp_path, options[runner])
    # Four record sets of three shards, counts, neighbours, negatives, statistics, anomalies; kept
    # events of three partitions and what they are; vocabularies of items, users, events and genres,
    # and the weights of kinds; rejects of events and of items.
    assert len(expected.files) == 12 + 5 + 3 + 1 + 5 + 2
    assert expected.report["events rejected"] == 4  # one unknown item, and a row of every log
    assert_equal(found, expected)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_media_job_is_the_same_on_every_runner(
    shop, encoders, media_in_memory, options, tmp_path, runner
):
    found = media_output(shop, encoders, tmp_path, options[runner])
    assert media_in_memory.report["embedded"] == {"image": 23, "text": 23, "audio": 7, "video": 4}
    assert_equal(found, media_in_memory)


def assert_equal(found: Output, expected: Output) -> None:
    assert sorted(found.files) == sorted(expected.files)
    differing = [name for name, content in expected.files.items() if found.files[name] != content]
    assert not differing
    assert found.report == expected.report


def test_faulty_input_is_told_alike_by_every_runner(logs, options, tmp_path, capsys):
    arguments = [
        "--input", str(logs[0]), "--output", str(tmp_path / "out"),
        "--set", "data.interactions=log-*.csv", "--set", "data.max_reject_share=0.001",
    ]  # fmt: skip
    assert behaviour.main([*arguments, *options["portable"]]) == 2
    said = capsys.readouterr().err
    assert "4 of 604 events of the logs (log-0.csv, log-1.csv, log-2.csv) were rejected" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def count(number: int) -> int:
    Metrics.counter("numbers", "seen").inc(number)
    return number


def test_a_counter_that_several_steps_raise_is_their_sum():
    pipeline = new_pipeline([])
    numbers = pipeline | beam.Create([1, 2, 3])
    _ = numbers | "One" >> beam.Map(count) | beam.Reshuffle() | "Other" >> beam.Map(count)
    # 1 + 2 + 3 in either step
    assert counters(run_pipeline(pipeline), "numbers") == {"seen": 12}


@pytest.mark.parametrize(
    ("beam_args", "said"),
    [
        (["--runner=NoSuchRunner"], "--runner"),
        (["--runner=PortableRunner"], "--job_endpoint"),
        (["--runner=PortableRunner", "--job_endpoint=localhost:1", "--job_server_timeout=1"],
         "localhost:1"),
    ],
)  # fmt: skip
def test_a_runner_that_is_not_there_is_a_mistake_of_the_user(beam_args, said):
    with pytest.raises(UserError, match=said):
        pipeline = new_pipeline([*beam_args, "--environment_type=LOOPBACK"])
        _ = pipeline | beam.Create([1])
        run_pipeline(pipeline)
