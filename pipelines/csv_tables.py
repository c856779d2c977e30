"""CSV tables as blocks of strings.

Rows are numbered as records of the file, the header being row 1; a line break inside quotes ends no
record, and a blank line is none. A record of another width than the header is a broken row.
"""

import io
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import csv

from pipelines import table_blocks
from pipelines.table_blocks import Block, BrokenRow, TableFormat, damaged, open_text, shortened

NOT_AS_WIDE = "the row has not as many cells as the header"

_FIRST_ROW = 2  # behind the header
_HEADER_BYTES = 2**16  # read to learn names; Arrow guesses types from all that it is given


def _header(path: str, _: Collection[str] = ()) -> list[str]:
    try:
        return _names(path, _HEADER_BYTES)
    except pa.ArrowInvalid:  # such as a header that is longer
        return _names(path, table_blocks.BLOCK_BYTES)


def _names(path: str, block_bytes: int) -> list[str]:
    with open_text(path) as file, _open(file, None, [], block_bytes) as reader:
        return reader.schema.names


def _read(path: str, columns: Sequence[str], _: str) -> Iterator[Block]:
    broken: list[BrokenRow] = []
    waiting: list[int] = []  # numbers of broken rows that lie behind the rows handed out so far
    first, names = _FIRST_ROW, []
    try:
        header = _header(path)
        names = [name for name in columns if name in header]
        asked = names or header[:1]  # asked for no column, the reader would give all
        with (
            open_text(path) as file,
            _open(file, asked, broken, table_blocks.BLOCK_BYTES) as reader,
        ):
            for batch in reader:
                # The reader is some blocks ahead, so `broken` may tell of rows behind this batch.
                waiting = [number for number in waiting if number >= first] + [
                    row.number for row in broken
                ]
                numbers = _numbers(first, batch.num_rows, waiting)
                first = int(numbers[-1]) + 1 if len(numbers) else first
                cells = dict(zip(asked, batch.columns, strict=True))
                cells = {name: cells[name] for name in names}
                yield Block(cells, numbers, list(broken))
                broken.clear()
    except table_blocks.UNREADABLE as error:
        remedy = (
            "Look for a lost quote or a record longer than "
            f"{table_blocks.BLOCK_BYTES // 2**20} MiB there, and whether the file is whole."
        )
        raise damaged(path, first - 1, error, remedy) from error
    none = pa.array([], pa.string())
    yield Block(dict.fromkeys(names, none), np.zeros(0, np.int64), broken)


FORMAT = TableFormat("CSV", "a CSV file with a header line", _header, _read)


def _numbers(first: int, count: int, left_out: Sequence[int]) -> np.ndarray:
    """`count` numbers from `first` on, without those of broken rows."""
    candidates = np.arange(first, first + count + len(left_out), dtype=np.int64)
    return candidates[~np.isin(candidates, left_out)][:count]


def _open(
    file: io.BufferedReader,
    columns: list[str] | None,
    broken: list[BrokenRow],
    block_bytes: int,
) -> csv.CSVStreamingReader:
    def keep(row: csv.InvalidRow) -> str:
        broken.append(BrokenRow(row.number, NOT_AS_WIDE, shortened(row.text)))
        return "skip"

    return csv.open_csv(
        file,
        # Without threads rows are numbered; the work is spread over files and partitions instead.
        read_options=csv.ReadOptions(block_size=block_bytes, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        convert_options=csv.ConvertOptions(
            include_columns=columns,
            column_types=None if columns is None else dict.fromkeys(columns, pa.string()),
            strings_can_be_null=False,
        ),
    )
