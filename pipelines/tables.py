"""CSV tables as Arrow record batches of strings, each row with its number.

Rows are numbered as records of the file, the header being row 1; a line break inside quotes ends no
record. A record of another width than the header is handed over beside the batches; a byte that is
no UTF-8 becomes U+FFFD and costs nothing else.
"""

import codecs
import contextlib
import dataclasses
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from pyarrow import csv

from tfrs_mm.errors import UserError

ROW_NUMBER = "row number"  # the blank keeps it apart from columns that are asked for by name
REPLACEMENT = "\ufffd"  # what stands where bytes were no UTF-8

_FIRST_ROW = 2  # behind the header
_BLOCK_BYTES = 4 * 2**20  # read at once; also the longest record that can be read
_TEXT_SHOWN = 500  # characters of a broken record that are kept; a lost quote can swallow megabytes
_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_UNREADABLE = (pa.ArrowInvalid, OSError)  # the second where a compressed file is damaged or cut off


@dataclasses.dataclass(frozen=True)
class BrokenRow:
    """A record that has not as many cells as the header.

    Attributes:
        number: of the row.
        text: its beginning.
    """

    number: int
    text: str


def check_below(input_dir: pathlib.Path, relative: str, argument: str) -> None:
    """Looks whether a path of the configuration stays inside the input folder, by its words alone.

    Raises:
        UserError: there is no such folder, or the path is empty, absolute or leads out of it.
    """
    if not input_dir.is_dir():
        raise UserError(
            f"the input folder {input_dir} does not exist. Give one with logs and catalogue."
        )
    path = pathlib.PurePath(relative)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise UserError(
            f"`{argument}` must lie below the input folder, received {relative!r}. "
            "Give a path relative to it."
        )


def column_names(path: pathlib.Path, input_dir: pathlib.Path, needed: Sequence[str]) -> list[str]:
    """The header of a table.

    Raises:
        UserError: the table is missing, lies elsewhere behind a link, is empty or no CSV, or lacks
            a column that is needed or has one twice.
    """
    if not path.is_file():
        raise UserError(f"the table {path} does not exist. Put it there, or name another one.")
    if not path.resolve().is_relative_to(input_dir.resolve()):
        raise UserError(
            f"{path} leads out of the input folder {input_dir}. Put the file itself there."
        )
    if path.stat().st_size == 0:
        raise UserError(f"the table {path} is empty. Give a CSV file with a header line.")
    try:
        names = _header(str(path))
    except _UNREADABLE as error:
        raise UserError(
            f"the table {path} is no CSV: {error}. Give a CSV file with a header line."
        ) from error
    absent = [name for name in needed if name not in names]
    if absent:
        raise UserError(
            f"the table {path} has no column {absent}; it has {names}. Rename or add it."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"the table {path} has the columns {twice} more than once. Rename or remove one."
        )
    return names


def read_table(
    path: str, columns: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, list[BrokenRow]]]:
    """The wanted columns of a table as strings, with an int64 column `ROW_NUMBER`, a block at a
    time.

    Args:
        path: of the table; a compressed one is recognised by its name.
        columns: those that are wanted; what the table lacks is left out.

    Yields:
        A batch, and the broken rows that were met since the last one. The last batch may be empty.

    Raises:
        UserError: the file is damaged, or a record is longer than a block.
    """
    broken: list[BrokenRow] = []
    waiting: list[int] = []  # numbers of broken rows that lie behind the rows handed out so far
    first, names = _FIRST_ROW, []
    try:
        header = _header(path)
        names = [name for name in columns if name in header]
        with _bytes_of(path) as file, _open(file, names, broken) as reader:
            for batch in reader:
                # The reader is some blocks ahead, so `broken` may tell of rows behind this batch.
                waiting = [number for number in waiting if number >= first] + [
                    row.number for row in broken
                ]
                numbers = _numbers(first, batch.num_rows, waiting)
                first = int(numbers[-1]) + 1 if len(numbers) else first
                yield _numbered(batch.columns, names, numbers), list(broken)
                broken.clear()
    except _UNREADABLE as error:
        raise UserError(
            f"the table {path} cannot be read behind row {first - 1}: {error}. Look for a lost "
            f"quote or a record longer than {_BLOCK_BYTES // 2**20} MiB there, "
            "and whether the file is whole."
        ) from error
    none = [pa.array([], pa.string())] * len(names)
    yield _numbered(none, names, np.zeros(0, np.int64)), broken


def _numbers(first: int, count: int, left_out: Sequence[int]) -> np.ndarray:
    """`count` numbers from `first` on, without those of broken rows."""
    candidates = np.arange(first, first + count + len(left_out), dtype=np.int64)
    return candidates[~np.isin(candidates, left_out)][:count]


def _numbered(
    columns: Sequence[pa.Array], names: Sequence[str], numbers: np.ndarray
) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*columns, pa.array(numbers)], [*names, ROW_NUMBER])


def _header(path: str) -> list[str]:
    with _bytes_of(path) as file, _open(file, None, []) as reader:
        return reader.schema.names


@contextlib.contextmanager
def _bytes_of(path: str) -> Iterator[Any]:
    """An open file, decompressed if its name says so."""
    codec = _CODECS.get(pathlib.PurePath(path).suffix)
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        if codec is None:
            yield file
        else:
            # Beam's own decompression takes a file that was cut off for a whole one.
            with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec) as decompressed:
                yield decompressed


def _open(file: Any, columns: list[str] | None, broken: list[BrokenRow]) -> csv.CSVStreamingReader:
    def keep(row: csv.InvalidRow) -> str:
        shortened = row.text[:_TEXT_SHOWN] + ("..." if len(row.text) > _TEXT_SHOWN else "")
        broken.append(BrokenRow(row.number, shortened))
        return "skip"

    return csv.open_csv(
        io.BufferedReader(_Utf8(file), _BLOCK_BYTES),
        # Without threads rows are numbered; the work is spread over files and partitions instead.
        read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        convert_options=csv.ConvertOptions(
            include_columns=columns,
            column_types=None if columns is None else dict.fromkeys(columns, pa.string()),
            strings_can_be_null=False,
        ),
    )


class _Utf8(io.RawIOBase):
    """The bytes of a file, with U+FFFD wherever they are no UTF-8."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._file.read(_BLOCK_BYTES)
            self._ready = memoryview(self._decoder.decode(data, final=not data).encode("utf-8"))
            if not data:
                break
        taken = min(len(buffer), len(self._ready))
        buffer[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken
