"""One partition of users: their events as sorted columns, each item of a user once.

Everything works on whole columns; the only loops over users or events are inside NumPy.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.duplicates import Pairs, duplicates_of
from pipelines.records import EVENT, ITEM, NEGATIVE, POSITION, TIME, UNTIMED, USER_ID, VALUE
from pipelines.sessions import sessions_of
from pipelines.user_log import EventColumns, UserLog, user_log
from tfrs_mm.config import DataConfig

_DEFAULTS = DataConfig()


@dataclasses.dataclass(frozen=True)
class Timelines:
    """Events of a partition, sorted by user, time and position; each item of a user once, the first
    time.

    Attributes:
        user_ids: sorted; user u owns the events `starts[u]` to `ends[u]`.
        starts: `[users]`.
        ends: `[users]`.
        items: `[events]` int64 rows.
        times: `[events]` float64 seconds.
        positions: `[events]` int64, in the input.
        events: `[events]` int64 places in `event_names`.
        event_names: distinct names of this partition.
        repeats: events that were left out because the user had the item before, duplicates not
            counted.
        exact_duplicates: events that were left out as such, see `duplicates.py`.
        near_duplicates: likewise.
        sessions: `[events]` int64, from 1 on for each user; None where none are told apart.
        log: all that the users did; None where nobody asks.
        values: `[events]` float32, NaN where an event says nothing; None where none are read.
    """

    user_ids: list[str]
    starts: np.ndarray
    ends: np.ndarray
    items: np.ndarray
    times: np.ndarray
    positions: np.ndarray
    events: np.ndarray
    event_names: list[str]
    repeats: int
    exact_duplicates: int = 0
    near_duplicates: int = 0
    sessions: np.ndarray | None = None
    log: UserLog | None = None
    values: np.ndarray | None = None

    @property
    def owners(self) -> np.ndarray:
        """`[events]`, the place of each event's user."""
        return np.repeat(np.arange(len(self.starts)), self.ends - self.starts)

    def of(self, users: np.ndarray, items: np.ndarray) -> "Timelines":
        """The events of some users with some items.

        Args:
            users: `[users]` bool.
            items: `[num_items + 1]` bool.
        """
        events = users[self.owners] & items[self.items]
        counts = np.bincount(self.owners[events], minlength=len(users))[users]
        ends = np.cumsum(counts)
        user_ids = [user for user, is_kept in zip(self.user_ids, users, strict=True) if is_kept]
        columns = {name: getattr(self, name) for name in _EVENT_COLUMNS}
        return dataclasses.replace(
            self,
            user_ids=user_ids,
            starts=ends - counts,
            ends=ends,
            log=None if self.log is None else self.log.of(users, items, events),
            **{name: None if c is None else c[events] for name, c in columns.items()},
        )


_EVENT_COLUMNS = ("items", "times", "positions", "events", "sessions", "values")


def sort_timelines(
    batches: Iterable[pa.RecordBatch], settings: DataConfig = _DEFAULTS
) -> Timelines:
    """Puts the record batches of a partition together; the order they come in means nothing.

    Args:
        batches: checked ones; with negative feedback only where `logs_users` says so.
        settings: how near duplicates lie, what parts sessions, and what else is asked for.
    """
    table = pa.Table.from_batches(list(batches))
    negative = table.slice(0, 0)
    if logs_users(settings):
        negative = table.filter(table.column(NEGATIVE))
        table = table.filter(pc.invert(table.column(NEGATIVE)))
    users, user_ids = _ranked(table.column(USER_ID))
    events, event_names = _ranked(table.column(EVENT))
    items, times, positions = (table.column(name).to_numpy() for name in (ITEM, TIME, POSITION))
    order = np.lexsort((positions, times, users))
    users, items, times, events = users[order], items[order], times[order], events[order]
    positions = positions[order]
    untimed = table.column(UNTIMED).to_numpy()[order]
    pairs = Pairs.of(users, items)
    exact, near = duplicates_of(pairs, events, times, untimed, settings.near_duplicate_seconds)
    sessions = None
    if settings.session_gap_minutes:
        sessions = sessions_of(users, times, settings.session_gap_minutes)
    kept = pairs.firsts  # in this order, which is the first in time
    log = None
    if logs_users(settings):
        once = ~(exact | near)
        columns = (column[once] for column in (users, items, times, positions, events))
        in_log = (np.cumsum(once) - 1)[kept]
        log = user_log(EventColumns(*columns), negative, user_ids, in_log, not settings.profiles)
    values = None
    if VALUE in table.schema.names:
        values = table.column(VALUE).to_numpy()[order][kept]
    counts = np.bincount(users[kept], minlength=len(user_ids))
    ends = np.cumsum(counts)
    return Timelines(
        user_ids,
        ends - counts,
        ends,
        items[kept],
        times[kept],
        positions[kept],
        events[kept],
        event_names,
        # A duplicate is always an item that the user had before.
        repeats=len(order) - len(kept) - int(exact.sum()) - int(near.sum()),
        exact_duplicates=int(exact.sum()),
        near_duplicates=int(near.sum()),
        sessions=None if sessions is None else sessions[kept],
        log=log,
        values=values,
    )


def logs_users(settings: DataConfig) -> bool:
    """Whether timelines carry the log of their users, for which negative feedback is needed."""
    return settings.profiles or settings.exclude_negatives


def _ranked(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Strings as places in their own sorted list."""
    # Encoded before the chunks are joined: the ids of a large partition need not fit into one
    # array.
    encoded = column.dictionary_encode().combine_chunks()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[encoded.indices.to_numpy()], [names[place] for place in order]
