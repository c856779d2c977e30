"""What a run is told of the items, and the same with parts of it taken away or made noise.

A model that lost nothing without a modality would have gained nothing by it. Absence asks how well
the other parts stand in; noise, what another item's embedding in the place of one's own does, asks
whether the model listens at all: it keeps how embeddings are spread and who has one.

The model stays as it was trained. What it learnt from behaviour, popularity and item-to-item
statistics, is no part of an item's description and stays too.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfrs_mm.training.knowledge import Knowledge

IDS, CATEGORIES, CONTENT = "ids", "categories", "content"
WAYS: tuple[Literal["noise", "absence"], ...] = ("noise", "absence")


@dataclasses.dataclass(frozen=True)
class ItemInputs:
    """The description of every item, by row.

    Attributes:
        modalities: names, in the order of `values`.
        values: `[items + 1, modality, reduced_dim]`, zeros where a modality is absent.
        present: `[items + 1, modality]` bool.
        categories: by column, `[items + 1, width]` int32, padded with 0.
        ids: `[items + 1]` int32 row whose id embedding an item shows; 0 for none.
    """

    modalities: tuple[str, ...]
    values: np.ndarray
    present: np.ndarray
    categories: dict[str, np.ndarray]
    ids: np.ndarray

    @classmethod
    def of_run(
        cls, knowledge: Knowledge, values: np.ndarray, target_counts: np.ndarray
    ) -> "ItemInputs":
        """What the item tower was trained on.

        Args:
            knowledge: of the data folder.
            values: `[items + 1, modality, reduced_dim]`.
            target_counts: `[items + 1]`; the id of a row that never was a target is hidden.
        """
        return cls(
            tuple(modality.value for modality in knowledge.schema.modalities),
            values,
            knowledge.catalogue.present,
            knowledge.catalogue.categories,
            np.where(target_counts > 0, np.arange(len(target_counts)), 0).astype(np.int32),
        )

    def parts(self) -> dict[str, tuple[str, ...]]:
        """What can be replaced: each modality that some item has, categories, all of these together
        (`content`; what is left are ids alone), and `ids`."""
        modalities = [
            name
            for name, present in zip(self.modalities, self.present.T, strict=True)
            if present.any()
        ]
        content = (*modalities, *([CATEGORIES] if self.categories else []))
        together = {CONTENT: content} if content else {}
        return {name: (name,) for name in content} | together | {IDS: (IDS,)}

    def replaced(
        self, parts: Sequence[str], way: Literal["noise", "absence"], seed: int
    ) -> "ItemInputs":
        """See `noised` and `absent`."""
        return self.noised(parts, seed) if way == "noise" else self.absent(parts)

    def absent(self, parts: Sequence[str]) -> "ItemInputs":
        """The same, as if no item had these parts.

        Args:
            parts: names of modalities, `categories` or `ids`.
        """
        places = self._places(parts)
        values, present = self.values.copy(), self.present.copy()
        values[:, places], present[:, places] = 0.0, False
        categories, ids = self.categories, self.ids
        if CATEGORIES in parts:
            categories = {name: np.zeros_like(rows) for name, rows in categories.items()}
        if IDS in parts:
            ids = np.zeros_like(ids)
        return dataclasses.replace(
            self, values=values, present=present, categories=categories, ids=ids
        )

    def noised(self, parts: Sequence[str], seed: int) -> "ItemInputs":
        """The same, where each item that has a part shows another item's.

        Each modality is permuted among the items that have it, category columns and ids likewise,
        every one by itself.

        Args:
            parts: names of modalities, `categories` or `ids`.
            seed: of the permutations.
        """
        generator = np.random.default_rng(seed)
        values, ids = self.values.copy(), self.ids
        for place in self._places(parts):
            values[:, place] = _permuted(values[:, place], self.present[:, place], generator)
        categories = dict(self.categories)
        if CATEGORIES in parts:
            for name, rows in categories.items():
                categories[name] = _permuted(rows, (rows > 0).any(axis=1), generator)
        if IDS in parts:
            ids = _permuted(ids, ids > 0, generator)
        return dataclasses.replace(self, values=values, categories=categories, ids=ids)

    def _places(self, parts: Sequence[str]) -> list[int]:
        known = (*self.modalities, CATEGORIES, IDS)
        strangers = [part for part in parts if part not in known]
        if strangers:
            raise ValueError(f"`parts` must be of {list(known)}, received {strangers}.")
        return [self.modalities.index(part) for part in parts if part in self.modalities]


def _permuted(table: np.ndarray, chosen: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The table with its chosen rows in a random cycle, so that none stays in its place."""
    order = generator.permutation(np.flatnonzero(chosen))
    table = table.copy()
    table[order] = table[np.roll(order, 1)]
    return table
