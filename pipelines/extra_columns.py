"""What optional features say of a partition's events, see `tfrs_mm/data/optional_features.py`."""

import numpy as np

from pipelines.sorted_timelines import Timelines
from tfrs_mm.data.optional_features import HISTORY_SESSION, HOUR, WEEKDAY
from tfrs_mm.data.time_features import hours_of, weekdays_of
from tfrs_mm.schema import UNKNOWN_ROW


class ExtraColumns:
    """Optional features of events, and of the moments when something is asked for.

    A moment lies right before an event, the one that is asked for, or at the end of a user's
    timeline, where the next request may come at any time.
    """

    def __init__(self, timelines: Timelines, time_features: bool = False) -> None:
        self._timelines, self._time_features = timelines, time_features

    def history(self, events: np.ndarray) -> dict[str, np.ndarray]:
        """`[n]` columns of the events at these places."""
        if self._timelines.sessions is None:
            return {}
        return {HISTORY_SESSION: self._timelines.sessions[events]}

    def asked(self, events: np.ndarray) -> dict[str, np.ndarray]:
        """`[n]` or `[n, width]` columns of the moments when these events are asked for."""
        if not self._time_features:
            return {}
        seconds = np.floor(self._timelines.times[events]).astype(np.int64)
        return {HOUR: hours_of(seconds), WEEKDAY: weekdays_of(seconds)}

    def at_end(self, users: np.ndarray) -> dict[str, np.ndarray]:
        """Likewise, of the moments behind the last event of these users."""
        if not self._time_features:
            return {}
        unknown = np.full(len(users), UNKNOWN_ROW, np.int64)
        return {HOUR: unknown, WEEKDAY: unknown}
