"""Tables as Arrow record batches of strings, each row with its number.

The name of a file tells its format: JSON lines, Parquet, and CSV for all else. What counts as a row
and how it is numbered is said where the format is read; rows that are none are handed over beside
the batches.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from pipelines import csv_tables, json_lines, parquet_tables, table_blocks
from pipelines.input_folder import InputFile
from pipelines.table_blocks import (
    REPLACEMENT,
    BrokenRow,
    TableFormat,
    UnreadableTable,
    compression_of,
)
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError
from tfrs_mm.log_settings import columns_of

__all__ = [
    "OUR_NAMES", "REPLACEMENT", "ROW_NUMBER", "BrokenRow", "Dialect", "UnreadableTable",
    "catalogue_dialect", "column_names", "log_dialect", "read_table",
]  # fmt: skip

ROW_NUMBER = "row number"  # the blank keeps it apart from columns that are asked for by name

_FORMATS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), json_lines.FORMAT),
    **dict.fromkeys((".parquet", ".pq"), parquet_tables.FORMAT),
}


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a table says what we ask for.

    Attributes:
        names: the table's own names of columns by ours; others go by the same name in both.
        list_separator: stands between the values of a list.
    """

    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    list_separator: str = "|"


OUR_NAMES = Dialect()


def log_dialect(settings: DataConfig) -> Dialect:
    """The dialect of the logs."""
    return Dialect(columns_of(settings.interaction_columns), settings.category_separator)


def catalogue_dialect(settings: DataConfig) -> Dialect:
    """The dialect of the catalogue."""
    return Dialect(columns_of(settings.item_columns), settings.category_separator)


def column_names(
    table: InputFile,
    needed: Sequence[str],
    dialect: Dialect = OUR_NAMES,
    wanted: Sequence[str] = (),
) -> list[str]:
    """The columns of a table, by our names.

    Args:
        table: the file.
        needed: columns that it must have.
        dialect: of the table.
        wanted: further columns whose presence matters. A table of JSON lines is read until all
            that are needed or wanted were met; its other columns are those met so far.

    Raises:
        UserError: the table is empty or not of its format, or lacks a column that is needed or has
            one twice.
    """
    path = table.path
    table_format = _format_of(path)
    if table.size_bytes == 0:
        raise UserError(f"the table {path} is empty. Give {table_format.expected}.")
    enough = [_theirs(name, dialect) for name in (*needed, *wanted)]
    try:
        names = table_format.header(path, enough)
    except table_blocks.UNREADABLE as error:
        raise UnreadableTable(
            f"the table {path} is no {table_format.name}: {error}. Give {table_format.expected}."
        ) from error
    absent = [name for name in enough[: len(needed)] if name not in names]
    if absent:
        raise UserError(
            f"the table {path} has no column {absent}; it has {names}. Rename or add it."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"the table {path} has the columns {twice} more than once. Rename or remove one."
        )
    renamed = [ours for ours, theirs in dialect.names.items() if theirs in names]
    taken = {*dialect.names, *dialect.names.values()}
    return [*renamed, *(name for name in names if name not in taken)]


def read_table(
    path: str, columns: Sequence[str], dialect: Dialect = OUR_NAMES
) -> Iterator[tuple[pa.RecordBatch, list[BrokenRow]]]:
    """The wanted columns of a table as strings, with an int64 column `ROW_NUMBER`, a block at a
    time.

    Args:
        path: of the table; format and compression are recognised by its name.
        columns: those that are wanted, by our names; what the table lacks is left out, but for
            JSON lines, where it is empty.
        dialect: of the table.

    Yields:
        A batch, and the broken rows that were met since the last one. The last batch may be empty.

    Raises:
        UserError: the file is damaged, a record is longer than a block, or a column has no text.
    """
    theirs = [_theirs(name, dialect) for name in columns]
    for block in _format_of(path).read(path, list(dict.fromkeys(theirs)), dialect.list_separator):
        found = [
            (ours, block.cells[name])
            for ours, name in zip(columns, theirs, strict=True)
            if name in block.cells
        ]
        batch = pa.RecordBatch.from_arrays(
            [*(cells for _, cells in found), pa.array(block.numbers)],
            [*(ours for ours, _ in found), ROW_NUMBER],
        )
        yield batch, block.broken


def _theirs(ours: str, dialect: Dialect) -> str:
    return dialect.names.get(ours, ours)


def _format_of(path: str) -> TableFormat:
    name = pathlib.PurePath(path)
    suffix = name.with_suffix("").suffix if compression_of(path) else name.suffix
    return _FORMATS.get(suffix.lower(), csv_tables.FORMAT)
