"""Rows of the users: those of a former run keep theirs, new ones follow, by partition and id."""

import functools
from collections.abc import Iterable, Mapping

import numpy as np

from tfrs_mm.data.vocabulary import Vocabulary


class UserRows:
    """Gives out rows; it can be pickled, and reads the former vocabulary where it is used."""

    def __init__(self, former_path: str = "") -> None:
        """Says which users have a row already.

        Args:
            former_path: their vocabulary; empty where there is no former run.
        """
        self._former_path = former_path

    @functools.cached_property
    def _former(self) -> Vocabulary:
        return Vocabulary.read(self._former_path) if self._former_path else Vocabulary(())

    def __reduce__(self) -> tuple[type["UserRows"], tuple[str]]:
        # The vocabulary is read anew at the other end.
        return UserRows, (self._former_path,)

    def new(self, user_ids: list[str]) -> list[str]:
        """Those that have no row yet, in their order."""
        rows = self._former.rows_of(user_ids)
        return [user for user, row in zip(user_ids, rows.tolist(), strict=True) if not row]

    def of(self, partition: int, user_ids: list[str], sizes: Mapping[int, int]) -> np.ndarray:
        """`[users]` rows of the users of a partition.

        Args:
            partition: whose.
            user_ids: of its users.
            sizes: new users of every partition.
        """
        rows = self._former.rows_of(user_ids)
        is_new = rows == 0
        before = sum(size for number, size in sizes.items() if number < partition)
        rows[is_new] = self._former.size + before + np.arange(int(is_new.sum()))
        return rows

    def number(self, sizes: Mapping[int, int]) -> int:
        """How many users there are in all, those included that have no event any more."""
        return self._former.size - 1 + sum(sizes.values())

    def write(self, path: str, parts: Iterable[tuple[int, list[str]]]) -> None:
        """The vocabulary of all users.

        Args:
            path: takes it.
            parts: partitions with their new users.
        """
        new = [user for _, users in sorted(parts) for user in users]
        Vocabulary((*self._former.ids, *new)).write(path)
