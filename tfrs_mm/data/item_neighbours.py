"""Item-to-item statistics as tables: which items are taken near each other, and which follow which.

The behaviour job counts them over training events, `transitions` scores candidates by them.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfrs_mm.artefacts import fingerprint_of
from tfrs_mm.data.npz import DAMAGED, write_arrays
from tfrs_mm.errors import UserError

COVISITED, NEXT = KINDS = ("covisited", "next")
NEIGHBOURS_FILE = "item_neighbours.npz"

_KIND = "item neighbours"
_MADE_FROM, _FINGERPRINT = "made_from", "fingerprint"


@dataclasses.dataclass(frozen=True)
class ItemNeighbours:
    """What each item leads to, the heaviest first; line 0, the unknown item, is empty.

    Attributes:
        neighbours: `[num_items + 1, top]` int32 rows, 0 behind the last one.
        weights: `[num_items + 1, top]` float32, descending, ties by row, 0 where there is no
            neighbour.
        support: `[num_items + 1]` float32, the weight of all that an item leads to, also of what
            the cut to `top` left out.

    Raises:
        ValueError: shapes, types or values are not as above.
    """

    neighbours: np.ndarray
    weights: np.ndarray
    support: np.ndarray

    def __post_init__(self) -> None:
        rows, top = self.neighbours.shape if self.neighbours.ndim == 2 else (0, 0)
        wanted = {
            "neighbours": ((rows, top), "int32"),
            "weights": ((rows, top), "float32"),
            "support": ((rows,), "float32"),
        }
        received = {
            name: (getattr(self, name).shape, str(getattr(self, name).dtype)) for name in wanted
        }
        if received != wanted or rows < 1 or top < 1:
            raise ValueError(
                "the shapes must be [num_items + 1, top], twice, and [num_items + 1], of int32, "
                f"float32 and float32; received {received}."
            )
        self._check_values()

    def _check_values(self) -> None:
        rows, weights = self.neighbours, self.weights
        if rows.min() < 0 or rows.max() >= len(rows):
            raise ValueError(
                f"`neighbours` must be rows from 0 to {len(rows) - 1}, received "
                f"{rows.min()}..{rows.max()}."
            )
        if rows[0].any() or (rows == np.arange(len(rows))[:, None])[1:].any():
            raise ValueError("`neighbours` must leave line 0 empty and no item next to itself.")
        if not (np.isfinite(weights) & (weights >= 0)).all() or ((weights > 0) != (rows > 0)).any():
            raise ValueError(
                "`weights` must be finite, above 0 for a neighbour and 0 where there is none."
            )
        heavier, tied = weights[:, :-1] > weights[:, 1:], weights[:, :-1] == weights[:, 1:]
        ascending = (rows[:, :-1] < rows[:, 1:]) | (rows[:, 1:] == 0)
        if not (heavier | (tied & ascending)).all():
            raise ValueError("`weights` must descend along a line, and rows ascend where they tie.")
        if not np.isfinite(self.support).all() or (self.support < weights[:, 0]).any():
            raise ValueError("`support` must be finite and at least an item's heaviest weight.")

    @property
    def num_items(self) -> int:
        """Items, the unknown one not counted."""
        return len(self.support) - 1


@dataclasses.dataclass(frozen=True)
class NeighbourTables:
    """The neighbours of both kinds, and what they were made from.

    Attributes:
        covisited: of items taken by one user within some steps of each other; symmetric before the
            cut.
        next: of the items that follow an item within some steps.
        made_from: fingerprints and settings, as JSON takes them.

    Raises:
        ValueError: the two are of different catalogues.
    """

    covisited: ItemNeighbours
    next: ItemNeighbours
    made_from: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.covisited.num_items != self.next.num_items:
            raise ValueError(
                f"both kinds must be of the same items, received {self.covisited.num_items} and "
                f"{self.next.num_items}."
            )

    @property
    def fingerprint(self) -> str:
        """Equal for tables made from the same; see `made_from`."""
        return fingerprint_of({"kind": _KIND, "made_from": self.made_from})

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes a compressed `.npz` file, whole or not at all."""
        arrays = {
            f"{kind}/{field.name}": getattr(getattr(self, kind), field.name)
            for kind in KINDS
            for field in dataclasses.fields(ItemNeighbours)
        }
        arrays[_MADE_FROM] = np.array(json.dumps(self.made_from, sort_keys=True))
        arrays[_FINGERPRINT] = np.array(self.fingerprint)
        write_arrays(path, arrays)

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], made_from: Mapping[str, Any] | None = None
    ) -> "NeighbourTables":
        """Reads what `write` wrote.

        Args:
            path: of the file.
            made_from: entries of the tables' own `made_from` that must be equal, such as `items`,
                the fingerprint of the vocabulary.

        Raises:
            UserError: there is no such file, it holds something else, or was made from something
                else.
        """
        if not os.path.isfile(path):
            raise UserError(
                f"item neighbours {path} do not exist. Give a folder `tfrs-mm preprocess` wrote "
                "with `data.transition_window` above 0."
            )
        try:
            tables = cls._read(path)
        except DAMAGED as error:
            raise UserError(
                f"item neighbours {path} cannot be read: {error}. Run `tfrs-mm preprocess` again."
            ) from error
        for key, wanted in (made_from or {}).items():
            found = tables.made_from.get(key)
            if found != wanted:
                raise UserError(
                    f"item neighbours {path} were made from {key} {found}, but {key} {wanted} is "
                    "in use. Run `tfrs-mm preprocess` again."
                )
        return tables

    @classmethod
    def _read(cls, path: str | os.PathLike[str]) -> "NeighbourTables":
        names = [field.name for field in dataclasses.fields(ItemNeighbours)]
        with np.load(path, allow_pickle=False) as arrays:
            tables = cls(
                **{
                    kind: ItemNeighbours(*(arrays[f"{kind}/{name}"] for name in names))
                    for kind in KINDS
                },
                made_from=json.loads(str(arrays[_MADE_FROM])),
            )
            said = str(arrays[_FINGERPRINT])
        if said != tables.fingerprint:
            raise ValueError(
                f"it says its fingerprint is {said}, what it was made from has {tables.fingerprint}"
            )
        return tables
