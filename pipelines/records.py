"""Event logs as Arrow record batches: found, read in blocks, checked column by column, divided by
user.

One element is a record batch, never one event. What is wrong with a row is said in a reject; the
rest of the batch goes on.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipelines.event_kinds import ANY_KIND, KindRules, read_kinds
from pipelines.event_times import ANY_TIME, TimeRules, read_times
from pipelines.input_folder import InputFile, InputFolder
from pipelines.job_progress import JobProgress
from pipelines.tables import (
    REPLACEMENT,
    ROW_NUMBER,
    BrokenRow,
    UnreadableTable,
    column_names,
    log_dialect,
    read_table,
)
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary, is_legal_id
from tfrs_mm.errors import UserError
from tfrs_mm.schema import UNKNOWN_ROW

# Columns of a log.
USER_ID, ITEM_ID, EVENT, TIMESTAMP, ORDER = "user_id", "item_id", "event", "timestamp", "order"
RATING, DURATION = "rating", "duration"
REQUIRED = (USER_ID, ITEM_ID, TIMESTAMP)
# Columns of a checked batch, besides `user_id` and `event`.
ITEM, TIME, UNTIMED, POSITION = "item", "time", "untimed", "position"
NEGATIVE = "negative"

NAMESPACE = "behaviour"
READ, REJECTED, WITHOUT_TIME = "events read", "events rejected", "events without time"
REASONS = "behaviour/reasons"  # namespace of counters, one for each reason to reject an event
FAULTS = (
    "behaviour/faults"  # namespace of counters, one for each file that could not be read to its end
)
CUT_SHORT = "behaviour/cut short"  # the same, where the settings let the job go on
UNREADABLE = "the file cannot be read behind this row"  # the reason; it is no event
REJECTS, EVENT_NAMES = "rejects", "event names"  # outputs beside the batches

_EMPTY, _NOT_UTF8, _CONTROLS = ID_FAULTS = ("is empty", "is not UTF-8", "has control characters")
_ROWS_OF_A_FILE = 2**40  # positions in one file lie below it, so that files keep their order


def find_files(folder: InputFolder, settings: DataConfig) -> list[InputFile]:
    """The log files of the folder that match `data.interactions`, in the order of their names.

    Raises:
        UserError: the pattern leaves the folder or matches nothing, a file is no log, or none has a
            column that the settings speak of.
    """
    pattern = settings.interactions
    files = folder.files(pattern, "data.interactions")
    if not files:
        raise UserError(
            f"`data.interactions` is {pattern!r}, which matches no file in {folder.root}. "
            "Correct the pattern or the input folder."
        )
    asked = _asked_columns(settings)
    wanted = tuple(asked)
    found = {name for file in files for name in log_columns(file, settings, wanted)}
    if not found:
        column_names(files[0], REQUIRED, log_dialect(settings))  # tells what is wrong with it
    for column in wanted:
        if column not in found:
            raise UserError(
                f"`data.{asked[column]}` is {getattr(settings, asked[column])}, but no file that "
                f"matches {pattern!r} has a column {column!r}. Name it in "
                "`data.interaction_columns`, or give 0."
            )
    return files


def _asked_columns(settings: DataConfig) -> dict[str, str]:
    """Columns that are read where a setting asks for them, with the name of that."""
    asked = {RATING: "min_rating", DURATION: "min_play_seconds"}
    return {column: name for column, name in asked.items() if getattr(settings, name)}


def log_columns(file: InputFile, settings: DataConfig, wanted: Sequence[str] = ()) -> list[str]:
    """The columns of a log, by our names; none where it cannot be read and need not be.

    Raises:
        UserError: as `column_names` does.
    """
    try:
        return column_names(file, REQUIRED, log_dialect(settings), wanted)
    except UnreadableTable:
        if settings.unreadable_files == "stop":
            raise
        return []


class ReadEvents(beam.DoFn):
    """A log `(place, path, name)` to `(partition, checked batch)`, the events of a user in one
    partition.

    `place` orders the logs, `name` stands in the rejects. Every partition gets a batch of every
    block, be it an empty one. A file that cannot be read to its end is told by a counter in
    `FAULTS` or `CUT_SHORT`, since no runner hands an exception over as it was.
    """

    def __init__(self, items_path: str, settings: DataConfig, progress: JobProgress) -> None:
        self._items_path, self._partitions, self._progress = items_path, settings.shards, progress
        self._dialect, self._times = log_dialect(settings), TimeRules.of(settings)
        self._kinds = KindRules.of(settings)
        self._goes_on = settings.unreadable_files == "reject"
        self._columns = (*REQUIRED, EVENT, ORDER, *_asked_columns(settings))
        self._read = Metrics.counter(NAMESPACE, READ)
        self._rejected = Metrics.counter(NAMESPACE, REJECTED)
        self._without_time = Metrics.counter(NAMESPACE, WITHOUT_TIME)

    def setup(self) -> None:
        """Reads the vocabulary of items."""
        self._items = Vocabulary.read(self._items_path)

    def process(self, element: tuple[int, str, str]) -> Iterator[Any]:
        """See the class."""
        place, path, name = element
        try:
            for batch, broken in read_table(path, self._columns, self._dialect):
                yield from self._checked(batch, broken, place, name)
        except UserError as fault:
            if self._goes_on and isinstance(fault, UnreadableTable):
                Metrics.counter(CUT_SHORT, name).inc()
                yield TaggedOutput(
                    REJECTS, _reject(UNREADABLE, name, fault.row, {"file": str(fault)})
                )
            else:
                Metrics.counter(FAULTS, str(fault)).inc()

    def _checked(
        self, batch: pa.RecordBatch, broken: list[BrokenRow], place: int, name: str
    ) -> Iterator[Any]:
        events, rejects = check_events(batch, self._items, place, name, self._times, self._kinds)
        rejects += [_reject(row.reason, name, row.number, {"row": row.text}) for row in broken]
        self._read.inc(batch.num_rows + len(broken))
        self._rejected.inc(len(rejects))
        positive = pc.invert(events.column(NEGATIVE))
        self._without_time.inc(pc.sum(pc.and_(positive, events.column(UNTIMED))).as_py() or 0)
        self._progress.advance(batch.num_rows + len(broken))
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


def check_events(
    batch: pa.RecordBatch,
    items: Vocabulary,
    place: int,
    name: str,
    time_rules: TimeRules = ANY_TIME,
    kind_rules: KindRules = ANY_KIND,
) -> tuple[pa.RecordBatch, list[dict[str, Any]]]:
    """The events that can be used, and a reject for each other row.

    Args:
        batch: of `read_table`.
        items: the vocabulary; an item that is not in it cannot be used.
        place: of the file among all; the events of later files come later in the input.
        name: of the file, said in the rejects.
        time_rules: how timestamps are read.
        kind_rules: which kinds of events there are.

    Returns:
        A batch of `user_id`, `event` (strings), `item` (int64 row), `time` (float64; of a row
        without timestamp its `order`, else 0), `untimed` (bool), `position` (int64, in the whole
        input) and `negative` (bool).
    """
    columns = {column: batch.column(column) for column in batch.schema.names}
    item_rows = items.rows_of(columns[ITEM_ID])
    times, untimed, time_faults = read_times(columns[TIMESTAMP], columns.get(ORDER), time_rules)
    kinds, negative, kind_faults = read_kinds(
        *(columns.get(name) for name in (EVENT, RATING, DURATION)), batch.num_rows, kind_rules
    )
    event_faults = (
        _id_faults(EVENT, columns[EVENT])[1:] if EVENT in columns else []
    )  # it may be empty
    # Where several hold, the first is said.
    faults = [
        *_id_faults(USER_ID, columns[USER_ID]),
        *_id_faults(ITEM_ID, columns[ITEM_ID]),
        *event_faults,
        *time_faults,
        *kind_faults,
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
            pc.add(columns[ROW_NUMBER], place * _ROWS_OF_A_FILE),
            pa.array(negative),
        ],
        [USER_ID, EVENT, ITEM, TIME, UNTIMED, POSITION, NEGATIVE],
    )
    bad = np.flatnonzero(fault >= 0)
    rejects = []
    for number, record in zip(
        fault[bad].tolist(), batch.take(pa.array(bad)).to_pylist(), strict=True
    ):
        row = record.pop(ROW_NUMBER)
        rejects.append(_reject(faults[number][0], name, row, record))
    return checked.filter(good), rejects


def partition_of(users: pa.Array, partitions: int) -> np.ndarray:
    """The partition of each of `[n]` user ids, by a hash that is the same on every machine."""
    encoded = users.dictionary_encode()
    hashes = [
        zlib.crc32(user.encode("utf-8")) % partitions for user in encoded.dictionary.to_pylist()
    ]
    return np.array(hashes, np.int64)[encoded.indices.to_numpy()]


def _id_faults(column: str, values: pa.Array) -> list[tuple[str, np.ndarray]]:
    """What may be wrong with `[n]` ids, and where it is; each distinct one is looked at once."""
    encoded = values.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    # All at once first, since hardly any block has a fault.
    if all(distinct) and not (distinct and id_fault("".join(distinct))):
        return [(f"{column} {fault}", np.zeros(len(values), bool)) for fault in ID_FAULTS]
    found = np.array([id_fault(value) for value in distinct], object)
    found = found[encoded.indices.to_numpy()]
    return [(f"{column} {fault}", found == fault) for fault in ID_FAULTS]


def id_fault(value: str) -> str | None:
    """Which of `ID_FAULTS` an id has, if any."""
    if is_legal_id(value):
        return _NOT_UTF8 if REPLACEMENT in value else None
    return _CONTROLS if value else _EMPTY


def _reject(reason: str, name: str, row: int, record: dict[str, Any]) -> dict[str, Any]:
    return {"reason": reason, "where": f"{name}:{row}", "record": record}
