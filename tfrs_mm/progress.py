"""Progress of long work on stderr: a rate and an estimate; silent where stderr is no terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 0.5


class Progress:
    """One line on a terminal: what is done, how fast, and how long it will take.

    `with Progress("embed images", total=400, unit="items") as progress: progress.advance(32)`
    """

    def __init__(
        self, label: str, total: int | None = None, unit: str = "", stream: TextIO | None = None
    ) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._stream = stream if stream is not None else sys.stderr
        self._shown = self._stream.isatty()
        self._done, self._started, self._printed = 0, time.monotonic(), 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            self._print()
            self._stream.write("\n")
            self._stream.flush()

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Counts `amount` more as done; `note` is shown behind the estimate."""
        self._done += amount
        if self._shown and time.monotonic() - self._printed > _SECONDS_BETWEEN_LINES:
            self._print(note)

    def _print(self, note: str = "") -> None:
        self._printed = time.monotonic()
        self._stream.write("\r\x1b[K" + self.line(time.monotonic() - self._started, note))
        self._stream.flush()

    def line(self, elapsed_s: float, note: str = "") -> str:
        """The text shown after `elapsed_s` seconds."""
        rate = self._done / elapsed_s if elapsed_s > 0 else 0.0
        of = f"/{self._total}" if self._total is not None else ""
        text = f"{self._label}: {self._done}{of} {self._unit}".rstrip() + f", {rate:.1f}/s"
        if self._total is not None and rate > 0:
            text += f", {max(self._total - self._done, 0) / rate:.0f} s left"
        return f"{text}  {note}".rstrip()


def tracked(
    items: Iterable[T], label: str, total: int | None = None, unit: str = ""
) -> Iterator[T]:
    """Passes `items` through and shows progress after each."""
    with Progress(label, total=total, unit=unit) as progress:
        for item in items:
            yield item
            progress.advance()
