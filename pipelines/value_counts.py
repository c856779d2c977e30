"""How often each value occurs: exactly up to a number of distinct values, beyond it for a sample of
them, with an estimate of how many there are.

Values are hashed to 64 bits and those with the `limit` smallest hashes are kept, each with its
exact count (a bottom-k sketch, also called KMV: k minimum values). A value that is kept at the end
was among the smallest in every part of the data, so none of its rows was lost on the way, and the
order of rows and the way they are divided mean nothing. Of n distinct values the k smallest hashes
fill a share of about k / n of all: n is estimated as (k - 1) / share, with a relative standard
error of 1 / sqrt(k - 2). (Beyer et al. 2007, On synopses for distinct-value estimation, section 4.)
"""

import dataclasses
import heapq
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.number_counts import ordered_bits
from pipelines.text_hashes import mixed, text_hashes

METHOD = "bottom-k sketch (KMV)"

_HASHES = 2.0**64
_TEXT_KEPT = 100  # characters of a value that are kept; a longer one ends in its hash


@dataclasses.dataclass(frozen=True)
class ValueCounts:
    """Counts of values.

    Attributes:
        hashes: `[n]` uint64, ascending.
        labels: `[n]` objects, the values as they are shown.
        counts: `[n]` int64, exact.
        total: how often any value occurred, those that are not kept included.
        complete: whether every value is kept.
    """

    hashes: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    total: int
    complete: bool = True

    @classmethod
    def of_texts(cls, values: pa.Array, limit: int) -> "ValueCounts":
        """Counts `[rows]` strings without nulls."""
        counted = pc.value_counts(values)
        hashes = text_hashes(counted.field("values"))
        # What would be dropped is not made into Python objects first.
        smallest = np.unique(hashes)
        complete = len(smallest) <= limit
        kept = np.arange(len(hashes)) if complete else np.flatnonzero(hashes <= smallest[limit - 1])
        labels = np.empty(len(kept), object)
        labels[:] = [
            _shown(text, number)
            for text, number in zip(
                counted.field("values").take(pa.array(kept)).to_pylist(),
                hashes[kept].tolist(),
                strict=True,
            )
        ]
        counts = counted.field("counts").to_numpy()[kept]
        return _fitted(hashes[kept], labels, counts, len(values), complete, limit)

    @classmethod
    def of_numbers(cls, values: np.ndarray, limit: int) -> "ValueCounts":
        """Counts `[rows]` finite float64."""
        bits, counts = np.unique(ordered_bits(values), return_counts=True)
        hashes = mixed(bits)
        kept = np.argsort(hashes)[:limit]  # a one-to-one hash: there are no equal ones to join
        numbers = np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits).view(np.float64)[kept]
        return cls(
            hashes[kept], numbers.astype(object), counts[kept], len(values), len(bits) <= limit
        )

    def merged(self, other: "ValueCounts", limit: int) -> "ValueCounts":
        """The counts of both."""
        return _fitted(
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.counts, other.counts]),
            self.total + other.total,
            self.complete and other.complete,
            limit,
        )

    def distinct(self) -> tuple[int, float]:
        """How many values there are, and the relative standard error, 0 where it is exact."""
        kept = len(self.hashes)
        if self.complete:
            return kept, 0.0
        share = (float(self.hashes[-1]) + 1.0) / _HASHES
        return round((kept - 1) / share), 1.0 / math.sqrt(kept - 2)

    def most_frequent(self, number: int) -> list[tuple[Any, int]]:
        """Values that are kept and their counts, most frequent first, equal ones by value."""
        least = np.partition(self.counts, -number)[-number] if len(self.counts) > number else 0
        some = self.counts >= least
        pairs = zip(self.labels[some].tolist(), self.counts[some].tolist(), strict=True)
        return heapq.nsmallest(number, pairs, key=lambda pair: (-pair[1], pair[0]))


NOTHING = ValueCounts(np.zeros(0, np.uint64), np.zeros(0, object), np.zeros(0, np.int64), 0)


def _shown(text: str, number: int) -> str:
    return text if len(text) <= _TEXT_KEPT else f"{text[:_TEXT_KEPT]}... ({number:016x})"


def _fitted(
    hashes: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    total: int,
    complete: bool,
    limit: int,
) -> ValueCounts:
    """Equal values joined, and the smallest hashes kept."""
    order = np.argsort(hashes, kind="stable")
    hashes, labels, counts = hashes[order], labels[order], counts[order]
    is_first = np.ones(len(hashes), bool)
    is_first[1:] = hashes[1:] != hashes[:-1]
    first = np.flatnonzero(is_first)
    summed = np.add.reduceat(counts, first) if len(first) else counts
    kept = first[:limit]
    return ValueCounts(
        hashes[kept],
        labels[kept],
        summed[:limit].astype(np.int64),
        total,
        complete and len(first) <= limit,
    )
