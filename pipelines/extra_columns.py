"""What optional features say of a partition's events, see `tfrs_mm/data/optional_features.py`."""

import numpy as np

from pipelines.profiles import Profiles
from pipelines.sorted_timelines import Timelines
from tfrs_mm.data.optional_features import (
    HISTORY_SESSION,
    HISTORY_VALUE,
    HISTORY_VALUE_PRESENT,
    HOUR,
    WEEKDAY,
)
from tfrs_mm.data.time_features import hours_of, weekdays_of
from tfrs_mm.schema import UNKNOWN_ROW


class ExtraColumns:
    """Optional features of events, and of the moments when something is asked for.

    A moment lies right before an event, the one that is asked for, or behind all that a user did,
    where the next request may come at any time: its hour is not known, and ages are seen from the
    user's last event.
    """

    def __init__(
        self,
        timelines: Timelines,
        time_features: bool = False,
        profiles: Profiles | None = None,
    ) -> None:
        """Says what is asked for.

        Args:
            timelines: of the partition.
            time_features: whether hour and day of the week are.
            profiles: of `timelines.log`, some of whose events it may lack; None for none.
        """
        self._timelines, self._time_features = timelines, time_features
        self._profiles = profiles

    def history(self, events: np.ndarray) -> dict[str, np.ndarray]:
        """`[n]` columns of the events at these places."""
        columns = {}
        if self._timelines.sessions is not None:
            columns[HISTORY_SESSION] = self._timelines.sessions[events]
        if self._timelines.values is not None:
            values = self._timelines.values[events]
            columns[HISTORY_VALUE] = np.nan_to_num(values)
            columns[HISTORY_VALUE_PRESENT] = (~np.isnan(values)).astype(np.int64)
        return columns

    def asked(self, events: np.ndarray) -> dict[str, np.ndarray]:
        """`[n]` or `[n, width]` columns of the moments when these events are asked for."""
        columns, times = {}, self._timelines.times[events]
        if self._time_features:
            seconds = np.floor(times).astype(np.int64)
            columns = {HOUR: hours_of(seconds), WEEKDAY: weekdays_of(seconds)}
        if self._profiles is not None:
            users = self._timelines.owners[events]
            columns |= self._profiles.before(users, events, times)
        return columns

    def at_end(self, users: np.ndarray) -> dict[str, np.ndarray]:
        """Likewise, of the moments behind the last event of these users."""
        columns = {}
        if self._time_features:
            unknown = np.full(len(users), UNKNOWN_ROW, np.int64)
            columns = {HOUR: unknown, WEEKDAY: unknown}
        if self._profiles is not None:
            last = self._timelines.times[self._timelines.ends[users] - 1]
            columns |= self._profiles.at_end(users, last)
        return columns
