"""One partition of users: their events as sorted columns, and the records made from them.

Everything works on whole columns; the only loops over users or events are inside NumPy.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from pipelines.records import EVENT, ITEM, POSITION, TIME, USER_ID
from tfrs_mm.data.examples import ExamplesSpec, Ragged
from tfrs_mm.data.splits import TEST, TRAIN, VALID, cut_windows, ranges

RECORD_SETS = ("train", "valid", "test", "users")
LEFT_OUT = "events of users without training"


@dataclasses.dataclass(frozen=True)
class Timelines:
    """Events of a partition, sorted by user, time and position; each item of a user once, the first
    time.

    Attributes:
        user_ids: sorted; user u owns the events `starts[u]` to `ends[u]`.
        starts: `[users]`.
        ends: `[users]`.
        items: `[events]` int64 rows.
        times: `[events]` float64 seconds.
        positions: `[events]` int64, in the input.
        events: `[events]` int64 places in `event_names`.
        event_names: distinct names of this partition.
        repeats: events that were left out because the user had the item before.
    """

    user_ids: list[str]
    starts: np.ndarray
    ends: np.ndarray
    items: np.ndarray
    times: np.ndarray
    positions: np.ndarray
    events: np.ndarray
    event_names: list[str]
    repeats: int


def sort_timelines(batches: Iterable[pa.RecordBatch]) -> Timelines:
    """Puts the record batches of a partition together; the order they come in means nothing."""
    table = pa.Table.from_batches(list(batches))
    users, user_ids = _ranked(table.column(USER_ID))
    events, event_names = _ranked(table.column(EVENT))
    items, times, positions = (table.column(name).to_numpy() for name in (ITEM, TIME, POSITION))
    order = np.lexsort((positions, times, users))
    users, items, times = users[order], items[order], times[order]
    # Of equal (user, item) pairs the first in this order is the first in time.
    pairs = users * (items.max(initial=0) + 1) + items
    kept = np.sort(np.unique(pairs, return_index=True)[1])
    users = users[kept]
    counts = np.bincount(users, minlength=len(user_ids))
    ends = np.cumsum(counts)
    return Timelines(
        user_ids,
        ends - counts,
        ends,
        items[kept],
        times[kept],
        positions[order][kept],
        events[order][kept],
        event_names,
        repeats=len(order) - len(kept),
    )


def _ranked(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Strings as places in their own sorted list."""
    # Encoded before the chunks are joined: the ids of a large partition need not fit into one
    # array.
    encoded = column.dictionary_encode().combine_chunks()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[encoded.indices.to_numpy()], [names[place] for place in order]


def encode_records(
    timelines: Timelines,
    split: np.ndarray,
    spec: ExamplesSpec,
    first_row: int,
    event_rows: np.ndarray,
    max_history: int,
) -> dict[str, list[bytes]]:
    """The records of every set.

    Args:
        timelines: of the partition.
        split: `[events]` of `TRAIN`, `VALID`, `TEST`; later splits of a user come later.
        spec: of the records.
        first_row: of the partition's first user.
        event_rows: by place in `timelines.event_names`, rows of the event vocabulary.
        max_history: items of a history that are kept.
    """
    starts, ends = timelines.starts, timelines.ends
    columns = _Columns(timelines, event_rows[timelines.events])
    owners = np.repeat(np.arange(len(starts)), ends - starts)
    trained = starts + np.bincount(owners[split == TRAIN], minlength=len(starts))
    validated = trained + np.bincount(owners[split == VALID], minlength=len(starts))
    windows = cut_windows(starts, trained, max_history + 1)
    encoded = {
        "train": spec.window.encode_columns(
            {
                "user": first_row + windows.owner,
                **columns.history(windows.starts, windows.lengths),
                "first_target": windows.first_target,
            }
        )
    }
    known = trained > starts
    for name, cut, stop, chosen in (
        ("valid", trained, validated, known & (validated > trained)),
        ("test", validated, ends, known & (ends > validated)),
        ("users", ends, ends, ends > starts),
    ):
        newest = np.maximum(cut - max_history, starts)[chosen]
        encoded[name] = spec.query.encode_columns(
            {
                "user": first_row + np.flatnonzero(chosen),
                **columns.history(newest, cut[chosen] - newest),
                "target/item": columns.pick(timelines.items, cut[chosen], (stop - cut)[chosen]),
                "target/time": columns.pick(columns.seconds, cut[chosen], (stop - cut)[chosen]),
                "seen/item": columns.pick(timelines.items, starts[chosen], (cut - starts)[chosen]),
            }
        )
    return encoded


class _Columns:
    """Stretches of the timelines as ragged columns."""

    def __init__(self, timelines: Timelines, events: np.ndarray) -> None:
        self._items, self._events = timelines.items, events
        self.seconds = np.floor(timelines.times).astype(np.int64)

    def history(self, starts: np.ndarray, lengths: np.ndarray) -> dict[str, Ragged]:
        return {
            "history/item": self.pick(self._items, starts, lengths),
            "history/time": self.pick(self.seconds, starts, lengths),
            "history/event": self.pick(self._events, starts, lengths),
        }

    def pick(self, values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Ragged:
        splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Ragged(values[ranges(starts, lengths)], splits)


def split_sizes(timelines: Timelines, split: np.ndarray) -> dict[str, int]:
    """How many events of each split there are; of validation and test those that are asked for.

    Nobody is asked for events of a user without training events; they are `LEFT_OUT`.
    """
    owners = np.repeat(np.arange(len(timelines.starts)), timelines.ends - timelines.starts)
    known = np.bincount(owners[split == TRAIN], minlength=len(timelines.starts)) > 0
    asked = known[owners]
    return {
        "train": int((split == TRAIN).sum()),
        "valid": int(((split == VALID) & asked).sum()),
        "test": int(((split == TEST) & asked).sum()),
        LEFT_OUT: int((~asked).sum()),
    }
