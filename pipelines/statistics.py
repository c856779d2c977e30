"""Statistics of the logs and of the catalogue: `behaviour/statistics.json`.

    interactions    rows (events kept), columns, per_day (UTC), per_kind, per_user, per_item
    catalogue       rows, columns, without_media, without_text
    methods         what is exact, and how all else is estimated

Kinds, times, users and items are those of the events that the job keeps. Other columns of the logs,
and all of the catalogue, are read for this alone, every row that is one. How a column is described
is said in `column_report`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from pipelines.activity import Activity, MergeActivity, activity_of
from pipelines.column_summary import ColumnSpec, Type
from pipelines.combine_by_name import CombineBundles, MergeByName
from pipelines.records import EVENT, FAULTS, ITEM_ID, POSITION, TIME, TIMESTAMP, UNTIMED, USER_ID
from pipelines.statistics_report import (
    ACTIVITY,
    CATALOGUE,
    DAY,
    DERIVED,
    EVENTS,
    HAS_MEDIA,
    HAS_TEXT,
    OTHERS,
    write_statistics,
)
from pipelines.table_summary import SummariseTable
from pipelines.tables import (
    ROW_NUMBER,
    Dialect,
    UnreadableTable,
    catalogue_dialect,
    log_dialect,
    read_table,
)
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

STATISTICS_FILE = "statistics.json"

# Inputs: a checked batch of some users, and all batches of some users.
CHECKED_BATCHES, PARTITIONS = "checked", "partitions"

# What the checked batches say of an event; all else in a log is read again for the statistics.
CHECKED = (USER_ID, ITEM_ID, EVENT, TIMESTAMP)
TITLE, DESCRIPTION = "title", "description"
PATHS = tuple(f"{modality.value}_path" for modality in Modality if modality != Modality.TEXT)

_EVENT_SPECS = (
    ColumnSpec(EVENT, Type.CATEGORY),
    ColumnSpec(TIMESTAMP, Type.TIME),
    ColumnSpec(DAY, Type.NUMBER),
)
_SECONDS_OF_A_DAY = 86_400.0
_ROWS_OF_A_FILE = 2**40  # the numbers of rows in one file lie below it


class WriteStatistics(beam.PTransform):
    """`CHECKED_BATCHES` and `PARTITIONS`, both of `(partition, ...)`, to `statistics.json`."""

    def __init__(
        self,
        path: str,
        logs: Sequence[str],
        log_columns: Sequence[str],
        catalogue_path: str,
        catalogue_columns: Sequence[str],
        items_path: str,
        num_items: int,
        settings: DataConfig,
    ) -> None:
        """Names what is read and written.

        Args:
            path: of the statistics.
            logs: their paths, in the order of their places.
            log_columns: all that some log has, by our names.
            catalogue_path: of the catalogue.
            catalogue_columns: all that it has, by our names.
            items_path: the vocabulary of items.
            num_items: of the vocabulary, the unknown row not counted.
            settings: how large summaries may become, and how tables are read.
        """
        super().__init__()
        others = tuple(ColumnSpec(name) for name in log_columns if name not in CHECKED)
        self._specs = {
            EVENTS: _EVENT_SPECS,
            OTHERS: others,
            CATALOGUE: catalogue_specs(catalogue_columns, settings),
        }
        self._tables = [(CATALOGUE, 0, catalogue_path)]
        if others:
            self._tables += [(OTHERS, place, path) for place, path in enumerate(logs)]
        self._path, self._items_path = path, items_path
        self._num_items, self._settings = num_items, settings

    def expand(self, inputs: Any) -> beam.PCollection:
        """See the class."""
        settings = self._settings
        checked, partitions = inputs[CHECKED_BATCHES], inputs[PARTITIONS]
        limit, listed = settings.statistics_values, settings.statistics_top
        # One combiner for all: every further one costs a job of some thousand events more than
        # what it does.
        combiners = {
            **{name: SummariseTable(specs, limit) for name, specs in self._specs.items()},
            ACTIVITY: MergeActivity(self._num_items, listed),
        }
        events = (
            checked
            | "TakeEvents" >> beam.Map(_event_columns)
            | "SummariseEvents" >> beam.ParDo(CombineBundles(combiners))
        )
        activity = partitions | "CountActivity" >> beam.Map(_activity, self._num_items, listed)
        read = (
            checked.pipeline
            | "NameTables" >> beam.Create(self._tables)
            | "ReadTables" >> beam.FlatMap(_read, self._specs, settings)
            | "SummariseTables" >> beam.ParDo(CombineBundles(combiners))
        )
        return (
            (events, activity, read)
            | "JoinParts" >> beam.Flatten()
            | "MergeParts" >> beam.CombineGlobally(MergeByName(combiners)).without_defaults()
            | "WriteStatistics"
            >> beam.Map(_write, self._path, self._specs, self._items_path, settings)
        )


def catalogue_specs(columns: Sequence[str], settings: DataConfig) -> tuple[ColumnSpec, ...]:
    """What is known of the catalogue's columns, and of two that are derived from them."""
    known = {
        ITEM_ID: ColumnSpec(ITEM_ID, Type.ID),
        **{name: ColumnSpec(name, Type.TEXT) for name in (TITLE, DESCRIPTION)},
        **{name: ColumnSpec(name, Type.PATH) for name in PATHS},
        **{
            name: ColumnSpec(name, Type.CATEGORY, settings.category_separator)
            for name in settings.category_columns
        },
    }
    return (
        *(known.get(name, ColumnSpec(name)) for name in columns),
        ColumnSpec(HAS_MEDIA, Type.NUMBER),
        ColumnSpec(HAS_TEXT, Type.NUMBER),
    )


def _event_columns(element: tuple[int, pa.RecordBatch]) -> tuple[str, pa.RecordBatch]:
    """What is told of events: kind, time where there is one, and its day."""
    batch = element[1]
    times = pc.if_else(batch.column(UNTIMED), None, batch.column(TIME))
    days = pc.floor(pc.divide(times, _SECONDS_OF_A_DAY))
    return EVENTS, pa.RecordBatch.from_arrays(
        [batch.column(EVENT), times, days, batch.column(POSITION)],
        [EVENT, TIMESTAMP, DAY, ROW_NUMBER],
    )


def _activity(
    element: tuple[int, Iterable[pa.RecordBatch]], num_items: int, listed: int
) -> tuple[str, Activity]:
    return ACTIVITY, activity_of(element[1], num_items, listed)


def _read(
    table: tuple[str, int, str], specs: Mapping[str, Sequence[ColumnSpec]], settings: DataConfig
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The batches of a table `(OTHERS or CATALOGUE, place, path)`."""
    kind, place, path = table
    names = [spec.name for spec in specs[kind] if spec.name not in DERIVED]
    dialect = log_dialect(settings) if kind == OTHERS else catalogue_dialect(settings)
    # A log that may be cut short is told where its events are read.
    goes_on = kind == OTHERS and settings.unreadable_files == "reject"
    for batch in _batches(path, names, dialect, goes_on):
        if kind == CATALOGUE:
            yield kind, _with_flags(batch)
        else:
            numbers = pc.add(batch.column(ROW_NUMBER), place * _ROWS_OF_A_FILE)
            columns = [*batch.columns[:-1], numbers]
            yield kind, pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _with_flags(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch of the catalogue, and whether a row names a medium, and has a text."""
    for flag, wanted in ((HAS_MEDIA, PATHS), (HAS_TEXT, (TITLE, DESCRIPTION))):
        filled = pa.repeat(pa.scalar(False), batch.num_rows)
        for name in wanted:
            if name in batch.schema.names:
                filled = pc.or_(filled, pc.not_equal(batch.column(name), ""))
        batch = batch.append_column(flag, filled)
    return batch


def _batches(
    path: str, names: Sequence[str], dialect: Dialect, goes_on: bool
) -> Iterator[pa.RecordBatch]:
    """A table with exactly these columns and its numbers; cells of absent columns are empty."""
    try:
        for batch, _ in read_table(path, names, dialect):
            found = batch.schema.names
            columns = [
                batch.column(name) if name in found else pa.repeat(pa.scalar(""), batch.num_rows)
                for name in (*names, ROW_NUMBER)
            ]
            yield pa.RecordBatch.from_arrays(columns, [*names, ROW_NUMBER])
    except UserError as fault:
        # As where the job reads it for its own sake: some columns are read here alone.
        if not (goes_on and isinstance(fault, UnreadableTable)):
            Metrics.counter(FAULTS, str(fault)).inc()


def _write(
    summaries: dict[str, Any],
    path: str,
    specs: Mapping[str, Sequence[ColumnSpec]],
    items_path: str,
    settings: DataConfig,
) -> str:
    write_statistics(path, summaries, specs, items_path, settings)
    return path
