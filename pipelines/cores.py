"""The k-core of the log: the largest set of events in which every user and every item has enough.

Leaving out a rare item may leave its users with too few events, and so on; it is gone round until
nothing changes. One worker holds 16 bytes of every event that is kept once.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsSingleton

from pipelines.records import NAMESPACE
from pipelines.timelines import Timelines
from tfrs_mm.config import DataConfig

# Counters.
EVENTS_OUTSIDE, USERS_OUTSIDE, ITEMS_OUTSIDE = COUNTERS = (
    "events outside the core", "users outside the core", "items outside the core",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Core:
    """Who and what is in it.

    Attributes:
        users: of each partition, `[users]` bool.
        items: `[num_items + 1]` bool by row.
    """

    users: dict[int, np.ndarray]
    items: np.ndarray


class KeepCore(beam.PTransform):
    """`(partition, Timelines)` to the same without what lies outside the core."""

    def __init__(self, num_items: int, settings: DataConfig) -> None:
        """Says what is enough.

        Args:
            num_items: of the vocabulary, the unknown row not counted.
            settings: events that a user and an item must have; with 0 and 0 all is kept.
        """
        super().__init__()
        self._num_items = num_items
        self._enough = settings.min_user_events, settings.min_item_events

    def expand(self, timelines: beam.PCollection) -> beam.PCollection:
        """See the class."""
        if self._enough == (0, 0):
            return timelines
        core = (
            timelines
            | "TakePairs" >> beam.MapTuple(_pairs)
            | "GatherPairs" >> beam.GroupByKey()
            | "FindCore"
            >> beam.MapTuple(functools.partial(_find_core, self._num_items, *self._enough))
        )
        return timelines | "KeepCore" >> beam.ParDo(_KeepCore(), AsSingleton(core))


class _KeepCore(beam.DoFn):
    def __init__(self) -> None:
        self._events, self._users = (
            Metrics.counter(NAMESPACE, name) for name in (EVENTS_OUTSIDE, USERS_OUTSIDE)
        )

    def process(
        self, element: tuple[int, Timelines], core: Core
    ) -> Iterator[tuple[int, Timelines]]:
        partition, timelines = element
        kept = core_timelines(timelines, core.users[partition], core.items)
        self._events.inc(len(timelines.items) - len(kept.items))
        self._users.inc(len(timelines.user_ids) - len(kept.user_ids))
        yield partition, kept


def core_of(
    users: np.ndarray, items: np.ndarray, min_user_events: int, min_item_events: int
) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of the core, each distinct and ascending.

    Args:
        users: `[events]` numbers from 0 on.
        items: `[events]` numbers from 0 on; no pair of user and item comes twice.
        min_user_events: that a user must have.
        min_item_events: that an item must have.
    """
    while len(users):
        kept = np.bincount(users)[users] >= min_user_events
        kept &= np.bincount(items)[items] >= min_item_events
        if kept.all():
            break
        users, items = users[kept], items[kept]
    return np.unique(users), np.unique(items)


def core_timelines(timelines: Timelines, users: np.ndarray, items: np.ndarray) -> Timelines:
    """The events of these users with these items.

    Args:
        timelines: of a partition.
        users: `[users]` bool.
        items: `[num_items + 1]` bool.
    """
    return timelines.of(users, items)


def _pairs(
    partition: int, timelines: Timelines
) -> tuple[int, tuple[int, int, np.ndarray, np.ndarray]]:
    return 0, (partition, len(timelines.user_ids), timelines.owners, timelines.items)


def _find_core(
    num_items: int,
    min_user_events: int,
    min_item_events: int,
    _: int,
    parts: Iterable[tuple[int, int, np.ndarray, np.ndarray]],
) -> Core:
    partitions, sizes, owners, items = zip(*parts, strict=True)
    ends = np.cumsum(sizes)
    users = np.concatenate([own + first for own, first in zip(owners, ends - sizes, strict=True)])
    items = np.concatenate(items)
    in_core = np.zeros(ends[-1], bool), np.zeros(num_items + 1, bool)
    for mask, members in zip(
        in_core, core_of(users, items, min_user_events, min_item_events), strict=True
    ):
        mask[members] = True
    outside = len(np.unique(items)) - int(in_core[1].sum())
    Metrics.counter(NAMESPACE, ITEMS_OUTSIDE).inc(outside)
    return Core(dict(zip(partitions, np.split(in_core[0], ends[:-1]), strict=True)), in_core[1])
