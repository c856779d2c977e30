"""Sharded, compressed TFRecord files, written and read without TensorFlow.

A record is framed as: length (8 bytes, little-endian), checksum of the length, the record, checksum
of the record. A checksum is CRC-32C, rotated by 15 bits and offset, so that it can itself be
checked.
"""

import functools
import gzip
import itertools
import os
import pathlib
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from tfrs_mm._runtime import import_optional
from tfrs_mm.artefacts import whole_file
from tfrs_mm.errors import UserError

_Checksum = TypeVar("_Checksum", int, np.ndarray)

_SUFFIX = ".tfrecord.gz"
_MASK_OFFSET = 0xA282EAD8
_COMPRESSION_LEVEL = 2  # of igzip: a tenth more bytes than zlib's first, in a sixth of its time
_BLOCK = 1024  # records that are framed and handed to the compressor at once
_HEADER_BYTES = 12
_FOOTER_BYTES = 4


def frame(records: Sequence[bytes]) -> bytes:
    """The records with their lengths and checksums around them, ready to be appended to a file."""
    checksums = np.fromiter(map(_crc32c(), records), np.uint64, len(records))
    footers = _masked(checksums).astype("<u4").tobytes()
    ends = range(_FOOTER_BYTES, len(footers) + 1, _FOOTER_BYTES)
    framed = zip(
        map(_header, map(len, records)),
        records,
        [footers[end - _FOOTER_BYTES : end] for end in ends],
        strict=True,
    )
    return b"".join(itertools.chain.from_iterable(framed))


def write_tfrecord(path: str | os.PathLike[str], records: Iterable[bytes]) -> int:
    """Writes a gzip-compressed TFRecord file, whole or not at all.

    The same records give the same bytes on one kind of processor: the compressor's code, and with
    it which repeats it finds, may differ between kinds.

    Returns:
        The number of records written.
    """
    count, rest = 0, iter(records)
    with (
        whole_file(path) as temporary,
        open(temporary, "wb") as raw,
        import_optional("isal.igzip").GzipFile("", "wb", _COMPRESSION_LEVEL, raw, mtime=0) as file,
    ):
        while block := list(itertools.islice(rest, _BLOCK)):
            file.write(frame(block))
            count += len(block)
    return count


def read_tfrecord(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The records of a gzip-compressed TFRecord file, their checksums verified.

    Raises:
        UserError: the file does not exist, is cut off, or its bytes are not what was written.
    """
    if not os.path.isfile(path):
        raise UserError(
            f"record file {path} does not exist. Give a folder that `tfrs-mm preprocess` wrote."
        )
    try:
        with gzip.open(path, "rb") as file:
            while header := file.read(_HEADER_BYTES):
                length = header[:8]
                if len(header) < _HEADER_BYTES or header[8:] != _checksum_bytes(length):
                    raise _damaged(path, "the length of a record is not what was written")
                (size,) = struct.unpack("<Q", length)
                content = file.read(size + _FOOTER_BYTES)
                record = content[:size]
                if len(content) < size + _FOOTER_BYTES or content[size:] != _checksum_bytes(record):
                    raise _damaged(path, "a record is not what was written")
                yield record
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def shard_name(prefix: str, index: int, shards: int) -> str:
    """The file name of shard `index`, from 0, such as `train-00000-of-00002.tfrecord.gz`."""
    return f"{prefix}-{index:05d}-of-{shards:05d}{_SUFFIX}"


def find_shards(directory: str | os.PathLike[str], prefix: str) -> list[str]:
    """The paths of all shards of one record set, in order.

    Raises:
        UserError: there is none, one is missing, or shards of two sets lie beside each other.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise UserError(
            f"folder {directory} does not exist. Give a folder that `tfrs-mm preprocess` wrote."
        )
    form = re.compile(re.escape(prefix) + r"-(\d{5})-of-(\d{5})" + re.escape(_SUFFIX))
    matches = [match for match in map(form.fullmatch, os.listdir(directory)) if match]
    totals = sorted({int(match[2]) for match in matches})
    if not totals:
        raise UserError(
            f"{directory} holds no {prefix}-*{_SUFFIX}. "
            "Give a folder that `tfrs-mm preprocess` wrote."
        )
    if len(totals) > 1:
        raise UserError(
            f"{directory} holds `{prefix}` shards of sets of {totals} files beside each other. "
            "Run `tfrs-mm preprocess` again into an empty folder."
        )
    wanted = [shard_name(prefix, index, totals[0]) for index in range(totals[0])]
    found = {match[0] for match in matches}
    missing = [name for name in wanted if name not in found]
    if missing or len(found) != len(wanted):
        raise UserError(
            f"{directory} must hold all {totals[0]} shards of `{prefix}`; missing: {missing}, "
            f"not of the set: {sorted(found.difference(wanted))}. Run `tfrs-mm preprocess` again."
        )
    return [str(directory / name) for name in wanted]


def _damaged(path: str | os.PathLike[str], what: str) -> UserError:
    return UserError(f"record file {path} is damaged: {what}. Run `tfrs-mm preprocess` again.")


@functools.lru_cache(maxsize=2**16)
def _header(size: int) -> bytes:
    """What stands before a record of `size` bytes: many are of one length."""
    length = struct.pack("<Q", size)
    return length + _checksum_bytes(length)


def _checksum_bytes(data: bytes) -> bytes:
    return struct.pack("<I", _masked(_crc32c()(data)))


def _masked(checksum: _Checksum) -> _Checksum:
    """One checksum, or an array of uint64, as it stands in a file."""
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return (rotated + _MASK_OFFSET) & 0xFFFFFFFF


@functools.cache
def _crc32c() -> Callable[[bytes], int]:
    return import_optional("google_crc32c").value
