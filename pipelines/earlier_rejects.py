"""What a former run rejected, looked at once more: an event whose item was not in the catalogue may
have it there by now. All else is rejected again, for the reason it was.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipelines.job_progress import JobProgress
from pipelines.log_files import ITEM_ID, USER_ID
from pipelines.records import (
    CUT_SHORT,
    FAULTS,
    REJECTS,
    UNREADABLE,
    EventOutput,
    EventRules,
    check_events,
)
from pipelines.tables import ROW_NUMBER
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary

_LINES_AT_ONCE = 10_000


class CheckAgain(beam.DoFn):
    """The path of the former rejects to `(partition, checked batch)`, with the outputs of
    `records.ReadEvents`.

    Rejects that stand for a user, not for an event, are left out: they are found again in what
    the user has by now.
    """

    def __init__(
        self, items_path: str, settings: DataConfig, places: dict[str, int], progress: JobProgress
    ) -> None:
        """Says how.

        Args:
            items_path: the vocabulary of items of this run.
            settings: those that the events were read with.
            places: of all logs in the input of this run.
            progress: told of every event.
        """
        self._items_path, self._rules, self._places = items_path, EventRules.of(settings), places
        self._output = EventOutput(settings.shards, progress)

    def setup(self) -> None:
        """Reads the vocabulary of items."""
        self._items = Vocabulary.read(self._items_path)

    def process(self, path: str) -> Iterator[Any]:
        """See the class."""
        with open(path, encoding="utf-8", newline="\n") as file:
            while lines := list(itertools.islice(file, _LINES_AT_ONCE)):
                yield from self._checked([json.loads(line) for line in lines])

    def _checked(self, rejects: list[dict[str, Any]]) -> Iterator[Any]:
        events: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        rows = []
        for reject in rejects:
            record = reject["record"]
            if ITEM_ID in record:
                log = reject["where"].rpartition(":")[0]
                events.setdefault((log, tuple(record)), []).append(reject)
            elif reject["reason"] == UNREADABLE:
                # No event, as it was none before.
                Metrics.counter(CUT_SHORT, reject["where"].rpartition(":")[0]).inc()
                yield TaggedOutput(REJECTS, reject)
            elif "row" in record:
                rows.append(reject)
            elif set(record) != {USER_ID, "events"}:
                fault = f"a reject of the base has the form {sorted(record)}, which is unknown"
                Metrics.counter(FAULTS, f"{fault}. Make the data without a base.").inc()
        nothing = pa.array([], pa.string())
        none = _batch_of([], dict.fromkeys(("user_id", "item_id", "timestamp"), nothing))
        yield from self._output.of(check_events(none, self._items, 0, "", *self._rules)[0], rows)
        for (log, columns), group in events.items():
            cells = {
                name: pa.array([reject["record"][name] for reject in group], pa.string())
                for name in columns
            }
            numbers = [int(reject["where"].rpartition(":")[2]) for reject in group]
            batch = _batch_of(numbers, cells)
            place = self._places[log]
            yield from self._output.of(*check_events(batch, self._items, place, log, *self._rules))


def _batch_of(numbers: list[int], cells: dict[str, pa.Array]) -> pa.RecordBatch:
    columns = {**cells, ROW_NUMBER: pa.array(np.array(numbers, np.int64))}
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
