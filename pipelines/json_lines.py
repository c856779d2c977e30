"""Tables of JSON lines as blocks of strings: one object a line, a missing key an empty cell.

Rows are numbered as lines of the file, from 1; a blank line counts, but is no row. A number is its
text as it stands there, true and false are these words, null is empty, a list is its values joined,
an object inside a row its JSON. A line that is no object, or is longer than a block, is a broken
row. Of a key that comes twice the last counts.
"""

import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import table_blocks
from pipelines.table_blocks import (
    REPLACEMENT,
    Block,
    BrokenRow,
    TableFormat,
    damaged,
    open_text,
    shortened,
)

NO_OBJECT = "the line is no JSON object"
TOO_LONG = "the line is longer than a block"

# Numbers stay as they are written: an id 007.50 or a time in nanoseconds loses no digit.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # "\ud800" in JSON; it has no UTF-8 form
_WORDS = {True: "true", False: "false", None: ""}
_BLANKS = " \t\r\n"
_BYTE_ORDER_MARK = "\ufeff"


def _header(path: str, enough: Collection[str]) -> list[str]:
    """The keys of the first rows, up to the one that completes `enough`."""
    names: dict[str, None] = {}
    objects = 0
    with open_text(path) as file:
        for _, text, whole in _lines(file):
            record = _record(text, (), "") if whole else None
            if record is None:
                continue
            objects += 1
            names.update(dict.fromkeys(record))
            if all(name in names for name in enough):
                break
    if not objects:
        raise pa.ArrowInvalid("none of its lines is a JSON object")
    return [_LONE_SURROGATE.sub(REPLACEMENT, name) for name in names]


def _read(path: str, columns: Sequence[str], separator: str) -> Iterator[Block]:
    number = size = 0
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[BrokenRow] = []
    try:
        with open_text(path) as file:
            for number, text, whole in _lines(file):
                record = _record(text, columns, separator) if whole else None
                if record is None:
                    reason = NO_OBJECT if whole else TOO_LONG
                    broken.append(BrokenRow(number, reason, shortened(text)))
                else:
                    records.append(record)
                    numbers.append(number)
                size += len(text)
                if size >= table_blocks.BLOCK_BYTES:
                    yield _block(columns, records, numbers, broken)
                    records, numbers, broken, size = [], [], [], 0
    except table_blocks.UNREADABLE as error:
        raise damaged(path, number, error, "Look whether the file is whole.") from error
    yield _block(columns, records, numbers, broken)


FORMAT = TableFormat("table of JSON lines", "a file with one JSON object a line", _header, _read)


def _lines(file: io.BufferedReader) -> Iterator[tuple[int, str, bool]]:
    """Number and text of each line that is not blank, and whether the text is all of it."""
    limit, number = table_blocks.BLOCK_BYTES, 0
    while line := file.readline(limit + 1):
        number += 1
        text = line.decode("utf-8", "replace")
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        whole = len(line) <= limit or line.endswith(b"\n")
        text = text.strip(_BLANKS)
        if text:
            yield number, text, whole
        while not whole:
            rest = file.readline(limit)
            whole = not rest or rest.endswith(b"\n")


def _record(text: str, columns: Sequence[str], separator: str) -> dict[str, Any] | None:
    """What a line says, the values of the columns as texts; None if it is no JSON object."""
    try:
        record = _DECODER.decode(text)
        if not isinstance(record, dict):
            return None
        for name in columns:
            value = record.get(name)
            if not isinstance(value, str):
                record[name] = _text(value, separator)
    except (ValueError, RecursionError):  # the second where brackets are nested too deeply
        return None
    return record


def _text(value: Any, separator: str) -> str:
    """The cell of a value; numbers are texts already."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return separator.join(_text(part, separator) for part in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return _WORDS[value]


def _block(
    columns: Sequence[str],
    records: Sequence[dict[str, Any]],
    numbers: Sequence[int],
    broken: list[BrokenRow],
) -> Block:
    cells = {name: _strings([record[name] for record in records]) for name in columns}
    return Block(cells, np.array(numbers, np.int64), broken)


def _strings(cells: Sequence[str]) -> pa.Array:
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:
        return pa.array([_LONE_SURROGATE.sub(REPLACEMENT, cell) for cell in cells], pa.string())
