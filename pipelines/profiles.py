"""What users did before a moment, in a few numbers: how often of each kind, how much lately, how
long ago last, and which categories most.

A moment lies right before an event; only what comes before that event in the order of time and
position counts. All numbers are differences of running sums, so no event is looked at by itself.
"""

import dataclasses

import numpy as np

from pipelines.favourites import Favourites
from pipelines.user_log import UserLog
from tfrs_mm.data.optional_features import (
    PROFILE_ACTIVITY,
    PROFILE_CATEGORIES,
    PROFILE_KINDS,
    PROFILE_SECONDS,
    PROFILE_WEIGHTS,
)
from tfrs_mm.data.ragged import Ragged

NEVER = -1  # seconds since the last event where there is none
DAY = 86_400.0  # seconds
SPANS = (DAY, 7 * DAY, 30 * DAY)  # of the activity


@dataclasses.dataclass(frozen=True)
class ProfileRules:
    """What profiles need to know besides the events.

    Attributes:
        num_kinds: rows of the vocabulary of kinds, the unknown one included.
        weights: `[num_kinds]` of each kind's events in the favourite categories.
        categories: of each row of the items; None where there are none.
        top: categories of a profile.
        half_life: seconds after which an event counts half for them.
    """

    num_kinds: int
    weights: np.ndarray
    categories: Ragged | None
    top: int
    half_life: float


class Profiles:
    """Profiles of a partition's users as of any moment."""

    def __init__(self, log: UserLog, kind_rows: np.ndarray, rules: ProfileRules) -> None:
        """Adds up.

        Args:
            log: of the partition.
            kind_rows: by kind of the log, rows of the vocabulary of kinds.
            rules: of the profiles.
        """
        self._log, self._rules = log, rules
        self._positive = ~log.negative
        # Negative feedback has row 0: there is no kind that a positive event could not be of.
        self._kinds = np.append(kind_rows, 0)[log.kinds]
        self._owners = log.owners
        distinct, ranks = np.unique(log.times, return_inverse=True)
        self._distinct, self._keys = distinct, self._owners * (len(distinct) + 1) + ranks
        self._favourites = None
        if rules.categories is not None:
            self._favourites = Favourites(
                self._owners,
                log.items,
                log.times,
                np.where(self._positive, rules.weights[self._kinds], 0.0),
                len(log.starts),
                rules.categories,
                rules.half_life,
            )

    def before(
        self, users: np.ndarray, events: np.ndarray, times: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Those right before `[n]` events of the timelines, which happened at these times."""
        return self.at(users, self._log.places[events], times)

    def at_end(self, users: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
        """Those behind all events of `[n]` users, as of these times or of the users' last events,
        whichever is later."""
        ends = self._log.ends[users]
        some = ends > self._log.starts[users]
        times = times.copy()
        times[some] = np.maximum(times[some], self._log.times[ends[some] - 1])
        return self.at(users, ends, times)

    def at(self, users: np.ndarray, places: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
        """The columns of profiles, by key.

        Args:
            users: `[n]` places of users.
            places: `[n]` of the log, each among those of its user or behind the last of them.
            times: `[n]` seconds of the moments.
        """
        starts = self._log.starts[users]
        kinds = [
            _between(self._kinds == row, starts, places) for row in range(self._rules.num_kinds)
        ]
        since = [
            np.minimum(self._first_since(users, times - span), places) for span in SPANS
        ]  # an event at or behind the moment does not count
        activity = [_between(self._positive, first, places) for first in since]
        columns = {
            PROFILE_KINDS: np.stack(kinds, axis=1),
            PROFILE_ACTIVITY: np.stack(activity, axis=1),
            PROFILE_SECONDS: self._seconds_since_last(starts, places, times),
        }
        if self._favourites is not None:
            rows, weights = self._favourites.at(users, places, times, self._rules.top)
            columns |= {PROFILE_CATEGORIES: rows, PROFILE_WEIGHTS: weights}
        return columns

    def _first_since(self, users: np.ndarray, times: np.ndarray) -> np.ndarray:
        """`[n]` places of the users' first events at or behind these times."""
        ranks = np.searchsorted(self._distinct, times)
        return np.searchsorted(self._keys, users * (len(self._distinct) + 1) + ranks)

    def _seconds_since_last(
        self, starts: np.ndarray, places: np.ndarray, times: np.ndarray
    ) -> np.ndarray:
        counting = np.where(self._positive, np.arange(len(self._positive)), -1)
        # The last positive event before each place of the log, and before its end.
        last = np.concatenate([[-1], np.maximum.accumulate(counting)])[places]
        had = last >= starts
        seconds = np.floor(times[had] - self._log.times[last[had]]).astype(np.int64)
        found = np.full(len(places), NEVER, np.int64)
        found[had] = seconds
        return found


def _between(counted: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """`[n]` int64: how many of `[events]` are counted from each start to each end."""
    before = np.concatenate([[0], np.cumsum(counted)])
    return before[ends] - before[starts]
