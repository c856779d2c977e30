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


def popular_lists(table: np.ndarray, size: int) -> np.ndarray:
    """The items that were taken most in recent buckets, of equal ones those taken most before.

    Args:
        table: of `popularity_table`.
        size: how many.

    Returns:
        `[buckets + 1, size]` int32 rows as of the start of every bucket, best first; 0 behind the
        last item that had an event.
    """
    return _ordered(table, size, (-table[..., 0], -table[..., 1]))


def fresh_lists(table: np.ndarray, size: int) -> np.ndarray:
    """The items whose first event is the latest, as `popular_lists` gives the popular ones."""
    return _ordered(table, size, (-table[..., 0], table[..., 2]))


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


def _ordered(table: np.ndarray, size: int, keys: tuple[np.ndarray, ...]) -> np.ndarray:
    """Rows of known items by keys, the last of which counts most; ties by row."""
    known = table[..., 3] > 0
    order = np.lexsort((*keys, ~known), axis=0)[:size]
    lists = np.where(np.take_along_axis(known, order, axis=0), order, 0).T.astype(np.int32)
    return np.pad(lists, [(0, 0), (0, size - lists.shape[1])])


def _log_share(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=0, keepdims=True)
    return np.log1p(counts * len(counts) / np.maximum(total, 1.0))
