"""Lines of cells with a separator between them, as columns of strings.

A record is one line: a line break never belongs to a cell, so that a lost quote costs one record.
Lines without a quote are divided a block at a time; those with one are read as CSV, each alone.
"""

import csv
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfrs_mm.data.connectors.lines import header_of, read_lines
from tfrs_mm.data.connectors.rejects import Rejects

NOT_AS_WIDE = "the line has not as many cells as the table"
NO_RECORD = "the line is no record of CSV"
_QUOTE = '"'


@dataclasses.dataclass(frozen=True)
class Rows:
    """Neighbouring rows of a table.

    Attributes:
        columns: `[rows]` strings of each column.
        numbers: `[rows]` int64, of their lines.
    """

    columns: dict[str, pa.Array]
    numbers: np.ndarray


def header_cells(path: pathlib.Path, separator: str = ",") -> list[str]:
    """The cells of the first line; see `header_of`."""
    line = header_of(path)
    cells = _csv_cells(line, separator) if _QUOTE in line else line.split(separator)
    return [cell.strip() for cell in cells or []]


def read_rows(
    path: pathlib.Path,
    columns: Sequence[str],
    table: str,
    rejects: Rejects | None,
    *,
    separator: str = ",",
    quotes: bool = True,
    header: bool = True,
    encoding: str = "utf-8",
) -> Iterator[Rows]:
    """The rows of a table, a block at a time; a blank line is none.

    Args:
        path: of the file.
        columns: the names of all cells of a line, in their order.
        table: the rejects' name for it.
        rejects: takes lines of another width; None where another pass has told them.
        separator: stands between cells; of one character where there may be quotes.
        quotes: whether a cell may be quoted; else a quote is a character like any other.
        header: whether the first line is no row.
        encoding: of the text.

    Raises:
        UserError: the file cannot be read to its end.
    """
    for lines in read_lines(path, table, rejects, encoding):
        texts = lines.split()
        numbers = np.arange(lines.first, lines.first + len(texts), dtype=np.int64)
        if header and lines.first == 1:
            texts, numbers = texts[1:], numbers[1:]
        quoted = quotes and _QUOTE in lines.text
        cells, widths = _divide(texts, len(columns), separator, quoted)
        for place in np.flatnonzero((widths != len(columns)) & (widths != _BLANK)).tolist():
            if rejects is not None:
                reason = NO_RECORD if widths[place] == _MISMATCH else NOT_AS_WIDE
                where = f"{path.name}:{numbers[place]}"
                rejects.add_line(table, reason, where, texts[place])
        numbers = numbers[widths == len(columns)]
        flat = cells.take(
            pa.array(np.arange(len(numbers) * len(columns)).reshape(-1, len(columns)).T.ravel())
        )
        yield Rows(
            {
                name: flat.slice(place * len(numbers), len(numbers))
                for place, name in enumerate(columns)
            },
            numbers,
        )


# What stands for the width of a line that has none.
_BLANK, _MISMATCH = -1, -2


def _divide(
    texts: list[str], width: int, separator: str, quoted: bool
) -> tuple[pa.Array, np.ndarray]:
    """The cells of all lines of `width` one after another, and `[lines]` the width of each."""
    array = pa.array(texts, pa.string())
    parts = pc.split_pattern(array, separator)
    widths = pc.list_value_length(parts).to_numpy(zero_copy_only=False).astype(np.int64)
    blank = pc.equal(pc.utf8_trim_whitespace(array), "").to_numpy(zero_copy_only=False)
    widths[blank] = _BLANK
    places = np.flatnonzero(pc.match_substring(array, _QUOTE)) if quoted else np.zeros(0, np.int64)
    if not len(places):
        return parts.filter(pa.array(widths == width)).flatten(), widths
    # Quoted lines stand behind the others until all are put in their order.
    records = [_csv_cells(texts[place], separator) for place in places.tolist()]
    widths[places] = [_MISMATCH if cells is None else len(cells) for cells in records]
    plain = widths == width
    plain[places] = False
    good = [
        (place, cells)
        for place, cells in zip(places.tolist(), records, strict=True)
        if widths[place] == width
    ]
    late = pa.array([cells for _, cells in good], pa.list_(pa.string()))
    rows = pa.concat_arrays([parts.filter(pa.array(plain)), late])
    order = np.argsort(
        np.concatenate([np.flatnonzero(plain), [place for place, _ in good]]), kind="stable"
    )
    return rows.take(pa.array(order)).flatten(), widths


def _csv_cells(line: str, separator: str) -> list[str] | None:
    """The cells of one line of CSV; None if its quotes do not match."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error:
        return None
