"""Feeds damaged lines to the behaviour job and checks that none crashes it and none gets lost.

Good lines of a CSV and of a JSON log are changed by seeded mutations, and both logs go through the
whole job. It must end without an error, every line that is no event must stand in the rejects with
its reason, and the totals must add up: read = written + rejected + duplicates. Run it by hand:
`python benchmarks/fuzz_logs.py`.
"""

import argparse
import collections
import json
import pathlib
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pipelines import behaviour
from pipelines.balance import PARTS
from tfrs_mm.config import Config

NUM_ITEMS, NUM_USERS = 40, 30
_GOOD = 0.5  # share of the lines that stay as they are, so that there is something to write
# What has broken readers of tables before.
_STRANGE = (
    b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b'"', b'""', b"'", b",", b",,,,,", b"\r", b"\t",
    b"\\", b"{", b"}", b"[[[[", b"null", b"NaN", b"Infinity", b"-inf", b"1e999", b"-1", b"0",
    b"9" * 40, b"2024-02-30T25:61:00Z", b"2024-01-01T00:00:00+99:99", b"\xef\xbb\xbf", b"=1+1",
    b"\xe2\x80\xae", b"a" * 5_000, b"true", b'{"a":1}', b"\\ud800", b"0x10", b"1_000", b" ",
)  # fmt: skip
Line = tuple[bytes, ...]  # the cells user_id, item_id, event, timestamp


def lines(count: int, seed: int, strange: bool = True) -> Iterator[Line]:
    """Events, some of whose cells hold what no event has."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        cells = [
            f"user {generator.integers(NUM_USERS)}".encode(),
            f"{generator.integers(NUM_ITEMS):03d}".encode(),
            [b"view", b"buy", b""][int(generator.integers(3))],
            str(1_700_000_000 + int(generator.integers(10**6))).encode(),
        ]
        if strange and generator.random() > _GOOD:
            cells[int(generator.integers(4))] = _STRANGE[int(generator.integers(len(_STRANGE)))]
        yield tuple(cells)


def as_csv(cells: Line) -> bytes:
    """The line as it stands in a CSV file; a cell with a comma or a quote may be quoted or not."""
    return b",".join(cells)


def as_json(cells: Line) -> bytes:
    """The line as JSON, its cells put in as they are."""
    names = (b"user_id", b"item_id", b"event", b"timestamp")
    pairs = zip(names, cells, strict=True)
    return b"{" + b", ".join(b'"%s": "%s"' % pair for pair in pairs) + b"}"


def mutated(line: bytes, generator: np.random.Generator) -> bytes:
    """The line with one to three faults: a flipped bit, cut off, something put in, or doubled.

    No line break is made, so that the lines of a file can be counted; a quote that swallows some is
    left to CSV.
    """
    changed = bytearray(line)
    for _ in range(int(generator.integers(1, 4))):
        place = int(generator.integers(len(changed) + 1))
        match int(generator.integers(4)):
            case 0 if place < len(changed):
                changed[place] ^= 1 << int(generator.integers(8))
            case 1:
                del changed[place:]
            case 2:
                changed[place:place] = _STRANGE[int(generator.integers(len(_STRANGE)))]
            case 3:
                changed[place:place] = changed[: int(generator.integers(len(changed) + 1))]
    return bytes(changed).replace(b"\n", b"\v").replace(b"\r", b"\v")


def write_world(folder: pathlib.Path, count: int, seed: int) -> None:
    """A catalogue, and `count` lines in two logs, half of each damaged."""
    generator = np.random.default_rng([seed, 1])
    folder.mkdir(parents=True)
    catalogue = "".join(f"{item:03d},Title\n" for item in range(NUM_ITEMS))
    (folder / "items.csv").write_text("item_id,title\n" + catalogue)
    forms: Mapping[str, tuple[Callable[[Line], bytes], bytes]] = {
        "log-csv.csv": (as_csv, b"user_id,item_id,event,timestamp\n"),
        "log-json.jsonl": (as_json, b""),
    }
    for place, (name, (form, header)) in enumerate(forms.items()):
        good = [form(cells) for cells in lines(50, seed, strange=False)]  # so that some survive
        rest = []
        for cells in lines(count // 2, seed + 1 + place):
            line = form(cells).replace(b"\n", b"\v").replace(b"\r", b"\v")
            rest.append(mutated(line, generator) if generator.random() > _GOOD else line)
        (folder / name).write_bytes(header + b"\n".join([*good, *rest]) + b"\n")


def faults_of(folder: pathlib.Path, count: int, seed: int) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with a run over `count` damaged lines, and the job's report."""
    write_world(folder / "in", count, seed)
    (folder / "out").mkdir()
    settings = {
        "data.interactions": "log-*", "data.max_reject_share": 1.0, "data.min_user_events": 2,
        "data.max_events_per_hour": 500, "data.min_time": "2000-01-01",
        "data.max_time": "2100-01-01",
    }  # fmt: skip
    try:
        report = behaviour.run(folder / "in", folder / "out", Config().with_overrides(settings))
    except Exception:
        return [f"crash: {traceback.format_exc()}"], {}
    text = (folder / "out" / "rejects" / "events.jsonl").read_text(encoding="utf-8")
    rejects = [json.loads(line) for line in text.split("\n") if line]
    told = [reject for reject in rejects if not reject["where"].startswith("user ")]  # not robots
    reasons = collections.Counter(reject["reason"] for reject in told)
    ends = {name: report[name] for name in PARTS}
    faults = []
    if sum(ends.values()) != report["events read"]:
        faults.append(f"{report['events read']} events were read, but went to {ends}")
    if len(told) != report["events rejected"] or dict(reasons) != report["reasons"]:
        faults.append(f"rejects are {dict(reasons)}, but the report says {report['reasons']}")
    if any(not reject["reason"] or ":" not in reject["where"] for reject in told):
        faults.append("a reject has no reason or no place")
    if len({reject["where"] for reject in told}) != len(told):
        faults.append("two rejects have one place")
    of_json = sum(bool(line.strip(b" \t\r")) for line in
                  (folder / "in" / "log-json.jsonl").read_bytes().split(b"\n"))  # fmt: skip
    if report["events read"] < of_json:
        faults.append(f"{of_json} JSON lines, but {report['events read']} events were read")
    return faults, report


def main() -> int:
    """Prints what became of the lines, and the one figure."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--lines", type=int, default=10_000, metavar="N", help="of every run")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="each with its own seed")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    failed = 0
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            faults, report = faults_of(pathlib.Path(folder) / "w", arguments.lines, seed)
        failed += bool(faults)
        for name in ("events read", *PARTS):
            print(f"{name:>34} {report.get(name, '-')}")
        for reason, number in report.get("reasons", {}).items():
            print(f"{number:>34} {reason}")
        print(f"seed {seed}: {time.monotonic() - started:.1f} s")
        print("\n".join(faults))
    print(f"log_fuzz_faults {failed} 0 {'short' if failed else 'met'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
