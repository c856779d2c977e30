"""A request to end becomes an exception, so that what is half-written is cleared away first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """The process was sent SIGTERM."""


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """What a shell sees of a process that ended by such a signal: 130 or 143."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def termination_raised() -> Iterator[None]:
    """Raises `Terminated` out of its block at SIGTERM, unless somebody handles that already."""
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
