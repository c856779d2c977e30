"""Profiles of a partition, made from what the job knows of kinds and categories."""

import functools
import pathlib

import numpy as np

from pipelines.item_categories import profile_column, read_item_categories
from pipelines.profiles import DAY, ProfileRules, Profiles
from pipelines.sorted_timelines import Timelines
from tfrs_mm.config import DataConfig
from tfrs_mm.data.event_weights import weights_by_row
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.log_settings import weights_of


class ProfileMaker:
    """How profiles are made; files are read where they are needed."""

    def __init__(self, settings: DataConfig, vocabulary_dir: pathlib.Path) -> None:
        self._settings, self._vocabulary_dir = settings, vocabulary_dir

    @functools.cached_property
    def category_rows(self) -> int:
        """Rows of the categories that profiles speak of, 0 without any."""
        return category_rows(self._vocabulary_dir, self._settings)

    @functools.cached_property
    def _categories(self) -> Ragged | None:
        return read_item_categories(self._vocabulary_dir)

    def of(
        self, timelines: Timelines, event_names: list[str], cold_items: np.ndarray | None
    ) -> Profiles:
        """The profiles of a partition.

        Args:
            timelines: of the partition, with a log.
            event_names: the vocabulary of kinds.
            cold_items: `[num_items + 1]` bool, items that no profile knows of; None for none.
        """
        log, settings = timelines.log, self._settings
        if cold_items is not None:
            everything = np.ones(len(timelines.items), bool)
            log = log.of(np.ones(len(log.starts), bool), ~cold_items, everything)
        events = Vocabulary(tuple(event_names))
        rules = ProfileRules(
            events.size,
            weights_by_row(weights_of(settings.events), events).astype(np.float64),
            self._categories,
            settings.profile_top,
            settings.profile_half_life_days * DAY,
        )
        return Profiles(log, events.rows_of(timelines.event_names), rules)


def category_rows(vocabulary_dir: pathlib.Path, settings: DataConfig) -> int:
    """Rows of the vocabulary of the categories that profiles speak of; 0 without profiles or
    categories."""
    column = profile_column(vocabulary_dir, settings) if settings.profiles else None
    return 0 if column is None else Vocabulary.read(vocabulary_dir / f"{column}.txt").size
