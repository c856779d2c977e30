"""Items that users were shown and did not take: the log's negative feedback."""

import dataclasses
import os

import numpy as np

from tfrs_mm.data.negative_feedback import read_negative_feedback
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Exposures:
    """Exposures sorted by user and time.

    Attributes:
        starts: `[users + 2]`; the user of row u has those from `starts[u]` to `starts[u + 1]`.
        items: `[n]` int32 rows.
        times: `[n]` float64 seconds.
    """

    starts: np.ndarray
    items: np.ndarray
    times: np.ndarray

    @classmethod
    def of(
        cls, users: np.ndarray, items: np.ndarray, times: np.ndarray, num_users: int
    ) -> "Exposures":
        """Those of `[n]` columns in any order; users of row 0 are left out."""
        known = users > 0
        users, items, times = users[known], items[known], times[known]
        order = np.lexsort((times, users))
        starts = np.searchsorted(users[order], np.arange(num_users + 2))
        return cls(starts, items[order].astype(np.int32), times[order])

    def __len__(self) -> int:
        return len(self.items)

    def near(self, user: int, time: float, seconds: float, until: float) -> np.ndarray:
        """Distinct rows that a user was shown near a moment, the nearest in time first.

        Args:
            user: row.
            time: of the moment.
            seconds: how long before and behind it.
            until: the last time that may be known.
        """
        part = slice(self.starts[user], self.starts[user + 1])
        times = self.times[part]
        close = (np.abs(times - time) <= seconds) & (times <= until)
        rows, distances = self.items[part][close], np.abs(times[close] - time)
        rows = rows[np.argsort(distances, kind="stable")]
        _, first = np.unique(rows, return_index=True)
        return rows[np.sort(first)]


def read_exposures(data_dir: str | os.PathLike[str], users: Vocabulary) -> Exposures:
    """The negative feedback of a data folder.

    Args:
        data_dir: that `tfrs-mm preprocess` wrote.
        users: ids by row.

    Raises:
        UserError: the job met none.
    """
    feedback = read_negative_feedback(data_dir)
    if not len(feedback.items):
        raise UserError(
            f"`ranking.negatives_from` is 'exposures', but {data_dir} has none. Give what was "
            'shown as a kind of events with a weight below 0, such as "impression=-1" in '
            '`data.events`, and preprocess again; or set it to "retrieval".'
        )
    rows = users.rows_of(feedback.user_ids)
    return Exposures.of(rows, feedback.items, feedback.times, len(users.ids))
