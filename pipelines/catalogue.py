"""From items.csv to numbered items: record batches of rows of the vocabulary, each row once.

The vocabulary decides what an item is; a line whose id is not in it, or came before, is counted and
left out. One Beam element is a record batch of neighbouring rows.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from pipelines.tables import OUR_NAMES, ROW_NUMBER, Dialect, read_table
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import UNKNOWN_ROW

ITEM_ID = "item_id"
ROW = "row"

NAMESPACE = "catalogue"
UNKNOWN = "items not in the vocabulary"
REPEATED = "items repeated"

# Items of one element: few enough to spread over workers, enough to make columns worth while.
_ROWS_OF_A_CHUNK = 64


class ReadItems(beam.PTransform):
    """The vocabulary's items as record batches: an int64 column `row`, the rest strings."""

    def __init__(
        self,
        path: str,
        vocabulary_path: str,
        columns: Sequence[str],
        dialect: Dialect = OUR_NAMES,
    ) -> None:
        """Names what is read.

        Args:
            path: the table.
            vocabulary_path: of the items.
            columns: those that are wanted besides the id; what the table lacks is left out.
            dialect: of the table.
        """
        super().__init__()
        self._path, self._vocabulary_path = path, vocabulary_path
        self._columns, self._dialect = (ITEM_ID, *columns), dialect

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """See the class."""
        return (
            pipeline
            | "NameCatalogue" >> beam.Create([self._path])
            | "ReadCatalogue" >> beam.FlatMap(read_rows, self._columns, self._dialect)
            | "LookUpRows" >> beam.ParDo(_LookUpRows(self._vocabulary_path))
            | "GroupNeighbours" >> beam.GroupByKey()
            | "KeepFirst" >> beam.ParDo(_KeepFirst())
        )


def read_rows(
    path: str, columns: Sequence[str], dialect: Dialect = OUR_NAMES
) -> Iterator[pa.RecordBatch]:
    """See `read_table`; the behaviour job reported the rows of another width than the header."""
    for batch, _ in read_table(path, columns, dialect):
        if batch.num_rows:
            yield batch


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
        edges = np.flatnonzero(np.diff(chunks, prepend=-1, append=-1))
        for start, end in itertools.pairwise(edges):
            # A slice would be pickled with the whole buffers behind it.
            yield int(chunks[start]), batch.take(pa.array(np.arange(start, end)))


class _KeepFirst(beam.DoFn):
    """One record batch of a chunk, ordered by row, each row once."""

    def __init__(self) -> None:
        self._repeated = Metrics.counter(NAMESPACE, REPEATED)

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        _, batches = element
        table = pa.Table.from_batches(batches).combine_chunks()
        # By its number in the file the first of two stays the first on any runner.
        table = table.take(pc.sort_indices(table, [(ROW, "ascending"), (ROW_NUMBER, "ascending")]))
        rows = table.column(ROW).to_numpy()
        first = np.diff(rows, prepend=UNKNOWN_ROW) != 0
        self._repeated.inc(int((~first).sum()))
        yield from (
            table.filter(pa.array(first)).drop_columns([ROW_NUMBER]).combine_chunks().to_batches()
        )
