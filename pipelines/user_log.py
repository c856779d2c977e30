"""All that a partition's users did, where their timelines are not enough: an item they came back to
counts again, and so does what they disliked.

Duplicates count once, as everywhere.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.records import ITEM, POSITION, TIME, UNTIMED, USER_ID


@dataclasses.dataclass(frozen=True)
class UserLog:
    """Events of a partition, sorted by user, time and position.

    Attributes:
        starts: `[users]`; user u owns the events `starts[u]` to `ends[u]`.
        ends: `[users]`.
        items: `[events]` int64 rows.
        times: `[events]` float64 seconds.
        kinds: `[events]` int64 places in `event_names` of the timelines; of negative feedback -1.
        places: `[timeline events]` int64, how many events of the log lie before each of them.
    """

    starts: np.ndarray
    ends: np.ndarray
    items: np.ndarray
    times: np.ndarray
    kinds: np.ndarray
    places: np.ndarray

    @property
    def owners(self) -> np.ndarray:
        """`[events]`, the place of each event's user."""
        return np.repeat(np.arange(len(self.starts)), self.ends - self.starts)

    @property
    def negative(self) -> np.ndarray:
        """`[events]` bool."""
        return self.kinds < 0

    def of(self, users: np.ndarray, items: np.ndarray, timeline_events: np.ndarray) -> "UserLog":
        """The events of some users with some items.

        Args:
            users: `[users]` bool.
            items: `[num_items + 1]` bool.
            timeline_events: `[timeline events]` bool, those that are still there. Where the log has
                an event no more, they keep their place between the others.
        """
        owners = self.owners
        kept = users[owners] & items[self.items]
        counts = np.bincount(owners[kept], minlength=len(users))[users]
        ends = np.cumsum(counts)
        before = np.concatenate([[0], np.cumsum(kept)])
        return UserLog(
            ends - counts, ends, self.items[kept], self.times[kept], self.kinds[kept],
            before[self.places[timeline_events]],
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class EventColumns:
    """Columns of `[events]`, as in `UserLog`, in any order."""

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    positions: np.ndarray
    kinds: np.ndarray


def user_log(
    positive: EventColumns,
    negative: pa.Table,
    user_ids: list[str],
    in_timelines: np.ndarray,
    with_untimed: bool,
) -> UserLog:
    """Puts both sorts of events together.

    Args:
        positive: without duplicates; users are places in `user_ids`.
        negative: checked events that are negative feedback. Those of users without any positive
            event are left out.
        user_ids: of the partition, sorted.
        in_timelines: places in `positive` of the timelines' events, in their order.
        with_untimed: whether negative events without a time count; their order stands for it.
    """
    users = pc.index_in(negative.column(USER_ID), pa.array(user_ids, pa.string()))
    users = pc.fill_null(users, -1).cast(pa.int64()).to_numpy()
    usable = users >= 0
    if not with_untimed:
        usable &= ~negative.column(UNTIMED).to_numpy()
    disliked = EventColumns(
        users[usable],
        *(negative.column(name).to_numpy()[usable] for name in (ITEM, TIME, POSITION)),
        np.full(int(usable.sum()), -1, np.int64),
    )
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in (positive, disliked)])
        for field in dataclasses.fields(EventColumns)
    }
    order = np.lexsort((columns["positions"], columns["times"], columns["users"]))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    counts = np.bincount(columns["users"], minlength=len(user_ids))
    ends = np.cumsum(counts)
    return UserLog(
        ends - counts, ends, columns["items"][order], columns["times"][order],
        columns["kinds"][order], places[in_timelines],
    )  # fmt: skip
