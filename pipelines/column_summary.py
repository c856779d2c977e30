"""What one pass over a column leaves: rows, missing ones, counts of its values, and of its numbers.

Cells of text are read as numbers or as times where every one of them can be, and as text otherwise.
Summaries of parts of a column add up to that of the whole, in any order.
"""

import dataclasses
import enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import number_counts, value_counts
from pipelines.number_counts import NumberCounts
from pipelines.value_counts import ValueCounts


class Type(enum.StrEnum):
    """What the cells of a column are."""

    ID = "id"
    CATEGORY = "category"
    PATH = "path"
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"  # seconds since 1970, UTC
    EMPTY = "empty"  # no cell has anything in it


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """What is known of a column beforehand.

    Attributes:
        name: of the column.
        type: None where the cells have to tell.
        separator: stands between several values of a cell; empty where a cell is one value.
    """

    name: str
    type: Type | None = None
    separator: str = ""


@dataclasses.dataclass(frozen=True)
class ColumnSummary:
    """A column or a part of one.

    Attributes:
        rows: of the table.
        missing: rows with nothing in this column.
        values: counts of its values.
        numbers: counts of its finite numbers, or of its times in seconds; nothing for a text.
        not_finite: numbers that are infinite or none ("nan").
        reading: what its cells can be read as; None before the first one.
    """

    rows: int = 0
    missing: int = 0
    values: ValueCounts = value_counts.NOTHING
    numbers: NumberCounts = number_counts.NOTHING
    not_finite: int = 0
    reading: str | None = None

    def merged(self, other: "ColumnSummary", limit: int) -> "ColumnSummary":
        """The summary of both parts."""
        reading = self.reading or other.reading
        if other.reading not in (None, reading):
            reading = _TEXT
        is_text = reading == _TEXT
        return ColumnSummary(
            self.rows + other.rows,
            self.missing + other.missing,
            self.values.merged(other.values, limit),
            number_counts.NOTHING if is_text else self.numbers.merged(other.numbers, limit),
            0 if is_text else self.not_finite + other.not_finite,
            reading,
        )

    def type(self, spec: ColumnSpec) -> Type:
        """What the column turned out to be."""
        if self.rows == self.missing:
            return Type.EMPTY
        if spec.type is not None:
            return spec.type
        return _TYPES[self.reading or _TEXT]


# Readings. Times with and without a zone are told apart: a column that mixes them is no time.
_NUMBER, _TIME, _ZONED_TIME, _TEXT = "number", "time", "time with zone", "text"
_TYPES = {
    _NUMBER: Type.NUMBER,
    _TIME: Type.TIME,
    _ZONED_TIME: Type.TIME,
    _TEXT: Type.TEXT,
}
_MICROSECONDS = 1_000_000


def summarise(column: pa.Array, spec: ColumnSpec, limit: int) -> ColumnSummary:
    """Summarises the cells of a column: strings, lists of strings, numbers, times or bools."""
    rows = len(column)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        column = pc.cast(column.drop_null(), pa.float64(), safe=False)
        return _of_numbers(column.to_numpy(zero_copy_only=False), rows, _NUMBER, limit)
    if pa.types.is_temporal(kind):
        return _of_numbers(_seconds(column.drop_null()), rows, _TIME, limit)
    texts, missing = texts_of(column, spec.separator)
    reading, numbers = _read(texts) if spec.type is None else (_TEXT, None)
    values = ValueCounts.of_texts(texts, limit)
    if numbers is None:
        return ColumnSummary(rows, missing, values, reading=reading)
    finite = numbers[np.isfinite(numbers)]
    return ColumnSummary(
        rows,
        missing,
        values,
        NumberCounts.of(finite, limit),
        len(numbers) - len(finite),
        reading,
    )


def texts_of(column: pa.Array, separator: str = "") -> tuple[pa.Array, int]:
    """The values in the cells of a column, and how many cells have none.

    Args:
        column: strings or lists of strings.
        separator: cuts a cell into values, each counted once; empty where a cell is one value.
    """
    cells = column.drop_null()
    if not pa.types.is_list(cells.type) and not pa.types.is_large_list(cells.type):
        cells = pc.cast(cells, pa.string())
        if not separator:
            texts = cells.filter(pc.not_equal(cells, ""))
            return texts, len(column) - len(texts)
        cells = pc.split_pattern(cells, separator)
    texts = pc.utf8_trim_whitespace(pc.cast(pc.list_flatten(cells), pa.string()))
    encoded = texts.dictionary_encode()
    owners = pc.list_parent_indices(cells).to_numpy()
    places = encoded.indices.to_numpy()
    _, first = np.unique(owners * max(len(encoded.dictionary), 1) + places, return_index=True)
    filled = first[pc.not_equal(texts.take(pa.array(first)), "").to_numpy(zero_copy_only=False)]
    return texts.take(pa.array(filled)), len(column) - len(np.unique(owners[filled]))


def _of_numbers(numbers: np.ndarray, rows: int, reading: str, limit: int) -> ColumnSummary:
    finite = numbers[np.isfinite(numbers)]
    return ColumnSummary(
        rows,
        rows - len(numbers),
        ValueCounts.of_numbers(finite, limit),
        NumberCounts.of(finite, limit),
        len(numbers) - len(finite),
        reading if len(numbers) else None,
    )


def _read(texts: pa.Array) -> tuple[str | None, np.ndarray | None]:
    """What all of the texts can be read as, and the numbers or seconds they then are."""
    if not len(texts):
        return None, None
    for reading, kind in _READINGS.items():
        try:
            cells = pc.cast(texts, kind)
        except pa.ArrowInvalid:  # some cell cannot be read so
            continue
        if reading == _NUMBER:
            return reading, cells.to_numpy(zero_copy_only=False)
        return reading, _seconds(cells)
    return _TEXT, None


_READINGS = {
    _NUMBER: pa.float64(),
    _TIME: pa.timestamp("us"),
    _ZONED_TIME: pa.timestamp("us", tz="UTC"),
}


def _seconds(times: pa.Array) -> np.ndarray:
    whole = pa.timestamp("us", tz=getattr(times.type, "tz", None))
    microseconds = pc.cast(pc.cast(times, whole), pa.int64())
    return microseconds.to_numpy(zero_copy_only=False) / _MICROSECONDS
