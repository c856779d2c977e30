"""What the ranker's value head learns from: ratings, or how long events lasted."""

from collections.abc import Mapping

import numpy as np

from tfrs_mm.data.optional_features import HISTORY_VALUE, HISTORY_VALUE_PRESENT
from tfrs_mm.errors import UserError


def values_at(windows: Mapping[str, np.ndarray], places: np.ndarray, column: str) -> np.ndarray:
    """`[n]` float32: the values of some events with mean 0 and variance 1, NaN for none.

    Durations are taken by `ln(1 + seconds)` first: a few very long ones would be all that a squared
    error sees.

    Args:
        windows: of `read_windows`.
        places: `[n, 2]`, the window that an event lies in, and its place there.
        column: `rating` or `duration`, see `data.values`.

    Raises:
        UserError: none of the events has a value, or all have the same.
    """
    at = tuple(places.T)
    values = np.where(windows[HISTORY_VALUE_PRESENT][at] > 0, windows[HISTORY_VALUE][at], np.nan)
    if column == "duration":
        values = np.log1p(values)
    known = values[np.isfinite(values)]
    spread = known.std() if len(known) else 0.0
    if not spread:
        raise UserError(
            f"`ranking.value_head` is true, but of the ranker's {len(values)} positives "
            f"{len(known)} have a {column}, and there are no two that differ. Set it to false, or "
            "raise `ranking.max_examples` or `ranking.holdout`."
        )
    return ((values - known.mean()) / spread).astype(np.float32)
