"""How popular, how lately popular and how old an item was at a time, from training events only.

Time is cut into buckets. An event in bucket b may know the counts of the buckets before b, never of
its own, so no feature knows the event it is used to predict. Serving uses the place behind the
last.
"""

import numpy as np

_RECENT_SHARE = 8  # the last eighth of the buckets counts as recent
_SECONDS_PER_DAY = 86_400.0
NUM_FEATURES = 4


def popularity_table(
    counts: np.ndarray, time_edges: np.ndarray, first_time: np.ndarray
) -> np.ndarray:
    """Features of every item as they stood at the start of every bucket, and after the last.

    Args:
        counts: `[items + 1, buckets]`, training events of each row in each bucket.
        time_edges: `[buckets + 1]` seconds.
        first_time: `[items + 1]` seconds of the first training event; read only where there is one,
            for a time before 1970 is negative.

    Returns:
        `[items + 1, buckets + 1, 4]` float32: log share of all events and of the recent ones (both
        times the number of items, so that an average item has 0), log days since its first event,
        and whether it had one.
    """
    items, buckets = counts.shape
    before = np.concatenate(
        [np.zeros((items, 1)), np.cumsum(counts, axis=1, dtype=np.float64)], axis=1
    )
    window = max(buckets // _RECENT_SHARE, 1)
    starts = np.maximum(np.arange(buckets + 1) - window, 0)
    recent = before - before[:, starts]
    known = counts.any(axis=1)[:, None] & (first_time[:, None] < time_edges[None, :])
    age = np.where(known, time_edges[None, :] - first_time[:, None], 0) / _SECONDS_PER_DAY
    return np.stack(
        [_log_share(before), _log_share(recent), np.log1p(age), known.astype(np.float64)], axis=-1
    ).astype(np.float32)


def bucket_of(times: np.ndarray, time_edges: np.ndarray) -> np.ndarray:
    """The bucket whose start bounds what an event at each time may know.

    A time at an edge belongs to the bucket that starts there; later than all edges is behind the
    last.

    Args:
        times: any shape, seconds.
        time_edges: `[buckets + 1]` seconds.
    """
    places = np.searchsorted(time_edges, times, side="right") - 1
    return np.clip(places, 0, len(time_edges) - 1).astype(np.int32)


def _log_share(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=0, keepdims=True)
    return np.log1p(counts * len(counts) / np.maximum(total, 1.0))
