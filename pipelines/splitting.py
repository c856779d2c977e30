"""Which event of a partition is learnt from, which is asked for, and which is neither.

On top of the two splits lie items and users that are held out of training. An event of a cold item
is a target of validation or test, or nothing: it stands in no history, so nobody learns from it or
is told of it. A cold user is asked in test alone, and everything before is the history.
"""

import functools

import numpy as np

from pipelines.sorted_timelines import Timelines
from tfrs_mm.config import DataConfig
from tfrs_mm.data.cold import held_out
from tfrs_mm.data.splits import (
    COLD_ITEM,
    COLD_USER,
    GAP,
    TEST,
    TRAIN,
    VALID,
    Moment,
    leave_gap,
    leave_one_out,
    temporal,
)
from tfrs_mm.data.vocabulary import Vocabulary

# Counters.
LEFT_OUT = "events of users without training"
GAPS, COLD_ITEMS, COLD_USERS = "events in the gap", "events of cold items", "events of cold users"


class SplitRules:
    """How the timelines of a partition are split; read where it is needed, not where it is made."""

    def __init__(self, settings: DataConfig, items_path: str) -> None:
        """Says how.

        Args:
            settings: kind of the split, gap, shares of cold items and users.
            items_path: the vocabulary of items; read only where some are cold.
        """
        self._settings, self._items_path = settings, items_path

    @functools.cached_property
    def cold_items(self) -> np.ndarray | None:
        """`[num_items + 1]` bool by row; None where none is cold."""
        settings = self._settings
        if not settings.cold_item_share:
            return None
        ids = Vocabulary.read(self._items_path).ids
        cold = held_out(ids, settings.cold_item_share, settings.split_seed, "item")
        return np.concatenate([[False], cold])

    def cold_users(self, timelines: Timelines) -> np.ndarray:
        """`[users]` bool."""
        settings = self._settings
        if not settings.cold_user_share:
            return np.zeros(len(timelines.user_ids), bool)
        return held_out(timelines.user_ids, settings.cold_user_share, settings.split_seed, "user")

    def split(self, timelines: Timelines, cuts: tuple[Moment, Moment] | None) -> np.ndarray:
        """`[events]` int8 of the parts in `tfrs_mm/data/splits.py`.

        Args:
            timelines: of a partition.
            cuts: where validation and test begin; None leaves out the last events of each user.
        """
        if self._settings.train_on_validation and cuts is not None:
            cuts = cuts[1], cuts[1]
        if cuts is None:
            split = leave_one_out(timelines.starts, timelines.ends)
            if self._settings.train_on_validation:
                split[split == VALID] = TRAIN
        else:
            split = temporal(timelines.times, timelines.positions, cuts)
            split = leave_gap(split, timelines.times, cuts, self._settings.split_gap_seconds)
        of_cold = self.cold_users(timelines)[timelines.owners]
        split[of_cold & (split != TEST)] = COLD_USER
        if self.cold_items is not None:
            asked = (split == VALID) | (split == TEST)
            split[self.cold_items[timelines.items] & ~asked] = COLD_ITEM
        return split


def known_users(timelines: Timelines, split: np.ndarray) -> np.ndarray:
    """`[users]` bool: who is asked for what comes later, having training events or being cold and
    having a history."""
    told = timelines.owners[(split == TRAIN) | (split == COLD_USER)]
    return np.bincount(told, minlength=len(timelines.starts)) > 0


def split_sizes(timelines: Timelines, split: np.ndarray) -> dict[str, int]:
    """How many events of each part there are; of validation and test those that are asked for.

    Nobody is asked for events of a user who is not known; they are `LEFT_OUT`.
    """
    known = known_users(timelines, split)[timelines.owners]
    target = (split == VALID) | (split == TEST)
    parts = {"train": TRAIN, GAPS: GAP, COLD_ITEMS: COLD_ITEM, COLD_USERS: COLD_USER}
    return {
        **{name: int((split == part).sum()) for name, part in parts.items()},
        "valid": int(((split == VALID) & known).sum()),
        "test": int(((split == TEST) & known).sum()),
        LEFT_OUT: int((target & ~known).sum()),
    }
