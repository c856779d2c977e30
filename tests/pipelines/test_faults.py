"""Killed workers, full disks, interrupts and damaged files: one clear line, nothing left, and the
next run completes."""

import errno
import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import behaviour_world as world
import media_world
import numpy as np
import pytest

from pipelines import behaviour, media, records, shards
from pipelines.embedding_cache import write_entries
from pipelines.run_guard import guarded
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

REPOSITORY = pathlib.Path(__file__).parent.parent.parent
PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Four logs, compressed."""
    path = tmp_path_factory.mktemp("faults") / "in"
    world.write_input(path, world.random_events(), logs=4)
    for log in path.glob("log-*.csv"):
        (path / f"{log.name}.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.unlink()
    return path


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> dict[str, bytes]:
    """What the job makes of them where nothing goes wrong."""
    output = tmp_path_factory.mktemp("whole") / "out"
    assert behaviour.main(arguments(folder, output)) == 0
    return contents(output)


def arguments(folder: pathlib.Path, output: pathlib.Path, *more: str) -> list[str]:
    return [
        "--input", str(folder), "--output", str(output), "--set", "data.interactions=log-*.csv.gz",
        "--set", "data.statistics=false", *more,
    ]  # fmt: skip


def contents(output: pathlib.Path) -> dict[str, bytes]:
    files = sorted(path for path in output.rglob("*") if path.is_file())
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in files
        if path.name != "report.json"
    }


@pytest.fixture(autouse=True)
def interruptible():
    """A process started in the background ignores interrupts, and so do all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(folder: pathlib.Path, output: pathlib.Path, *more: str) -> subprocess.Popen[str]:
    """The job in a process of its own, once its output folder has a temporary name."""
    command = [sys.executable, "-m", "pipelines.behaviour", *arguments(folder, output, *more)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    until(lambda: process.poll() is not None or temporary_folders(output))
    return process


def temporary_folders(output: pathlib.Path) -> list[pathlib.Path]:
    # Not one that is still empty: the job has begun.
    return [path for path in output.parent.glob(f".{output.name}.*.tmp") if any(path.iterdir())]


def until(holds, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Ids of the processes in which Beam runs the steps of this job."""
    parents, commands = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                commands[int(entry.name)] = (entry / "cmdline").read_text()
            except OSError:
                continue  # it ended while we looked
            parents[int(entry.name)] = int(stat[1])
    own = [pid for pid, parent in parents.items() if process.pid in (parent, parents.get(parent))]
    return [
        pid for pid in own if "sdk_worker_main" in commands[pid] and commands[pid][:7] != "/bin/sh"
    ]


def test_a_worker_that_is_killed_ends_the_job_and_the_next_run_completes(folder, whole, tmp_path):
    output = tmp_path / "out"
    process = started(folder, output, *PROCESSES)
    until(lambda: workers_of(process))
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "a worker process of the job died" in said.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
    assert behaviour.main(arguments(folder, output)) == 0
    assert contents(output) == whole


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_is_one_line_and_leaves_nothing(folder, tmp_path, sent, code):
    # Python ignores what is raised in callbacks of its own, such as those of its import locks: an
    # interrupt that falls into one is lost, says so, and is asked for again.
    for _ in range(3):
        process = started(folder, tmp_path / "out")
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
        if "Exception ignored in: " not in said:
            break
        shutil.rmtree(tmp_path / "out")
    assert (process.returncode, said) == (code, "python -m pipelines.behaviour: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_job_left_is_cleared_away_by_the_next(folder, whole, tmp_path):
    output = tmp_path / "out"
    process = started(folder, output)
    process.kill()
    process.communicate(timeout=60)
    assert len(temporary_folders(output)) == 1
    assert behaviour.main(arguments(folder, output)) == 0
    assert list(tmp_path.iterdir()) == [output]
    assert contents(output) == whole


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_leaves_nothing(folder, whole, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr("tfrs_mm.data.tfrecord.frame", full)
        assert behaviour.main(arguments(folder, output)) == 2
    said = capsys.readouterr().err
    assert "the disk is full" in said and "train-0000" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert behaviour.main(arguments(folder, output)) == 0
    assert contents(output) == whole


@pytest.mark.parametrize("written", ["items", "the cache"])
def test_the_media_job_tells_a_full_disk(shop, encoders, tmp_path, capsys, monkeypatch, written):
    vocabulary, cache = tmp_path / "made", tmp_path / "cache"
    media_world.write_vocabularies(vocabulary, media_world.IDS, ["new", "old"])
    chosen = [
        "--input", str(shop), "--output", str(tmp_path / "out"),
        "--vocabulary", str(vocabulary / "vocabulary"),
        "--encoders", str(encoders[Modality.IMAGE].parent),
        "--set", f"encoders.cache_dir={cache}",
    ]  # fmt: skip
    place = {
        "items": "tfrs_mm.data.tfrecord.frame", "the cache": "pipelines.embedding_cache.open",
    }[written]  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(place, full, raising=False)
        assert media.main(chosen) == 2
    said = capsys.readouterr().err
    assert "the disk is full" in said
    assert (str(cache) in said) == (written == "the cache")
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "made"]
    assert not list(cache.rglob(".*"))
    assert media.main(chosen) == 0
    assert json.loads(capsys.readouterr().out)["present"]["image"] == 23


def test_a_cache_on_a_full_disk_keeps_what_it_had(tmp_path, monkeypatch):
    kept = write_entries(tmp_path, [b"a" * 32], np.ones([1, 2], np.float32))
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.embedding_cache.open", full, raising=False)
        with pytest.raises(OSError, match=str(tmp_path)):  # it says where
            write_entries(tmp_path, [b"b" * 32], np.ones([1, 2], np.float32))
    assert list(tmp_path.iterdir()) == [kept]


def cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def damaged_folder(folder: pathlib.Path, tmp_path: pathlib.Path, damage) -> pathlib.Path:
    """The logs, the second and third of them damaged."""
    copy = tmp_path / "in"
    copy.mkdir()
    for path in folder.iterdir():
        data = path.read_bytes()
        is_hit = path.name in ("log-1.csv.gz", "log-2.csv.gz")
        (copy / path.name).write_bytes(damage(data) if is_hit else data)
    return copy


@pytest.mark.parametrize("damage", [cut_off, flipped])
def test_a_damaged_log_stops_the_job_and_is_named(folder, tmp_path, capsys, damage):
    copy = damaged_folder(folder, tmp_path, damage)
    assert behaviour.main(arguments(copy, tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert "log-1.csv.gz" in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("damage", [cut_off, flipped])
@pytest.mark.parametrize("statistics", ["true", "false"])
def test_a_damaged_log_may_be_rejected(folder, tmp_path, capsys, monkeypatch, damage, statistics):
    # Blocks so small that some rows stand before the damage.
    monkeypatch.setattr("pipelines.table_blocks.BLOCK_BYTES", 512)
    copy = damaged_folder(folder, tmp_path, damage)
    more = ["--set", "data.unreadable_files=reject", "--set", f"data.statistics={statistics}"]
    assert behaviour.main([*arguments(copy, tmp_path / "out"), *more]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["files cut short"] == ["log-1.csv.gz", "log-2.csv.gz"]
    assert 300 <= report["events read"] < 600  # two whole logs of 150, and parts of two
    assert report["events read"] == report["events rejected"] + sum(
        report[name] for name in ("repeats dropped", "train", "valid", "test")
    )
    lines = (tmp_path / "out" / "rejects" / "events.jsonl").read_text().splitlines()
    rejects = [json.loads(line) for line in lines]
    files = [reject for reject in rejects if reject["reason"] == records.UNREADABLE]
    assert [reject["where"].partition(":")[0] for reject in files] == report["files cut short"]
    assert len(rejects) == report["events rejected"] + 2
    assert sum(report["reasons"].values()) == report["events rejected"]


def test_logs_that_are_all_damaged_stop_the_job(folder, tmp_path, capsys):
    copy = damaged_folder(folder, tmp_path, lambda data: data[:40])
    more = ["--set", "data.unreadable_files=reject", "--set", "data.interactions=log-[12].csv.gz"]
    assert behaviour.main([*arguments(copy, tmp_path / "out"), *more]) == 2
    assert "log-1.csv.gz is no CSV" in capsys.readouterr().err


def test_an_error_of_the_code_stays_what_it_is(folder, tmp_path, monkeypatch):
    def faulty(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(shards, "encode_records", faulty)
    with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
        behaviour.main(arguments(folder, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_a_step_turned_into_its_error_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt), guarded():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("KeyboardInterrupt [while running 'Step']") from interrupt
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_worker_that_nobody_waits_for_is_told(monkeypatch):
    monkeypatch.setattr("pipelines.run_guard._SECONDS_TO_NOTICE", 0.1)

    def dies() -> None:
        raise RuntimeError("Worker subprocess exited with return code 137")

    with pytest.raises(UserError, match="return code 137"), guarded():
        threading.Thread(target=dies, name="run_worker").start()
        threading.Event().wait()  # as Beam does
