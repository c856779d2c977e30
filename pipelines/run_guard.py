"""Watches over a running pipeline: interrupts, worker processes that die, full disks.

Beam tells an interrupt that meets one of its steps as an error of that step, prints the same
traceback several times, and waits for ever for a worker process that died before its first answer.
Here each becomes what it is: the interrupt, or one line for the user.
"""

import contextlib
import logging
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from tfrs_mm.errors import UserError, full_disk

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORKER_MODULE = b"apache_beam.runners.worker.sdk_worker_main"
_WORKER_THREAD = "run_worker"  # Beam's name for a thread that waits for a worker process
# How Beam says that a worker is gone: at once, or by the first thing that it does not answer.
_DEATHS = ("Worker subprocess exited with return code", "Channel closed prematurely")
_SECONDS_TO_NOTICE = 5.0  # what Beam needs to stop by itself where a worker died, if it does

_OF_DEATH = (
    "a worker process of the job died: it was killed, or ran out of memory ({detail}). Nothing "
    "half-written is left. Run the command again, with fewer workers (--direct_num_workers), or "
    "smaller partitions (more `data.shards`), if memory was short."
)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Runs a job in its block.

    Raises:
        UserError: a worker process died, or a disk is full.
        KeyboardInterrupt: the process was told to stop; or what its own handler of that raises.
    """
    broken: list[BaseException] = []
    with (
        _wait_ended() as end_wait,
        _signals_kept(broken, end_wait),
        _deaths_kept(broken, end_wait),
        _told_once(broken),
    ):
        try:
            yield
        except BaseException as error:
            if broken:
                raise broken[0] from None
            fault = _fault_of(error)
            if fault is not None:
                raise fault from error
            raise


def _fault_of(error: BaseException) -> UserError | None:
    if isinstance(error, UserError):
        return None
    if any(death in str(error) for death in _DEATHS):
        return UserError(_OF_DEATH.format(detail=str(error).strip().splitlines()[-1]))
    return full_disk(error)


@contextlib.contextmanager
def _signals_kept(broken: list[BaseException], end_wait: Callable[[], None]) -> Iterator[None]:
    """Keeps what the handlers of signals raise while the block lasts."""
    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        former = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        if broken:
            raise broken[0]
        if former[number] is signal.SIG_IGN:
            return
        try:
            former[number](number, frame)
        except BaseException as raised:
            broken.append(raised)
            end_wait()
            raise

    # What is left to the system stays so.
    former = {
        number: handler
        for number, handler in former.items()
        if callable(handler) or handler is signal.SIG_IGN
    }
    for number in former:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _deaths_kept(broken: list[BaseException], end_wait: Callable[[], None]) -> Iterator[None]:
    """Keeps the death of a worker process."""
    former = threading.excepthook

    def hook(failed: threading.ExceptHookArgs) -> None:
        if failed.thread is None or failed.thread.name != _WORKER_THREAD:
            former(failed)
        elif not broken:
            broken.append(UserError(_OF_DEATH.format(detail=failed.exc_value)))
            end_wait()

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = former


@contextlib.contextmanager
def _wait_ended() -> Iterator[Callable[[], None]]:
    """What ends the block where Beam, once a job is broken, waits for workers that never answer."""
    waiting, finished = threading.current_thread(), threading.Event()

    def end() -> None:
        if finished.wait(_SECONDS_TO_NOTICE):
            return
        for worker in _workers():
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.kill(worker, signal.SIGKILL)
        # Signals reach the main thread alone, and nothing else wakes one that waits for a lock.
        if waiting is threading.main_thread() and not finished.is_set():
            signal.pthread_kill(waiting.ident, signal.SIGINT)

    try:
        yield lambda: threading.Thread(target=end, name="end_wait", daemon=True).start()
    finally:
        finished.set()


def _workers() -> list[int]:
    """The worker processes that Beam started for this one, each below a shell of its own."""
    parents, commands = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while it was looked at
            commands[int(entry.name)] = (entry / "cmdline").read_bytes()
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
    ours = os.getpid()
    return [
        process
        for process, parent in parents.items()
        if _WORKER_MODULE in commands[process] and ours in (parent, parents.get(parent))
    ]


@contextlib.contextmanager
def _told_once(broken: list[BaseException]) -> Iterator[None]:
    """Keeps off the terminal what Beam logs of a fault that is raised at the end."""

    def is_worth_reading(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        # Beam warns so at every load of a model wherever another, optional package is missing.
        if text.startswith("Resource module is not available"):
            return False
        known = broken or full_disk(text) or any(death in text for death in _DEATHS)
        return not (known and record.levelno >= logging.ERROR)

    handlers = [handler for handler in (*logging.root.handlers, logging.lastResort) if handler]
    for handler in handlers:
        handler.addFilter(is_worth_reading)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_worth_reading)
