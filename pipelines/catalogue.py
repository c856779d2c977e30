"""From items.csv to numbered items: record batches of rows of the vocabulary, each row once.

The vocabulary decides what an item is; a line whose id is not in it, or came before, is counted and
left out. One Beam element is a record batch of neighbouring rows.
"""

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from pyarrow import csv

from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import UNKNOWN_ROW

ITEM_ID = "item_id"
ROW = "row"
_POSITION = "position"  # of a line in the file, so that the first of two stays the first on any runner

NAMESPACE = "catalogue"
UNKNOWN = "items not in the vocabulary"
REPEATED = "items repeated"

_BLOCK_BYTES = 4 * 2**20  # also the longest line that can be read
# Items of one element: few enough to spread over workers, enough to make columns worth while.
_ROWS_OF_A_CHUNK = 64


def check_catalogue(path: str) -> None:
    """Looks whether the table is there and has a column of ids.

    Raises:
        UserError: it is missing, empty, no CSV, or has no `item_id`.
    """
    if not FileSystems.exists(path):
        raise UserError(f"the catalogue {path} does not exist. Give a folder that holds it.")
    try:
        with FileSystems.open(path) as file, _open_csv(file, None) as reader:
            names = reader.schema.names
    except pa.ArrowInvalid as error:
        raise UserError(f"the catalogue {path} is no CSV table: {error}.") from error
    if ITEM_ID not in names:
        raise UserError(f"the catalogue {path} has no column {ITEM_ID!r}; it has {names}.")


class ReadItems(beam.PTransform):
    """The items of the vocabulary, as record batches with an int64 column `row`; the rest is strings."""

    def __init__(self, path: str, vocabulary_path: str, columns: Sequence[str]) -> None:
        """Names what is read.

        Args:
            path: the table.
            vocabulary_path: of the items.
            columns: those that are wanted besides the id; what the table lacks is left out.
        """
        super().__init__()
        self._path, self._vocabulary_path = path, vocabulary_path
        self._columns = (ITEM_ID, *columns)

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """See the class."""
        return (
            pipeline
            | "NameCatalogue" >> beam.Create([self._path])
            | "ReadCatalogue" >> beam.FlatMap(read_numbered, self._columns)
            | "LookUpRows" >> beam.ParDo(_LookUpRows(self._vocabulary_path))
            | "GroupNeighbours" >> beam.GroupByKey()
            | "KeepFirst" >> beam.ParDo(_KeepFirst())
        )


def read_numbered(path: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The table's wanted columns as strings, with the number of each line among the records."""
    with FileSystems.open(path) as file, _open_csv(file, None) as reader:
        present = [name for name in columns if name in reader.schema.names]
    position = 0
    with FileSystems.open(path) as file, _open_csv(file, present) as reader:
        for batch in reader:
            columns_read = [_as_text(column) for column in batch.columns]
            positions = pa.array(np.arange(position, position + batch.num_rows))
            position += batch.num_rows
            yield pa.RecordBatch.from_arrays([*columns_read, positions], [*present, _POSITION])


def _as_text(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        # Somewhere it is not UTF-8; one such cell must not stop the job, and shows as U+FFFD.
        return pa.array([cell.decode("utf-8", "replace") for cell in column.to_pylist()], pa.string())


def _open_csv(file: object, columns: list[str] | None) -> csv.CSVStreamingReader:
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda row: "skip"),
        convert_options=csv.ConvertOptions(
            include_columns=columns,
            column_types=None if columns is None else dict.fromkeys(columns, pa.binary()),
            strings_can_be_null=False,
        ),
    )


class _LookUpRows(beam.DoFn):
    """Record batches to `(chunk, record batch)`, where a chunk is a range of rows."""

    def __init__(self, vocabulary_path: str) -> None:
        self._path = vocabulary_path
        self._unknown = Metrics.counter(NAMESPACE, UNKNOWN)

    def setup(self) -> None:
        self._vocabulary = Vocabulary.read(self._path)

    def process(self, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        rows = self._vocabulary.rows_of(batch.column(ITEM_ID))
        self._unknown.inc(int((rows == UNKNOWN_ROW).sum()))
        batch = batch.append_column(ROW, pa.array(rows)).filter(pa.array(rows != UNKNOWN_ROW))
        chunks = (rows[rows != UNKNOWN_ROW]) // _ROWS_OF_A_CHUNK
        order = np.argsort(chunks, kind="stable")
        batch, chunks = batch.take(pa.array(order)), chunks[order]
        starts = np.flatnonzero(np.diff(chunks, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(chunks)], strict=True):
            # A slice would be pickled with the whole buffers behind it.
            yield int(chunks[start]), batch.take(pa.array(np.arange(start, end)))


class _KeepFirst(beam.DoFn):
    """One record batch of a chunk, ordered by row, each row once."""

    def __init__(self) -> None:
        self._repeated = Metrics.counter(NAMESPACE, REPEATED)

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        _, batches = element
        table = pa.Table.from_batches(batches).combine_chunks()
        table = table.take(pc.sort_indices(table, [(ROW, "ascending"), (_POSITION, "ascending")]))
        rows = table.column(ROW).to_numpy()
        first = np.diff(rows, prepend=UNKNOWN_ROW) != 0
        self._repeated.inc(int((~first).sum()))
        yield from table.filter(pa.array(first)).drop_columns([_POSITION]).combine_chunks().to_batches()
