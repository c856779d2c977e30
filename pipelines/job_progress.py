"""Progress of a job whose work is done inside DoFns, shown where they run in the caller's process.

A DoFn is pickled on its way to a worker, so it carries a name and not the line on the terminal. In
another process nothing goes by that name, and nothing is shown.
"""

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Iterator

from tfrs_mm.progress import Progress

_LOCK = threading.Lock()
_SHOWN: dict[str, Progress] = {}


@dataclasses.dataclass(frozen=True)
class JobProgress:
    """What a DoFn keeps in order to say how much it has done.

    Attributes:
        name: of the line; see `shown`.
    """

    name: str

    def advance(self, amount: int = 1) -> None:
        """Counts `amount` more as done."""
        with _LOCK:
            progress = _SHOWN.get(self.name)
            if progress is not None:
                progress.advance(amount)


@contextlib.contextmanager
def shown(label: str, total: int | None, unit: str) -> Iterator[JobProgress]:
    """Shows one line of progress while the block lasts; `total` is None where it is not known."""
    handle = JobProgress(uuid.uuid4().hex)
    with Progress(label, total=total, unit=unit) as progress:
        _SHOWN[handle.name] = progress
        try:
            yield handle
        finally:
            with _LOCK:
                del _SHOWN[handle.name]
