"""Events a second of the behaviour job, against the same job in two other forms.

A synthetic log goes in turn through `pipelines.behaviour`, `one_element_form.py` (classic Beam, an
element an event) and `polars_form.py` (no Beam), each in a process of its own; then it is looked
whether all three wrote the same records, vocabularies and rejects. For this comparison the job
leaves out its statistics of the input and of pairs of items, which the others do not make; item
counts by time, which they do not make either, it still makes. The whole job is reported besides.

`--scaling` runs the job alone with one, two, four and eight times as many events. Time is fitted as
(time - start-up) ~ events^exponent; start-up, the time of a log of a few events, is said apart,
since with it the exponent would look too good. In the DirectRunner all partitions lie in the memory
of one process, so its peak grows with the log; what a worker of any other runner holds is one
partition, and how large it is decides `data.shards`. The growing peak is printed for a fixed number
of shards and for one that grows with the log.

Run it by hand: `python benchmarks/behaviour_throughput.py`, once more with `--scaling`. Options
that are not its own go to Beam, in both forms that use it, such as `--direct_num_workers=2
--direct_running_mode=multi_threading`.
"""

import argparse
import collections
import dataclasses
import hashlib
import math
import pathlib
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence

import child_runs
import numpy as np
from child_runs import Run
from synthetic_log import write_log

from tfrs_mm.data.tfrecord import find_shards, read_tfrecord

HERE = pathlib.Path(__file__).resolve().parent
JOB, WHOLE, ONE_ELEMENT, POLARS = "job", "whole job", "one element an event", "Polars"
SETS = ("train", "valid", "test", "users")
VOCABULARIES = ("items", "users", "events")
LEFT_OUT = ("data.statistics=false", "data.transition_window=0", "data.keep_events=false")

_SCALES = (1, 2, 4, 8)
_FEW_EVENTS, _FEW_USERS = 1_000, 100  # of the log that start-up is measured with
_SPEED_UP, _OVER_POLARS, _EXPONENT = 10.0, 4.0, 1.1  # targets


def command(
    form: str, log: pathlib.Path, output: pathlib.Path, shards: int, beam_args: Sequence[str] = ()
) -> list[str]:
    """What makes `output` of a log in this form, to be run by Python."""
    folders = ["--input", str(log), "--output", str(output)]
    if form != POLARS:
        folders += beam_args
    if form in (JOB, WHOLE):
        settings = [f"data.shards={shards}", *(LEFT_OUT if form == JOB else ())]
        return ["-m", "pipelines.behaviour", *folders, *(f"--set={one}" for one in settings)]
    script = {ONE_ELEMENT: "one_element_form.py", POLARS: "polars_form.py"}[form]
    return [str(HERE / script), *folders, "--shards", str(shards)]


def written(output: pathlib.Path) -> dict[str, str]:
    """A hash of everything that all forms write, by what it is; order within a set means nothing.

    Args:
        output: of one of the forms.
    """
    found = {}
    for name in SETS:
        records = [
            record
            for path in find_shards(output / "behaviour", name)
            for record in read_tfrecord(path)
        ]
        found[f"{len(records)} records of {name}"] = _hash_of(sorted(records))
    for name in VOCABULARIES:
        lines = (output / "vocabulary" / f"{name}.txt").read_bytes().splitlines()
        found[f"{len(lines)} {name} of the vocabulary"] = _hash_of(lines)
    rejects = (output / "rejects" / "events.jsonl").read_bytes().splitlines()
    found[f"{len(rejects)} rejects"] = _hash_of(sorted(rejects))
    return found


def _hash_of(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def compare(folder: pathlib.Path, arguments: argparse.Namespace) -> bool:
    """Runs all forms in turn and prints what they took; whether all figures are met."""
    log = write_log(
        folder / "log", arguments.events, arguments.users, arguments.items, arguments.seed
    )
    few = write_log(folder / "few", _FEW_EVENTS, _FEW_USERS, arguments.items, arguments.seed)
    runs: dict[str, list[Run]] = collections.defaultdict(list)
    start_up: dict[str, list[Run]] = collections.defaultdict(list)
    for repeat in range(arguments.repeats):
        for form in (JOB, ONE_ELEMENT, POLARS, WHOLE):
            for source, of in ((few, start_up), (log, runs)):
                output = folder / form
                shutil.rmtree(output, ignore_errors=True)
                run = child_runs.run_child(
                    command(form, source, output, arguments.shards, arguments.beam)
                )
                of[form].append(run)
                print(f"{repeat}: {form}, {source.name}: {run.seconds:.1f} s", file=sys.stderr)
    child_runs.print_runs(runs, arguments.events, "events")
    print(f"of which start-up, the time of {_FEW_EVENTS} events:")
    child_runs.print_runs(start_up, _FEW_EVENTS, "events")
    same = _say_whether_same({form: written(folder / form) for form in runs})
    speed_up = child_runs.ratios(runs[ONE_ELEMENT], runs[JOB])
    over_polars = child_runs.ratios(runs[JOB], runs[POLARS])
    working = {form: _without(start_up[form], of) for form, of in runs.items()}
    for what, above, below in (
        ("one element an event / job", ONE_ELEMENT, JOB),
        ("job / Polars", JOB, POLARS),
        ("whole job / job", WHOLE, JOB),
    ):
        whole = child_runs.spread(child_runs.ratios(runs[above], runs[below]))
        rest = child_runs.spread(child_runs.ratios(working[above], working[below]))
        print(f"{what}: {whole}; without start-up {rest}")
    value = statistics.median(speed_up)
    met = child_runs.print_figure("behaviour_speed_up", value, _SPEED_UP, value >= _SPEED_UP)
    value = statistics.median(over_polars)
    met &= child_runs.print_figure(
        "behaviour_time_over_polars", value, _OVER_POLARS, value <= _OVER_POLARS
    )
    return child_runs.print_figure("behaviour_forms_that_differ", not same, 0, same) and met


def _without(start_up: list[Run], runs: list[Run]) -> list[Run]:
    """The runs without the start-up of their turn."""
    return [
        dataclasses.replace(run, seconds=run.seconds - idle.seconds)
        for idle, run in zip(start_up, runs, strict=True)
    ]


def _say_whether_same(made: dict[str, dict[str, str]]) -> bool:
    expected = made[JOB]
    differing = {
        form: sorted(what for what in found | expected if found.get(what) != expected.get(what))
        for form, found in made.items()
        if found != expected
    }
    print(f"the same in all forms: {', '.join(expected)}" if not differing else "NOT the same:")
    for form, what in differing.items():
        print(f"  {form}: {', '.join(what)}")
    return not differing


def scale(folder: pathlib.Path, arguments: argparse.Namespace) -> bool:
    """Runs the job with ever more events and prints what it took; whether the figure is met."""
    few = write_log(folder / "few", _FEW_EVENTS, _FEW_USERS, arguments.items, arguments.seed)
    start_up = [
        child_runs.run_child(
            command(JOB, few, folder / f"of few {repeat}", arguments.shards, arguments.beam)
        )
        for repeat in range(arguments.repeats + 1)
    ][1:]  # the first one also reads libraries from disk
    runs: dict[tuple[int, int], list[Run]] = collections.defaultdict(list)
    for times in _SCALES:
        # More users, not more events of a user: a log that is read for longer grows by both, but
        # histories are capped.
        log = write_log(
            folder / "log", arguments.events * times, arguments.users * times, arguments.items,
            arguments.seed,
        )  # fmt: skip
        for _ in range(arguments.repeats):
            for shards in dict.fromkeys((arguments.shards, arguments.shards * times)):
                run = child_runs.run_child(
                    command(JOB, log, folder / "made", shards, arguments.beam)
                )
                runs[times, shards].append(run)
                print(f"{times} x, {shards} shards: {run.seconds:.1f} s", file=sys.stderr)
                shutil.rmtree(folder / "made")
        shutil.rmtree(log)
    print(f"start-up: {child_runs.spread([run.seconds for run in start_up])} s")
    for (times, shards), of in runs.items():
        seconds = child_runs.spread([run.seconds for run in of])
        peak = max(run.peak_mib for run in of)
        print(f"{times * arguments.events:>10,} events, {shards:>3} shards: {seconds} s, "
              f"{peak:.0f} MiB")  # fmt: skip
    idle = min(run.seconds for run in start_up)
    seconds = [
        [runs[times, arguments.shards][repeat].seconds for times in _SCALES]
        for repeat in range(arguments.repeats)
    ]
    exponents = [_exponent(np.array(one) - idle) for one in seconds]
    with_it = [_exponent(np.array(one)) for one in seconds]
    print(f"exponent of the time without start-up: {child_runs.spread(exponents)}")
    print(f"with it: {child_runs.spread(with_it)}")
    value = statistics.median(exponents)
    return child_runs.print_figure("behaviour_time_exponent", value, _EXPONENT, value <= _EXPONENT)


def _exponent(seconds: np.ndarray) -> float:
    """The slope of log(seconds) by log(events); NaN where a time is lost in the noise."""
    if (seconds <= 0).any():
        return math.nan
    return float(np.polyfit(np.log(_SCALES), np.log(seconds), 1)[0])


def main() -> int:
    """Prints tables, and one line a figure; options that are not its own go to Beam."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--users", type=int, metavar="N", help="a twentieth of the events")
    parser.add_argument("--items", type=int, default=20_000, metavar="N")
    parser.add_argument("--shards", type=int, default=4, metavar="N", help="of every record set")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scaling", action="store_true", help="the job alone, ever more events")
    parser.add_argument(
        "--folder", metavar="DIR", help="for the logs; the system's where not given"
    )
    arguments, arguments.beam = parser.parse_known_args()
    arguments.users = arguments.users or max(arguments.events // 20, 1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measure = scale if arguments.scaling else compare
        return int(not measure(pathlib.Path(folder), arguments))


if __name__ == "__main__":
    sys.exit(main())
