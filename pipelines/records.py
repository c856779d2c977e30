"""Event logs as Arrow record batches: read in blocks, checked column by column, divided by user.

One element is a record batch, never one event. What is wrong with a row is said in a reject; the
rest of the batch goes on.
"""

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipelines.event_kinds import ANY_KIND, KindRules, read_kinds
from pipelines.event_times import ANY_TIME, TimeRules, read_times
from pipelines.event_values import read_values
from pipelines.id_faults import id_faults
from pipelines.job_progress import JobProgress
from pipelines.log_files import (
    DURATION,
    EVENT,
    ITEM_ID,
    ORDER,
    RATING,
    REQUIRED,
    TIMESTAMP,
    USER_ID,
    asked_columns,
)
from pipelines.tables import (
    ROW_NUMBER,
    BrokenRow,
    UnreadableTable,
    log_dialect,
    read_table,
)
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import UNKNOWN_ROW

# Columns of a checked batch, besides `user_id` and `event`.
ITEM, TIME, UNTIMED, POSITION = "item", "time", "untimed", "position"
NEGATIVE = "negative"
VALUE = "value"  # only where data.values asks for it

NAMESPACE = "behaviour"
READ, REJECTED, WITHOUT_TIME = "events read", "events rejected", "events without time"
REASONS = "behaviour/reasons"  # namespace of counters, one for each reason to reject an event
FAULTS = (
    "behaviour/faults"  # namespace of counters, one for each file that could not be read to its end
)
CUT_SHORT = "behaviour/cut short"  # the same, where the settings let the job go on
UNREADABLE = "the file cannot be read behind this row"  # the reason; it is no event
REJECTS, EVENT_NAMES = "rejects", "event names"  # outputs beside the batches

ROWS_OF_A_FILE = 2**40  # positions in one file lie below it, so that files keep their order


class EventOutput:
    """Counts checked events and rejects, and hands them on."""

    def __init__(self, partitions: int, progress: JobProgress) -> None:
        """Says where to.

        Args:
            partitions: of the users.
            progress: told of every event.
        """
        self._partitions, self._progress = partitions, progress
        self._read = Metrics.counter(NAMESPACE, READ)
        self._rejected = Metrics.counter(NAMESPACE, REJECTED)
        self._without_time = Metrics.counter(NAMESPACE, WITHOUT_TIME)

    def of(self, events: pa.RecordBatch, rejects: list[dict[str, Any]]) -> Iterator[Any]:
        """`(partition, batch)` for every partition, be it an empty one; rejects and names of
        events under their tags.

        Args:
            events: checked ones.
            rejects: each in the place of one event that was read with them.
        """
        self._read.inc(events.num_rows + len(rejects))
        self._rejected.inc(len(rejects))
        positive = pc.invert(events.column(NEGATIVE))
        self._without_time.inc(pc.sum(pc.and_(positive, events.column(UNTIMED))).as_py() or 0)
        self._progress.advance(events.num_rows + len(rejects))
        for reject in rejects:
            Metrics.counter(REASONS, reject["reason"]).inc()
            yield TaggedOutput(REJECTS, reject)
        names = events.column(EVENT).filter(positive).unique().to_pylist()
        yield TaggedOutput(EVENT_NAMES, (0, names))
        partition = partition_of(events.column(USER_ID), self._partitions)
        order = np.argsort(partition, kind="stable")
        ends = np.cumsum(np.bincount(partition, minlength=self._partitions))
        for number, rows in enumerate(np.split(order, ends[:-1])):
            # Taken, not sliced: a slice would be pickled with all the buffers behind it.
            yield number, events.take(pa.array(rows))


class ReadEvents(beam.DoFn):
    """A log `(place, path, name)` to `(partition, checked batch)`, the events of a user in one
    partition.

    `place` orders the logs, `name` stands in the rejects. Every partition gets a batch of every
    block, be it an empty one. A file that cannot be read to its end is told by a counter in
    `FAULTS` or `CUT_SHORT`, since no runner hands an exception over as it was.
    """

    def __init__(self, items_path: str, settings: DataConfig, progress: JobProgress) -> None:
        self._items_path, self._rules = items_path, EventRules.of(settings)
        self._dialect = log_dialect(settings)
        self._goes_on = settings.unreadable_files == "reject"
        self._columns = (*REQUIRED, EVENT, ORDER, *asked_columns(settings))
        self._output = EventOutput(settings.shards, progress)

    def setup(self) -> None:
        """Reads the vocabulary of items."""
        self._items = Vocabulary.read(self._items_path)

    def process(self, element: tuple[int, str, str]) -> Iterator[Any]:
        """See the class."""
        place, path, name = element
        try:
            for batch, broken in read_table(path, self._columns, self._dialect):
                events, rejects = check_events(batch, self._items, place, name, *self._rules)
                rejects += [_broken(row, name) for row in broken]
                yield from self._output.of(events, rejects)
        except UserError as fault:
            if self._goes_on and isinstance(fault, UnreadableTable):
                Metrics.counter(CUT_SHORT, name).inc()
                yield TaggedOutput(
                    REJECTS, reject_of(UNREADABLE, name, fault.row, {"file": str(fault)})
                )
            else:
                Metrics.counter(FAULTS, str(fault)).inc()


class EventRules(NamedTuple):
    """What decides whether an event can be used.

    Attributes:
        times: how timestamps are read.
        kinds: which kinds of events there are.
        values: the column that values are read from; "none" for none.
    """

    times: TimeRules
    kinds: KindRules
    values: str

    @classmethod
    def of(cls, settings: DataConfig) -> "EventRules":
        """Those of a configuration."""
        return cls(TimeRules.of(settings), KindRules.of(settings), settings.values)


def check_events(
    batch: pa.RecordBatch,
    items: Vocabulary,
    place: int,
    name: str,
    time_rules: TimeRules = ANY_TIME,
    kind_rules: KindRules = ANY_KIND,
    values: str = "none",
) -> tuple[pa.RecordBatch, list[dict[str, Any]]]:
    """The events that can be used, and a reject for each other row.

    Args:
        batch: of `read_table`.
        items: the vocabulary; an item that is not in it cannot be used.
        place: of the file among all; the events of later files come later in the input.
        name: of the file, said in the rejects.
        time_rules: how timestamps are read.
        kind_rules: which kinds of events there are.
        values: the column that values are read from; "none" for none.

    Returns:
        A batch of `user_id`, `event` (strings), `item` (int64 row), `time` (float64; of a row
        without timestamp its `order`, else 0), `untimed` (bool), `position` (int64, in the whole
        input) and `negative` (bool), and where values are read `value` (float32, NaN for none).
    """
    columns = {column: batch.column(column) for column in batch.schema.names}
    item_rows = items.rows_of(columns[ITEM_ID])
    times, untimed, time_faults = read_times(columns[TIMESTAMP], columns.get(ORDER), time_rules)
    kinds, negative, kind_faults = read_kinds(
        *(columns.get(name) for name in (EVENT, RATING, DURATION)), batch.num_rows, kind_rules
    )
    read, value_faults = {}, []
    if values != "none":
        found, value_faults = read_values(columns.get(values), batch.num_rows, values)
        read = {VALUE: pa.array(found, pa.float32())}
    event_faults = (
        id_faults(EVENT, columns[EVENT])[1:] if EVENT in columns else []
    )  # it may be empty
    # Where several hold, the first is said.
    faults = [
        *id_faults(USER_ID, columns[USER_ID]),
        *id_faults(ITEM_ID, columns[ITEM_ID]),
        *event_faults,
        *time_faults,
        *kind_faults,
        *value_faults,
        ("item_id is not in the catalogue", item_rows == UNKNOWN_ROW),
    ]
    fault = np.full(batch.num_rows, -1)
    for number, (_, holds) in reversed(list(enumerate(faults))):
        fault[holds] = number
    good = pa.array(fault < 0)
    checked = pa.RecordBatch.from_arrays(
        [
            columns[USER_ID],
            kinds,
            pa.array(item_rows),
            pa.array(times),
            pa.array(untimed),
            pc.add(columns[ROW_NUMBER], place * ROWS_OF_A_FILE),
            pa.array(negative),
            *read.values(),
        ],
        [USER_ID, EVENT, ITEM, TIME, UNTIMED, POSITION, NEGATIVE, *read],
    )
    bad = np.flatnonzero(fault >= 0)
    rejects = []
    for number, record in zip(
        fault[bad].tolist(), batch.take(pa.array(bad)).to_pylist(), strict=True
    ):
        row = record.pop(ROW_NUMBER)
        rejects.append(reject_of(faults[number][0], name, row, record))
    return checked.filter(good), rejects


def partition_of(users: pa.Array, partitions: int) -> np.ndarray:
    """The partition of each of `[n]` user ids, by a hash that is the same on every machine."""
    encoded = users.dictionary_encode()
    hashes = [
        zlib.crc32(user.encode("utf-8")) % partitions for user in encoded.dictionary.to_pylist()
    ]
    return np.array(hashes, np.int64)[encoded.indices.to_numpy()]


def _broken(row: BrokenRow, name: str) -> dict[str, Any]:
    return reject_of(row.reason, name, row.number, {"row": row.text})


def reject_of(reason: str, name: str, row: int, record: dict[str, Any]) -> dict[str, Any]:
    """What is told of a row that is no event."""
    return {"reason": reason, "where": f"{name}:{row}", "record": record}
