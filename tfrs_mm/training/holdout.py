"""Training events that retrieval leaves to the ranker: some of the newest of each user.

What a tower was fitted to scores higher than it will ever score again, so a ranker that learns from
the same positives learns to trust it too much. These positives are new to both.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrs_mm.data.examples import HISTORY_ITEM, HISTORY_TIME, IS_TARGET, USER

_NEVER = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class Holdout:
    """From which time on a user's training events are held out.

    Attributes:
        first_time: `[users + 1]` int64, in the unit of the input's timestamps; later than any time
            for a user none of whose events is held out.
    """

    first_time: np.ndarray

    @classmethod
    def of_newest(cls, windows: Mapping[str, np.ndarray], share: float, seed: int) -> "Holdout":
        """About `share` of all training events: of each user's `n` the newest `share * n`.

        That number is rounded up or down at random, so that users with few events are not all
        robbed of one. Events of equal time stay together; a user whose events would all be held
        out keeps all.

        Args:
            windows: of `read_windows`.
            share: from 0 to below 1.
            seed: of the rounding.
        """
        users = np.repeat(windows[USER].astype(np.int64), windows[HISTORY_TIME].shape[1])
        chosen = windows[IS_TARGET].reshape(-1)
        users, times = users[chosen], windows[HISTORY_TIME].reshape(-1)[chosen]
        order = np.lexsort((times, users))
        users, times = users[order], times[order]
        size = int(users.max(initial=0)) + 1
        counts = np.bincount(users, minlength=size)
        held = np.floor(counts * share + np.random.default_rng(seed).random(size)).astype(np.int64)
        ends = np.cumsum(counts)
        some = np.flatnonzero((held > 0) & (held < counts))
        first = times[ends[some] - held[some]]
        kept = first > times[ends[some] - counts[some]]  # something older is left to retrieval
        first_time = np.full(size, _NEVER, np.int64)
        first_time[some[kept]] = first[kept]
        return cls(first_time)

    def is_held(self, windows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which targets of windows are held out, `[windows, time]` bool."""
        held = windows[HISTORY_TIME] >= self.first_time[windows[USER]][:, None]
        return windows[IS_TARGET] & held

    def without(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Batches of windows in which no held-out event is a target."""
        first_time = tf.constant(self.first_time)

        def leave_out(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            kept = batch[HISTORY_TIME] < tf.gather(first_time, batch[USER])[:, None]
            return batch | {IS_TARGET: batch[IS_TARGET] & kept}

        return batches.map(leave_out, num_parallel_calls=2, deterministic=True)


def count_targets(
    windows: Mapping[str, np.ndarray], is_target: np.ndarray, num_items: int
) -> np.ndarray:
    """How often each row is a target, `[items + 1]` int64; row 0 never is.

    Args:
        windows: of `read_windows`.
        is_target: `[windows, time]` bool.
        num_items: of the catalogue.
    """
    counts = np.bincount(windows[HISTORY_ITEM][is_target], minlength=num_items + 1)
    counts[0] = 0
    return counts
