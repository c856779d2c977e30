"""The categories that a user's events spoke for most, as of any moment, old events fading."""

import dataclasses
import itertools

import numpy as np

from pipelines.decayed_sums import decayed_sums
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.data.splits import ranges

_PAIRS_AT_ONCE = 2**20  # of a moment and a category, that are weighed together


@dataclasses.dataclass(frozen=True)
class _Groups:
    """Events of one user with one category each, group by group.

    Attributes:
        categories: `[groups]` int64 rows.
        firsts: `[groups]`, place of the group's first event.
        of_user: `[users + 1]` int64; user u has the groups `of_user[u]` to `of_user[u + 1]`.
        keys: `[pairs]` int64, ascending: `group * (events + 1) + event`.
        times: `[pairs]` float64 seconds.
        sums: `[pairs]` float64, the decayed weights up to that event.
    """

    categories: np.ndarray
    firsts: np.ndarray
    of_user: np.ndarray
    keys: np.ndarray
    times: np.ndarray
    sums: np.ndarray


class Favourites:
    """The heaviest categories of users, by the events of a log."""

    def __init__(
        self,
        owners: np.ndarray,
        items: np.ndarray,
        times: np.ndarray,
        weights: np.ndarray,
        num_users: int,
        categories: Ragged,
        half_life: float,
    ) -> None:
        """Adds up.

        Args:
            owners: `[events]` places of users, ascending.
            items: `[events]` rows.
            times: `[events]` seconds, ascending for each user.
            weights: `[events]`; with 0 an event counts nothing.
            num_users: owners lie below.
            categories: of each row of the items.
            half_life: seconds after which an event counts half.
        """
        self._half_life, self._size = half_life, len(owners) + 1
        counted = np.flatnonzero(weights)
        lists = categories.take(items[counted])
        events, rows = np.repeat(counted, lists.lengths), lists.values
        order = np.lexsort((rows, owners[events]))  # stable: the events of a group ascend
        events, rows = events[order], rows[order]
        begins = (np.diff(owners[events], prepend=-1) != 0) | (np.diff(rows, prepend=-1) != 0)
        firsts = np.flatnonzero(begins)
        groups_of = np.bincount(owners[events[firsts]], minlength=num_users)
        self._groups = _Groups(
            rows[firsts],
            firsts,
            np.concatenate([[0], np.cumsum(groups_of)]),
            (np.cumsum(begins) - 1) * self._size + events,
            times[events],
            decayed_sums(begins, times[events], weights[events], half_life),
        )

    def at(
        self, users: np.ndarray, places: np.ndarray, times: np.ndarray, top: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and weights of the heaviest categories, heaviest first, ties by row.

        Args:
            users: `[n]` places of users.
            places: `[n]`; the events before this place of the log count.
            times: `[n]` seconds, from which ages are seen.
            top: at most so many.

        Returns:
            `[n, top]` int64, 0 where there is none, and `[n, top]` float32.
        """
        rows = np.zeros((len(users), top), np.int64)
        weights = np.zeros((len(users), top), np.float32)
        sizes = np.diff(self._groups.of_user)[users]
        # Each stretch has few enough pairs, or a single moment.
        stretch = np.cumsum(sizes) // _PAIRS_AT_ONCE
        edges = np.flatnonzero(np.diff(stretch, prepend=-1, append=-1))
        for begin, end in itertools.pairwise(edges):
            part = slice(begin, end)
            moments, groups, values = self._weighed(users[part], places[part], times[part])
            order = np.lexsort((self._groups.categories[groups], -values, moments))
            moments, groups, values = moments[order], groups[order], values[order]
            counts = np.bincount(moments, minlength=end - begin)
            ranks = np.arange(len(moments)) - np.repeat(np.cumsum(counts) - counts, counts)
            best = ranks < top
            cells = begin + moments[best], ranks[best]
            rows[cells], weights[cells] = self._groups.categories[groups[best]], values[best]
        return rows, weights

    def _weighed(
        self, users: np.ndarray, places: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Moments, groups of their users, and what these weigh then, where it is not 0."""
        of_user = self._groups.of_user
        sizes = of_user[users + 1] - of_user[users]
        moments = np.repeat(np.arange(len(users)), sizes)
        groups = ranges(of_user[users], sizes)
        last = np.searchsorted(self._groups.keys, groups * self._size + places[moments]) - 1
        had = last >= self._groups.firsts[groups]
        moments, groups, last = moments[had], groups[had], last[had]
        ages = times[moments] - self._groups.times[last]
        values = (self._groups.sums[last] * np.exp2(-ages / self._half_life)).astype(np.float32)
        seen = values > 0
        return moments[seen], groups[seen], values[seen]
