"""Lists of different lengths held in two arrays, so that whole columns of them stay in NumPy."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Lists of different lengths, one behind the other.

    Attributes:
        values: `[total]`, the entries of all lists.
        splits: `[n + 1]` int64, from 0 to total: list i is `values[splits[i]:splits[i + 1]]`.

    Raises:
        ValueError: the splits do not divide the values.
    """

    values: np.ndarray
    splits: np.ndarray

    def __post_init__(self) -> None:
        splits = self.splits
        if splits.ndim != 1 or not len(splits) or splits[0] != 0 or splits[-1] != len(self.values):
            raise ValueError(
                f"`splits` must be [n + 1] numbers from 0 to the {len(self.values)} values, "
                f"received shape {splits.shape}, {splits[:1].tolist()}..{splits[-1:].tolist()}."
            )
        if (np.diff(splits) < 0).any():
            raise ValueError("`splits` must never decrease, but they do.")

    def __len__(self) -> int:
        return len(self.splits) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """List `index`, a view of the values."""
        return self.values[self.splits[:-1][index] : self.splits[1:][index]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (
            self.values[start:end]
            for start, end in zip(self.splits[:-1], self.splits[1:], strict=True)
        )

    @property
    def lengths(self) -> np.ndarray:
        """`[n]` int64."""
        return np.diff(self.splits)

    def take(self, indices: np.ndarray) -> "Ragged":
        """The lists at `indices`, in that order."""
        lengths = self.lengths[indices]
        splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # Entry j of a list stands j places behind the list's first one.
        place = np.arange(splits[-1]) - np.repeat(splits[:-1], lengths)
        return Ragged(self.values[np.repeat(self.splits[:-1][indices], lengths) + place], splits)

    @classmethod
    def of(cls, lists: Sequence[Sequence[Any] | np.ndarray], dtype: Any = np.int64) -> "Ragged":
        """From one sequence for each record."""
        splits = np.concatenate([[0], np.cumsum([len(entries) for entries in lists])]).astype(
            np.int64
        )
        flat = [np.asarray(entries, dtype=dtype) for entries in lists if len(entries)]
        return cls(np.concatenate(flat) if flat else np.zeros(0, dtype), splits)
