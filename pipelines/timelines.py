"""The records made from one partition of users.

Everything works on whole columns; the only loops over users or events are inside NumPy.
"""

import numpy as np

from pipelines.extra_columns import ExtraColumns
from pipelines.seen_items import seen_items
from pipelines.sorted_timelines import Timelines, sort_timelines
from pipelines.splitting import LEFT_OUT, known_users, split_sizes
from tfrs_mm.data.examples import ExamplesSpec, Ragged
from tfrs_mm.data.splits import TEST, TRAIN, VALID, cut_windows, ranges

__all__ = [
    "LEFT_OUT", "RECORD_SETS", "Timelines", "encode_records", "sort_timelines", "split_sizes",
]  # fmt: skip

RECORD_SETS = ("train", "valid", "test", "users")

_ASKED = {"valid": VALID, "test": TEST}


def encode_records(
    timelines: Timelines,
    split: np.ndarray,
    spec: ExamplesSpec,
    user_rows: np.ndarray,
    event_rows: np.ndarray,
    max_history: int,
    extras: ExtraColumns | None = None,
    cold_items: np.ndarray | None = None,
    exclude_negatives: bool = False,
) -> dict[str, list[bytes]]:
    """The records of every set.

    Args:
        timelines: of the partition.
        split: `[events]` of the parts in `tfrs_mm/data/splits.py`; of a user's events those of
            `TRAIN` come before those of `VALID`, and these before those of `TEST`.
        spec: of the records.
        user_rows: `[users]`, of the partition's users.
        event_rows: by place in `timelines.event_names`, rows of the event vocabulary.
        max_history: items of a history that are kept.
        extras: the optional features that `spec` knows; None where it knows none.
        cold_items: `[num_items + 1]` bool, items that stand in no history; None for none.
        exclude_negatives: whether disliked items are seen ones.
    """
    extras = extras if extras is not None else ExtraColumns(timelines)
    columns = _Columns(timelines, event_rows[timelines.events], extras)
    owners, num_users = timelines.owners, len(timelines.starts)
    learnt = np.flatnonzero(split == TRAIN)
    trained = np.bincount(owners[learnt], minlength=num_users)
    ends = np.cumsum(trained)
    windows = cut_windows(ends - trained, ends, max_history + 1)
    places = learnt[ranges(windows.starts, windows.lengths)]
    encoded = {
        "train": spec.window.encode_columns(
            {
                "user": user_rows[windows.owner],
                **columns.history(places, windows.lengths),
                "first_target": windows.first_target,
                **_by_record(extras.asked(places), windows.lengths),
            }
        )
    }
    known = known_users(timelines, split)[owners]
    hidden = np.zeros(len(owners), bool) if cold_items is None else cold_items[timelines.items]
    shown = np.flatnonzero(~hidden)
    shown_before = np.concatenate([[0], np.cumsum(~hidden)])  # each event, and the end
    for name in RECORD_SETS[1:]:
        asked = np.flatnonzero(known & (split == _ASKED[name])) if name in _ASKED else owners[:0]
        counts = np.bincount(owners[asked], minlength=num_users)
        if name in _ASKED:
            chosen = np.flatnonzero(counts)
            cut = asked[(np.cumsum(counts) - counts)[chosen]]  # the first that is asked for
            moments = extras.asked(cut)
        else:
            chosen = np.flatnonzero(timelines.ends > timelines.starts)
            cut = timelines.ends[chosen]
            moments = extras.at_end(chosen)
        starts = timelines.starts[chosen]
        newest = np.maximum(shown_before[cut] - max_history, shown_before[starts])
        lengths = shown_before[cut] - newest
        encoded[name] = spec.query.encode_columns(
            {
                "user": user_rows[chosen],
                **columns.history(shown[ranges(newest, lengths)], lengths),
                "target/item": _ragged(timelines.items[asked], counts[chosen]),
                "target/time": _ragged(columns.seconds[asked], counts[chosen]),
                "seen/item": seen_items(timelines, chosen, cut, exclude_negatives),
                **moments,
            }
        )
    return encoded


class _Columns:
    """Events of the timelines as ragged columns."""

    def __init__(self, timelines: Timelines, events: np.ndarray, extras: ExtraColumns) -> None:
        self._items, self._events, self._extras = timelines.items, events, extras
        self.seconds = np.floor(timelines.times).astype(np.int64)

    def history(self, places: np.ndarray, lengths: np.ndarray) -> dict[str, Ragged]:
        columns = {
            "history/item": self._items[places],
            "history/time": self.seconds[places],
            "history/event": self._events[places],
            **self._extras.history(places),
        }
        return _by_record(columns, lengths)


def _by_record(columns: dict[str, np.ndarray], lengths: np.ndarray) -> dict[str, Ragged]:
    """Columns of `[n]` or `[n, width]` as records of so many rows, their values in a line."""
    return {
        key: _ragged(values.reshape(-1), lengths * (values.shape[1] if values.ndim > 1 else 1))
        for key, values in columns.items()
    }


def _ragged(values: np.ndarray, lengths: np.ndarray) -> Ragged:
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
