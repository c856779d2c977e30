"""Embeddings that the user has already, read a block of rows at a time, whatever they lie in.

A Parquet file, NumPy's .npz or .npy with ids, or a column of the catalogue; nothing is unpickled,
and no file is ever wholly in memory but for its ids.
"""

import dataclasses
import functools
import json
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.catalogue import ITEM_ID, read_rows
from pipelines.given_arrays import Rows, npy_rows, npz_rows
from pipelines.tables import ROW_NUMBER, Dialect
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.errors import UserError

EMBEDDING = "embedding"

_ROWS_OF_A_BLOCK = 4096
# What Arrow, NumPy and zipfile raise where a file is damaged, or of a kind that they do not read.
_UNREADABLE = (
    OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, pa.ArrowException
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class GivenBlock:
    """Rows of a table of embeddings.

    Attributes:
        numbers: `[n]`, the rows' numbers in their table.
        ids: `[n]` item ids; None where there is none.
        embeddings: `[n]` lists of float32.
        absent: `[n]` bool, rows without an embedding; their list is empty.
        broken: `[n]` bool, rows with something else instead; their list is empty.
    """

    numbers: np.ndarray
    ids: Sequence[str | None]
    embeddings: Ragged
    absent: np.ndarray
    broken: np.ndarray


def blocks_of_file(path: pathlib.Path) -> Iterator[GivenBlock]:
    """The rows of a file, numbered from 1.

    Raises:
        UserError: it is none of the known kinds, is damaged, or has no ids.
    """
    readers = {
        ".parquet": _parquet_blocks,
        ".npz": functools.partial(_array_blocks, npz_rows),
        ".npy": functools.partial(_array_blocks, npy_rows),
    }
    read = readers.get(path.suffix)
    if read is None:
        raise UserError(
            f"embeddings must lie in a file that ends in one of {', '.join(readers)}; received "
            f"{path}. Write them into one of these."
        )
    try:
        yield from read(path)
    except UserError:
        raise
    except _UNREADABLE as error:
        raise UserError(f"{path} cannot be read: {error}. Write the file again.") from error


def blocks_of_column(path: str, column: str, dialect: Dialect) -> Iterator[GivenBlock]:
    """The rows of the catalogue that have an id, numbered as the table's."""
    for batch in read_rows(str(path), (ITEM_ID, column), dialect):
        yield parsed_cells(
            batch.column(ROW_NUMBER).to_numpy(),
            batch.column(ITEM_ID).to_pylist(),
            batch.column(column).to_pylist(),
            dialect.list_separator,
        )


def parsed_cells(
    numbers: np.ndarray, ids: Sequence[str], cells: Sequence[str], separator: str
) -> GivenBlock:
    """Cells of a column: a JSON list of numbers, or numbers with the list separator in between."""
    lists = [_numbers_of((cell or "").strip(), separator) for cell in cells]
    return GivenBlock(
        numbers,
        ids,
        Ragged.of([values if values is not None else [] for values in lists], np.float32),
        np.array([not (cell or "").strip() for cell in cells], bool),
        np.array([values is None for values in lists], bool),
    )


def _numbers_of(cell: str, separator: str) -> np.ndarray | None:
    """`[n]` float32, None where the cell holds something else; an empty one has none."""
    if not cell:
        return np.zeros(0, np.float32)
    try:
        if cell.startswith("["):
            values = json.loads(cell)
            if not all(type(value) in (int, float) for value in values):
                return None
        else:
            values = [float(part) for part in cell.split(separator)]
        with np.errstate(over="ignore"):  # what becomes infinite is rejected as such
            return np.array(values, np.float64).astype(np.float32)
    except (ValueError, OverflowError, RecursionError):
        return None


def _parquet_blocks(path: pathlib.Path) -> Iterator[GivenBlock]:
    first = 1
    with pq.ParquetFile(path, pre_buffer=False) as table:
        names = table.schema_arrow.names
        absent = [name for name in (ITEM_ID, EMBEDDING) if name not in names]
        if absent:
            raise UserError(
                f"{path} must have the columns {ITEM_ID!r} and {EMBEDDING!r}, but has {names}. "
                "Rename or add them."
            )
        kind = table.schema_arrow.field(EMBEDDING).type
        if not _is_list_of_numbers(kind):
            raise UserError(
                f"the column {EMBEDDING!r} of {path} must hold lists of numbers, but is {kind}. "
                "Write it so."
            )
        if pa.types.is_fixed_size_list(kind) and _has_nulls(table, EMBEDDING):
            raise UserError(
                f"the column {EMBEDDING!r} of {path} has nulls among lists of a fixed size, which "
                "Arrow cannot read from Parquet. Leave these rows out, or write lists of any size."
            )
        for batch in table.iter_batches(_ROWS_OF_A_BLOCK, columns=[ITEM_ID, EMBEDDING]):
            lists = batch.column(EMBEDDING).cast(pa.list_(pa.float32()), safe=False)
            yield GivenBlock(
                np.arange(first, first + batch.num_rows),
                batch.column(ITEM_ID).cast(pa.string()).to_pylist(),
                _ragged(lists),
                lists.is_null().to_numpy(zero_copy_only=False),
                np.zeros(batch.num_rows, bool),
            )
            first += batch.num_rows


def _has_nulls(table: pq.ParquetFile, column: str) -> bool:
    """Whether the file's statistics tell of nulls in a column or in its lists."""
    groups = (table.metadata.row_group(number) for number in range(table.metadata.num_row_groups))
    chunks = (group.column(place) for group in groups for place in range(group.num_columns))
    return any(
        chunk.statistics is not None and chunk.statistics.null_count
        for chunk in chunks
        if chunk.path_in_schema.split(".")[0] == column
    )


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists):
        return False
    return pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)


def _ragged(lists: pa.ListArray) -> Ragged:
    """The lists, an empty one for null and NaN for a null among the numbers."""
    lengths = np.nan_to_num(
        lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.float64)
    ).astype(np.int64)
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))


def _array_blocks(
    read: Callable[[pathlib.Path, int], Iterator[Rows]], path: pathlib.Path
) -> Iterator[GivenBlock]:
    first = 1
    for ids, values in read(path, _ROWS_OF_A_BLOCK):
        count, dim = values.shape
        none = np.zeros(count, bool)
        splits = np.arange(count + 1) * dim
        yield GivenBlock(
            np.arange(first, first + count), ids, Ragged(values.reshape(-1), splits), none, none
        )
        first += count
