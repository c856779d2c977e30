"""Files of lines, read in blocks: bytes, decompressed if the name says so, to numbered texts.

A byte that is no text in the encoding becomes U+FFFD. A line longer than a block is rejected. Only
a block is in memory at any time.
"""

import codecs
import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.errors import UserError
from tfrs_mm.progress import Progress

BLOCK_BYTES = 4 * 2**20  # read at once; also the longest line
TOO_LONG = "the line is longer than a block"

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_MEGABYTE = 10**6
_BYTE_ORDER_MARK = "\ufeff"
_BEGINNING_BYTES = 4096  # of a line that is too long


@dataclasses.dataclass(frozen=True)
class Lines:
    """Neighbouring lines of a file.

    Attributes:
        first: the number of the first, counted from 1.
        text: all of them, each with its line break.
    """

    first: int
    text: str

    def split(self) -> list[str]:
        """The lines without their breaks; `\\r\\n` is one, and no other character breaks a line."""
        lines = self.text.split("\n")
        if not lines[-1]:
            lines.pop()
        return [line.removesuffix("\r") for line in lines] if "\r" in self.text else lines


def read_lines(
    path: pathlib.Path, table: str, rejects: Rejects | None, encoding: str = "utf-8"
) -> Iterator[Lines]:
    """The lines of a file.

    Args:
        path: of the file.
        table: the rejects' name for it.
        rejects: takes lines that are too long; None where another pass has told them.
        encoding: of the text.

    Raises:
        UserError: the file cannot be read to its end.
    """
    number = 1
    for data, too_long in _blocks(path):
        text = data.decode(encoding, "replace")
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if not too_long:
            yield Lines(number, text)
            number += text.count("\n")
            continue
        if rejects is not None:
            rejects.add_line(table, TOO_LONG, f"{path.name}:{number}", text)
        number += 1


def header_of(path: pathlib.Path) -> str:
    """The first line of a file; empty where it has none.

    Raises:
        UserError: the file cannot be read.
    """
    for data, _ in _blocks(path, shown=False):
        text = data.decode("utf-8", "replace").removeprefix(_BYTE_ORDER_MARK)
        return text.split("\n")[0].removesuffix("\r")
    return ""


def encoding_of(path: pathlib.Path) -> str:
    """`utf-8` if every byte of the file is, else `latin-1`.

    Raises:
        UserError: the file cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for data, _ in _blocks(path, shown=False):
            decoder.decode(data)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _blocks(path: pathlib.Path, shown: bool = True) -> Iterator[tuple[bytes, bool]]:
    """Whole lines of a file, or the beginning of one line that is too long, and which it is."""
    rest, skipping = b"", False
    for data in _chunks(path, shown):
        cut = data.rfind(b"\n") + 1
        if not cut:
            if not skipping:
                rest += data
            if len(rest) > BLOCK_BYTES:
                yield rest[:_BEGINNING_BYTES], True
                rest, skipping = b"", True
            continue
        # What is skipped or was left over ends in this chunk, and only that line can be too long.
        first = data.find(b"\n") + 1
        if skipping:
            body = data[first:cut]
        elif len(rest) + first - 1 > BLOCK_BYTES:
            yield (rest + data[:first])[:_BEGINNING_BYTES], True
            body = data[first:cut]
        else:
            body = rest + data[:cut]
        if body:
            yield body, False
        rest, skipping = data[cut:], False
    if rest:
        yield rest, False


def _chunks(path: pathlib.Path, shown: bool) -> Iterator[bytes]:
    """The bytes of a file, decompressed, a block at a time; progress counts those on disk."""
    codec = _CODECS.get(path.suffix.lower())
    try:
        size = path.stat().st_size
        with open(path, "rb") as raw, contextlib.ExitStack() as stack:
            stream: Any = raw
            if codec is not None:
                stream = stack.enter_context(
                    pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec)
                )
            progress = None
            if shown:
                label = f"read {path.name}"
                progress = stack.enter_context(Progress(label, size // _MEGABYTE, "MB"))
            done = 0
            while data := stream.read(BLOCK_BYTES):
                if progress is not None:
                    progress.advance(raw.tell() // _MEGABYTE - done)
                    done = raw.tell() // _MEGABYTE
                yield data
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} cannot be read to its end: {error}. Look whether the file is whole."
        ) from error
