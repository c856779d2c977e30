"""64-bit hashes of strings that are the same in every process and on every machine.

Short strings are hashed together, eight bytes of all of them at a time; long ones one by one with
BLAKE2b. Which way a string takes depends on its length alone.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_SHORT = 64  # bytes, up to which strings are hashed together


def text_hashes(texts: pa.Array) -> np.ndarray:
    """`[n]` strings without nulls to uint64."""
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    hashes = np.empty(len(texts), np.uint64)
    short = lengths <= _SHORT
    hashes[short] = _hashes_of_short(texts.filter(pa.array(short)), lengths[short])
    hashes[~short] = [
        int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")
        for text in texts.filter(pa.array(~short)).to_pylist()
    ]
    return hashes


def mixed(numbers: np.ndarray) -> np.ndarray:
    """`[n]` int64 or uint64 to uint64 hashes, one to one (the finaliser of SplitMix64)."""
    bits = numbers.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _hashes_of_short(texts: pa.Array, lengths: np.ndarray) -> np.ndarray:
    # The length comes first, so that zeros at the end of a string are not lost among the padding.
    hashes = mixed(lengths)
    width = int(lengths.max(initial=0))
    if not width:
        return hashes
    data = np.frombuffer(b"".join(pc.cast(texts, pa.binary()).to_pylist()), np.uint8)
    starts = np.cumsum(lengths) - lengths
    for first in range(0, width, 8):
        longer = np.flatnonzero(lengths > first)
        places = first + np.arange(8)
        inside = places < lengths[longer, None]
        cells = np.where(inside, starts[longer, None] + places, 0)
        words = np.where(inside, data[cells], 0).astype(np.uint8)
        words = np.ascontiguousarray(words).view("<u8").astype(np.uint64)[:, 0]
        hashes[longer] = mixed(hashes[longer] ^ words)
    return hashes
