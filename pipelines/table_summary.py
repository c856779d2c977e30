"""A table summarised in one pass over its record batches, by a combiner of bounded memory."""

import dataclasses
from collections.abc import Iterable, Sequence

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.column_summary import ColumnSpec, ColumnSummary, summarise
from pipelines.row_sample import RowSample
from pipelines.tables import ROW_NUMBER

# Batches are summarised together, up to so many rows or bytes: merging costs more than counting.
_PENDING_ROWS = 2**16
_PENDING_BYTES = 32 * 2**20
_SAMPLED_CHARACTERS = 1000  # of a text in the sample, so that it stays small


@dataclasses.dataclass(frozen=True)
class TableSummary:
    """A table or a part of one.

    Attributes:
        rows: how many there are.
        columns: by name.
        sample: of its rows, those columns that are texts; None where there is none.
    """

    rows: int
    columns: dict[str, ColumnSummary]
    sample: RowSample | None


@dataclasses.dataclass
class _Part:
    """What an accumulator holds: a summary, and batches that are not yet in it."""

    summary: TableSummary
    pending: list[pa.RecordBatch] = dataclasses.field(default_factory=list)
    rows: int = 0
    bytes: int = 0


class SummariseTable(beam.CombineFn):
    """Record batches with a column `ROW_NUMBER`, unique in the table, to the summary of all.

    Memory is `limit` values and numbers of each column, a sample of rows, and the batches that
    wait.
    """

    def __init__(self, specs: Sequence[ColumnSpec], limit: int) -> None:
        """Names the columns; of each `limit` distinct values are counted exactly."""
        self._specs, self._limit = tuple(specs), limit

    def create_accumulator(self) -> _Part:
        return _Part(TableSummary(0, {spec.name: ColumnSummary() for spec in self._specs}, None))

    def add_input(self, part: _Part, batch: pa.RecordBatch) -> _Part:
        if batch.num_rows:
            part.pending.append(batch)
            part.rows += batch.num_rows
            part.bytes += batch.nbytes
        if part.rows >= _PENDING_ROWS or part.bytes >= _PENDING_BYTES:
            return self.compact(part)
        return part

    def merge_accumulators(self, parts: Iterable[_Part]) -> _Part:
        merged = self.create_accumulator()
        for part in parts:
            summary = self.compact(part).summary
            merged = _Part(self._added(merged.summary, summary))
        return merged

    def compact(self, part: _Part) -> _Part:
        if not part.pending:
            return part
        table = pa.Table.from_batches(part.pending).combine_chunks()
        return _Part(self._added(part.summary, self._summary_of(table)))

    def extract_output(self, part: _Part) -> TableSummary:
        return self.compact(part).summary

    def _summary_of(self, table: pa.Table) -> TableSummary:
        columns = {
            spec.name: summarise(table.column(spec.name).combine_chunks(), spec, self._limit)
            for spec in self._specs
        }
        names = [spec.name for spec in self._specs if _is_text(table.schema.field(spec.name).type)]
        if not names:
            return TableSummary(table.num_rows, columns, None)
        sample = RowSample.of(table.select(names), table.column(ROW_NUMBER).to_numpy())
        return TableSummary(
            table.num_rows, columns, RowSample(sample.hashes, _shortened(sample.rows))
        )

    def _added(self, one: TableSummary, other: TableSummary) -> TableSummary:
        columns = {
            name: column.merged(other.columns[name], self._limit)
            for name, column in one.columns.items()
        }
        samples = [part.sample for part in (one, other) if part.sample is not None]
        sample = samples[0].merged(samples[1]) if len(samples) == 2 else (samples or [None])[0]
        return TableSummary(one.rows + other.rows, columns, sample)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_list(kind)


def _shortened(rows: pa.Table) -> pa.Table:
    columns = [
        column if pa.types.is_list(column.type)
        else pc.utf8_slice_codeunits(column, 0, _SAMPLED_CHARACTERS)
        for column in rows.columns
    ]  # fmt: skip
    return pa.Table.from_arrays(columns, names=rows.column_names)
