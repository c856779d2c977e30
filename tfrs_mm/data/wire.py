"""The wire format of `tf.train.Example`, written a column at a time with NumPy and no TensorFlow.

A column is flat `values` with `splits`: record i owns `values[splits[i]:splits[i + 1]]`. Each
column becomes one map entry a record; the records are these entries joined. Where the keys come in
sorted order the bytes equal protobuf's own deterministic ones.

    Example  { Features features = 1 }       Feature { BytesList 1 | FloatList 2 | Int64List 3 }
    Features { map<string, Feature> 1 }      lists of numbers are packed in field 1
"""

import functools
import itertools
from collections.abc import Sequence

import numpy as np

# A tag is the field's number times 8, plus 2 for "length-delimited".
_FIELD_1 = b"\x0a"
_FIELD_2 = b"\x12"
_FIELD_3 = b"\x1a"
_BITS = 7  # of a number in one byte of a varint; the eighth says that more follow


def int64_entries(key: str, values: np.ndarray, splits: np.ndarray) -> list[bytes]:
    """One map entry a record, holding an `Int64List`.

    Args:
        key: the feature's name.
        values: `[splits[-1]]` int64.
        splits: `[records + 1]` int64.
    """
    encoded, value_splits = varints(values)
    return _packed_entries(key, _FIELD_3, encoded.tobytes(), value_splits[splits])


def float_entries(key: str, values: np.ndarray, splits: np.ndarray) -> list[bytes]:
    """One map entry a record, holding a `FloatList`; `values` are written as float32."""
    encoded = np.ascontiguousarray(values, dtype="<f4")
    return _packed_entries(key, _FIELD_2, encoded.tobytes(), splits * encoded.itemsize)


def bytes_entries(key: str, values: Sequence[bytes]) -> list[bytes]:
    """One map entry a record, holding a `BytesList` of one value."""
    return [
        _entry_header(key, _FIELD_1, len(value), written_when_empty=True) + value
        for value in values
    ]


def join_entries(columns: Sequence[list[bytes]]) -> list[bytes]:
    """Serialized `Example`s from the map entries of each column; all columns are equally long."""
    bodies = map(b"".join, zip(*columns, strict=True))
    return [_FIELD_1 + _varint(len(body)) + body for body in bodies]


def varints(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as base-128 varints, one behind the other.

    Args:
        values: `[n]` int64; a negative one takes ten bytes, as in protobuf.

    Returns:
        The bytes `[total]` uint8, and `[n + 1]` int64: number i is `bytes[splits[i]:splits[i +
        1]]`.
    """
    numbers = np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)
    splits = np.zeros(len(numbers) + 1, dtype=np.int64)
    if not len(numbers):
        return np.zeros(0, dtype=np.uint8), splits
    largest = int(numbers.max())
    if largest < 2**32:
        numbers = numbers.astype(np.uint32)  # half the memory to move
    width = max(1, -(-largest.bit_length() // _BITS))
    # Column k holds byte k of every number; `used` says which of them the number needs.
    dense = np.empty((len(numbers), width), dtype=np.uint8)
    used = np.ones((len(numbers), width), dtype=bool)
    lengths = np.ones(len(numbers), dtype=np.uint8)
    for place in range(width):
        byte = (numbers & 0x7F).astype(np.uint8)
        numbers = numbers >> numbers.dtype.type(_BITS)
        if place + 1 < width:
            more = numbers > 0
            used[:, place + 1] = more
            lengths += more
            byte |= more.view(np.uint8) << 7
        dense[:, place] = byte
    np.cumsum(lengths, out=splits[1:])
    if splits[-1] == dense.size:
        return dense.reshape(-1), splits
    return dense[used], splits


def _packed_entries(key: str, kind: bytes, payload: bytes, splits: np.ndarray) -> list[bytes]:
    """Map entries whose list holds the packed bytes `payload[splits[i]:splits[i + 1]]`."""
    headers = {
        size: _entry_header(key, kind, size, written_when_empty=False)
        for size in np.unique(np.diff(splits)).tolist()
    }
    return [
        headers[end - start] + payload[start:end]
        for start, end in itertools.pairwise(splits.tolist())
    ]


@functools.lru_cache(maxsize=2**16)
def _entry_header(key: str, kind: bytes, size: int, written_when_empty: bool) -> bytes:
    """All of a map entry that stands before its `size` bytes of content."""
    content = _FIELD_1 + _varint(size) if size or written_when_empty else b""
    list_size = len(content) + size
    feature = kind + _varint(list_size) + content
    name = key.encode("utf-8")
    value = _FIELD_1 + _varint(len(name)) + name + _FIELD_2 + _varint(len(feature) + size) + feature
    return _FIELD_1 + _varint(len(value) + size) + value


@functools.lru_cache(maxsize=2**16)
def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= _BITS
    encoded.append(number)
    return bytes(encoded)
