"""Parquet tables as blocks of strings, read in batches of rows.

Rows are numbered from 1. Every scalar becomes its text, a null the empty cell, a time seconds since
1970 (without a zone it is UTC), a list its values joined, an object inside a row its JSON.
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import table_blocks
from pipelines.input_folder import open_bytes
from pipelines.table_blocks import Block, TableFormat, damaged
from tfrs_mm.errors import UserError

_ROWS_OF_A_BLOCK = 2**16
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of a second's fraction, by Arrow's unit


def _header(path: str, _: Collection[str] = ()) -> list[str]:
    with _open(path) as table:
        return table.schema_arrow.names


def _read(path: str, columns: Sequence[str], separator: str) -> Iterator[Block]:
    row, names = 0, []
    try:
        with _open(path) as table:
            names = [name for name in columns if name in table.schema_arrow.names]
            for batch in table.iter_batches(_ROWS_OF_A_BLOCK, columns=names):
                cells = {name: _cells(batch.column(name), separator, name, path) for name in names}
                numbers = np.arange(row + 1, row + 1 + batch.num_rows, dtype=np.int64)
                yield Block(cells, numbers, [])
                row += batch.num_rows
    except table_blocks.UNREADABLE as error:
        raise damaged(path, row, error, "Look whether the file is whole.") from error
    none = pa.array([], pa.string())
    yield Block(dict.fromkeys(names, none), np.zeros(0, np.int64), [])


FORMAT = TableFormat(
    "Parquet file", "a Parquet file, which is not compressed once more", _header, _read
)


@contextlib.contextmanager
def _open(path: str) -> Iterator[pq.ParquetFile]:
    # Not buffered ahead: a row group need not fit into memory.
    with (
        open_bytes(path) as file,
        pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True) as table,
    ):
        yield table


def _cells(column: pa.Array, separator: str, name: str, path: str) -> pa.Array:
    """`[n]` strings of a column of the table.

    Raises:
        UserError: its type has no text.
    """
    try:
        return _texts(column, separator)
    except pa.ArrowNotImplementedError as error:
        raise UserError(
            f"the column {name!r} of the table {path} has the type {column.type}, which cannot be "
            "read. Give texts, numbers, times, or lists of these."
        ) from error


def _texts(column: pa.Array, separator: str) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _texts(column.dictionary_decode(), separator)
    if pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        return _texts(column.cast(pa.list_(kind.value_type)), separator)
    if pa.types.is_list(kind):
        parts = pa.ListArray.from_arrays(column.offsets, _texts(column.values, separator))
        return pc.if_else(pc.is_valid(column), pc.binary_join(parts, separator), "")
    if pa.types.is_date(kind):
        return _texts(column.cast(pa.timestamp("s" if kind == pa.date32() else "ms")), separator)
    if pa.types.is_timestamp(kind):
        return _seconds(column)
    if _holds_bytes(kind):
        return _utf8(column)
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return pa.array([_json(value) for value in column.to_pylist()], pa.string())
    return pc.fill_null(column.cast(pa.string()), "")


def _json(value: Any) -> str:
    """An object as JSON lines would have it; what JSON has no form for is its text."""
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _holds_bytes(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
            pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    )  # fmt: skip


def _utf8(column: pa.Array) -> pa.Array:
    """Texts; Parquet does not promise that they are UTF-8."""
    encoded = pc.fill_null(column.cast(pa.binary()), b"")
    try:
        return encoded.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [value.decode("utf-8", "replace") for value in encoded.to_pylist()]
        return pa.array(texts, pa.string())


def _seconds(times: pa.Array) -> pa.Array:
    """Seconds since 1970 as texts, with every digit of their fraction."""
    digits = _DIGITS[times.type.unit]
    ticks = pc.fill_null(times.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    # The absolute value of the least int64 fits into a uint64 only.
    whole, part = np.divmod(np.abs(ticks).view(np.uint64), np.uint64(10**digits))
    fraction = pc.utf8_lpad(pa.array(part).cast(pa.string()), digits, "0")
    texts = pc.binary_join_element_wise(
        pc.if_else(pa.array(ticks < 0), "-", ""),
        pa.array(whole).cast(pa.string()),
        pc.if_else(pa.array(part > 0), ".", ""),
        pc.if_else(pa.array(part > 0), fraction, ""),
        "",
    )
    return pc.if_else(pc.is_valid(times), texts, "")
