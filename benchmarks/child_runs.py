"""What the benchmarks share: commands run as children, their time and memory, and figures."""

import dataclasses
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        seconds: from its start to its end, start-up included.
        cpu_seconds: of all its threads and children that ended.
        peak_mib: most memory it held at once.
        said: what it wrote.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    said: str = ""


def run_child(command: Sequence[str]) -> Run:
    """Runs a Python command (without the word python) of this checkout to its end.

    A small process stands in between: a child's peak begins with that of the process it came from.

    Raises:
        RuntimeError: it failed; what it wrote is said.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, __file__, *command],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    *said, measured = done.stdout.splitlines()
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout}")
    return Run(**json.loads(measured), said="\n".join(said))


def _measure(command: Sequence[str]) -> int:
    """Runs the command, says what it took, and gives its exit code."""
    started = time.perf_counter()
    status = subprocess.call([sys.executable, *command])
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib}))
    return status


def spread(values: Sequence[float]) -> str:
    """Least, median and most, for people."""
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"


def print_runs(runs: dict[str, list[Run]], amount: int, unit: str) -> None:
    """A table: of each command the seconds, the rate by the median, and the peak memory."""
    width = max(map(len, runs))
    print(
        f"{'':>{width}}  {'seconds (min / median / max)':>30} {unit + '/s':>12} "
        f"{'CPU s':>8} {'peak MiB':>9}"
    )
    for name, of in runs.items():
        seconds = [run.seconds for run in of]
        print(
            f"{name:>{width}}  {spread(seconds):>30} {amount / statistics.median(seconds):>12,.0f} "
            f"{statistics.median(run.cpu_seconds for run in of):>8.1f} "
            f"{max(run.peak_mib for run in of):>9.0f}"
        )


def ratios(above: Sequence[Run], below: Sequence[Run]) -> list[float]:
    """Seconds of one command over those of another that ran in the same turn."""
    return [one.seconds / other.seconds for one, other in zip(above, below, strict=True)]


def print_figure(name: str, value: float, target: float, met: bool) -> bool:
    """One line `name value target met|short`; whether it is met."""
    print(f"{name} {value:.3g} {target:g} {'met' if met else 'short'}")
    return met


if __name__ == "__main__":
    sys.exit(_measure(sys.argv[1:]))
