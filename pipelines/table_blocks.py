"""What the formats of tables share: what a block of rows is, and how the bytes of a file are read.

A byte that is no UTF-8 becomes U+FFFD and costs nothing else.
"""

import codecs
import contextlib
import dataclasses
import io
import pathlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.input_folder import open_bytes
from tfrs_mm.errors import UserError

REPLACEMENT = "\ufffd"  # what stands where bytes were no UTF-8
BLOCK_BYTES = 4 * 2**20  # read at once; also the longest record that can be read
UNREADABLE = (pa.ArrowInvalid, OSError)  # the second where a compressed file is damaged or cut off

_TEXT_SHOWN = 500  # characters of a broken record that are kept; a lost quote can swallow megabytes
_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


class UnreadableTable(UserError):
    """A file that is damaged, cut off, or no table of its format.

    Attributes:
        row: the last one that could be read; 0 where none could.
    """

    def __init__(self, text: str, row: int = 0) -> None:
        super().__init__(text)
        self.row = row


@dataclasses.dataclass(frozen=True)
class BrokenRow:
    """A record that is no row of its table.

    Attributes:
        number: of the row.
        reason: what is wrong with it.
        text: its beginning.
    """

    number: int
    reason: str
    text: str


@dataclasses.dataclass(frozen=True)
class Block:
    """Some rows of a table.

    Attributes:
        cells: `[rows]` strings for each wanted column that the table has, by its own name there.
        numbers: `[rows]` int64, of the rows.
        broken: rows that were met since the last block.
    """

    cells: dict[str, pa.Array]
    numbers: np.ndarray
    broken: list[BrokenRow]


@dataclasses.dataclass(frozen=True)
class TableFormat:
    """How tables of one format are read.

    Attributes:
        name: for people.
        expected: what a file of it must be, for people.
        header: `(path, enough)` to the names of the columns. A table that does not list them is
            read until all of `enough` were met. Raises one of `UNREADABLE`.
        read: `(path, columns, separator)` to the blocks; lists become texts joined by the
            separator. The last block may be empty. Raises a UserError where the file is damaged.
    """

    name: str
    expected: str
    header: Callable[[str, Collection[str]], list[str]]
    read: Callable[[str, Sequence[str], str], Iterator[Block]]


def shortened(text: str) -> str:
    """The beginning of a broken record."""
    return text[:_TEXT_SHOWN] + ("..." if len(text) > _TEXT_SHOWN else "")


def damaged(path: str, row: int, fault: Exception, remedy: str) -> UnreadableTable:
    """The error for a file that was read up to a row and cannot be read further."""
    return UnreadableTable(
        f"the table {path} cannot be read behind row {row}: {fault}. {remedy}", row
    )


def compression_of(path: str) -> str | None:
    """The compression that the name of a file tells of, by Arrow's name for it."""
    return _CODECS.get(pathlib.PurePath(path).suffix.lower())


@contextlib.contextmanager
def open_text(path: str) -> Iterator[io.BufferedReader]:
    """An open file as UTF-8, decompressed if its name says so."""
    codec = compression_of(path)
    with open_bytes(path) as file:
        if codec is None:
            yield io.BufferedReader(_Utf8(file), BLOCK_BYTES)
        else:
            # Beam's own decompression takes a file that was cut off for a whole one.
            with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec) as decompressed:
                yield io.BufferedReader(_Utf8(decompressed), BLOCK_BYTES)


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
            data = self._file.read(BLOCK_BYTES)
            self._ready = memoryview(self._decoder.decode(data, final=not data).encode("utf-8"))
            if not data:
                break
        taken = min(len(buffer), len(self._ready))
        buffer[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken
