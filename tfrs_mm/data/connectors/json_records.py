"""Files of JSON lines: some fields of every record as columns, a block at a time.

Arrow reads a block at once. Where it cannot, each line of the block is read alone, by rules that
are no wider, and those that break them are rejected. A blank line is no record.
"""

import io
import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from tfrs_mm.data.connectors.lines import Lines, read_lines
from tfrs_mm.data.connectors.rejects import Rejects

NO_OBJECT = "the line is no JSON object"

_INT64 = 2**63


def read_records(
    path: pathlib.Path, schema: pa.Schema, table: str, rejects: Rejects
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """The records of a file, and the numbers of their lines.

    Args:
        path: of the file.
        schema: the fields that are read, of strings, whole numbers, numbers and truth values; one
            that is missing or null is null.
        table: the rejects' name for it.
        rejects: takes lines that are no records of these types.

    Raises:
        UserError: the file cannot be read to its end.
    """
    for lines in read_lines(path, table, rejects):
        texts = lines.split()
        numbers = np.array(
            [number for number, text in enumerate(texts, lines.first) if text.strip()], np.int64
        )
        records = _read_block(lines, schema)
        # One line may hold two objects and still be read; then none is the record of its line.
        if records is None or records.num_rows != len(numbers):
            records, numbers = _read_each(texts, lines.first, schema, table, path.name, rejects)
        yield records, numbers


def objects_of(text: str) -> dict[str, Any] | None:
    """What one line says; None if it is no JSON object."""
    try:
        record = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):  # the second where brackets are nested too deeply
        return None
    return record if isinstance(record, dict) else None


def _read_block(lines: Lines, schema: pa.Schema) -> pa.Table | None:
    data = lines.text.encode("utf-8")
    if not data.strip():
        return schema.empty_table()
    try:
        table = arrow_json.read_json(
            io.BytesIO(data),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Arrow reads a whole number past the largest double as infinite; a line alone is told so.
    if any(pc.any(pc.is_inf(table[field.name])).as_py() for field in schema if _is_float(field)):
        return None
    return table.select(schema.names)


def _is_float(field: pa.Field) -> bool:
    return field.type == pa.float64()


def _read_each(
    texts: list[str], first: int, schema: pa.Schema, table: str, source: str, rejects: Rejects
) -> tuple[pa.Table, np.ndarray]:
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, text in enumerate(texts, first):
        if not text.strip():
            continue
        record = objects_of(text)
        reason = NO_OBJECT if record is None else _type_fault(record, schema)
        if reason is None:
            records.append({field.name: _value(record, field) for field in schema})
            numbers.append(number)
        else:
            rejects.add_line(table, reason, f"{source}:{number}", text)
    return pa.Table.from_pylist(records, schema), np.array(numbers, np.int64)


def _type_fault(record: dict[str, Any], schema: pa.Schema) -> str | None:
    """What is wrong with the types of a record, if anything."""
    for field in schema:
        value = record.get(field.name)
        if value is not None and not _fits(value, field.type):
            return f"{field.name} is no {_KINDS[field.type]}"
    return None


def _fits(value: Any, kind: pa.DataType) -> bool:
    if kind == pa.string():
        return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)
    if kind == pa.bool_():
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind == pa.float64():
        return math.isfinite(_float(value))
    return isinstance(value, int) and -_INT64 <= value < _INT64


def _value(record: dict[str, Any], field: pa.Field) -> Any:
    """A field of a record; whole numbers of any size are rounded to the nearest double."""
    value = record.get(field.name)
    return _float(value) if _is_float(field) and value is not None else value


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number past the largest double
        return math.inf


_KINDS = {
    pa.string(): "text in UTF-8",
    pa.bool_(): "truth value",
    pa.int64(): "whole number",
    pa.float64(): "number of a double's range",
}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
