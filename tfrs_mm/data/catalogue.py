"""What is known of the items: tables by item row, and how often each item was taken by when."""

import dataclasses
import functools
import os
import pathlib
import zipfile

import numpy as np

from tfrs_mm.data import examples
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.input_pipeline import read_batches
from tfrs_mm.data.npz import write_arrays
from tfrs_mm.data.tfrecord import find_shards
from tfrs_mm.errors import UserError
from tfrs_mm.schema import UNKNOWN_ROW, Modality, Schema

ITEMS_DIR = "items"
NEVER = -1  # the first and last time of an item without events

_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Tables with one line for each item row; line 0, the unknown item, is empty.

    Attributes:
        item_ids: `[num_items + 1]` objects, `str`.
        titles: `[num_items + 1]` objects, `str`.
        embeddings: `[num_items + 1, dim]` float32 for each modality, zeros where it is absent.
        present: `[num_items + 1, modality]` bool, in the order of `schema.modalities`.
        categories: `[num_items + 1, width]` int32 rows for each category column, padded with 0.
    """

    item_ids: np.ndarray
    titles: np.ndarray
    embeddings: dict[Modality, np.ndarray]
    present: np.ndarray
    categories: dict[str, np.ndarray]

    @property
    def num_items(self) -> int:
        """Items, the unknown one not counted."""
        return len(self.item_ids) - 1


def read_catalogue(data_dir: str | os.PathLike[str], schema: Schema) -> Catalogue:
    """The catalogue of a data folder.

    Raises:
        UserError: a shard is missing or damaged, or the records are not exactly one for each item.
    """
    paths = find_shards(pathlib.Path(data_dir) / ITEMS_DIR, ITEMS_DIR)
    size = schema.num_items + 1
    catalogue = Catalogue(
        item_ids=np.full(size, "", dtype=object),
        titles=np.full(size, "", dtype=object),
        embeddings={
            m: np.zeros((size, schema.feature(m.value).size), np.float32) for m in schema.modalities
        },
        present=np.zeros((size, len(schema.modalities)), dtype=bool),
        categories={
            spec.name: np.zeros((size, spec.width), np.int32) for spec in schema.categories
        },
    )
    records = np.zeros(size, dtype=np.int64)  # of each row
    for batch in read_batches(paths, ExamplesSpec(schema).item):
        rows = batch[examples.ITEM]
        outside = rows[(rows <= UNKNOWN_ROW) | (rows >= size)]
        if outside.size:
            raise _not_the_catalogue(
                data_dir, schema, f"rows outside it: {outside[:_SHOWN].tolist()}"
            )
        np.add.at(records, rows, 1)
        catalogue.item_ids[rows] = [value.decode("utf-8") for value in batch[examples.ITEM_ID]]
        catalogue.titles[rows] = [value.decode("utf-8") for value in batch[examples.TITLE]]
        for place, modality in enumerate(schema.modalities):
            catalogue.embeddings[modality][rows] = batch[modality.embedding_key]
            catalogue.present[rows, place] = batch[modality.present_key]
        for name, table in catalogue.categories.items():
            table[rows] = batch[name]
    missing = np.flatnonzero(records[1:] == 0) + 1
    repeated = np.flatnonzero(records > 1)
    if missing.size or repeated.size:
        raise _not_the_catalogue(
            data_dir,
            schema,
            f"{missing.size} rows missing, such as {missing[:_SHOWN].tolist()}; "
            f"{repeated.size} rows more than once, such as {repeated[:_SHOWN].tolist()}",
        )
    return catalogue


@dataclasses.dataclass(frozen=True)
class ItemCounts:
    """Events of each item in the training range, by buckets of time.

    Attributes:
        time_edges: `[buckets + 1]` int64, never decreasing; bucket b holds the times from edge b up
            to, but not including, edge b + 1.
        counts: `[num_items + 1, buckets]` int32.
        first_time: `[num_items + 1]` int64, -1 for an item without events.
        last_time: likewise.

    Raises:
        ValueError: the shapes do not agree, the edges decrease, or an event lies behind the last
            edge.
    """

    time_edges: np.ndarray
    counts: np.ndarray
    first_time: np.ndarray
    last_time: np.ndarray

    def __post_init__(self) -> None:
        rows, buckets = self.counts.shape
        wanted = {"time_edges": (buckets + 1,), "first_time": (rows,), "last_time": (rows,)}
        received = {name: getattr(self, name).shape for name in wanted}
        if received != wanted:
            raise ValueError(
                f"`counts` is [{rows}, {buckets}], so the shapes must be {wanted}, "
                f"received {received}."
            )
        if (np.diff(self.time_edges) < 0).any():
            raise ValueError(
                f"`time_edges` must never decrease, received {self.time_edges.tolist()}."
            )
        happened = self.counts.sum(axis=1) > 0
        if happened.any() and self.last_time[happened].max() >= self.time_edges[-1]:
            raise ValueError(
                f"all events must lie before the last edge {self.time_edges[-1]}, but one is at "
                f"{self.last_time[happened].max()}. Put the last edge behind the last event."
            )

    @classmethod
    def from_events(
        cls, items: np.ndarray, times: np.ndarray, num_items: int, time_edges: np.ndarray
    ) -> "ItemCounts":
        """Counts `[n]` events by item row and time; `even_time_edges` gives fitting edges."""
        buckets = len(time_edges) - 1
        bucket = np.searchsorted(time_edges, times, side="right") - 1
        if len(bucket) and (bucket.min() < 0 or bucket.max() >= buckets):
            raise ValueError(
                f"`times` must lie from {time_edges[0]} up to, but not including, "
                f"{time_edges[-1]}; received {np.min(times)}..{np.max(times)}."
            )
        size = num_items + 1
        cell = np.asarray(items, dtype=np.int64) * buckets + bucket
        counts = np.bincount(cell, minlength=size * buckets).reshape(size, buckets).astype(np.int32)
        first = np.full(size, np.iinfo(np.int64).max)
        last = np.full(size, np.iinfo(np.int64).min)
        np.minimum.at(first, items, times)
        np.maximum.at(last, items, times)
        never = counts.sum(axis=1) == 0
        first[never] = last[never] = NEVER
        return cls(np.asarray(time_edges, dtype=np.int64), counts, first, last)

    @property
    def totals(self) -> np.ndarray:
        """Events of each item in the whole range, `[num_items + 1]` int64."""
        return self.counts.sum(axis=1, dtype=np.int64)

    def as_of(self, items: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Events of items in the buckets before the one that each time falls into.

        So an event is never counted in its own popularity. A time behind the last edge knows all
        events.

        Args:
            items: rows, of any shape.
            times: of a shape that broadcasts with `items`.

        Returns:
            int64, of the shape both broadcast to.
        """
        bucket = np.searchsorted(self.time_edges, times, side="right") - 1
        # `bucket` is -1 before the first edge, where nothing is known, as at the start of bucket 0.
        return self._counts_before[items, np.maximum(bucket, 0)].astype(np.int64)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes a compressed `.npz` file, whole or not at all."""
        write_arrays(
            path, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "ItemCounts":
        """Reads what `write` wrote.

        Raises:
            UserError: there is no such file, or it holds something else.
        """
        if not os.path.isfile(path):
            raise UserError(
                f"item counts {path} do not exist. Give a folder `tfrs-mm preprocess` wrote."
            )
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"item counts {path} cannot be read: {error}. Run `tfrs-mm preprocess` again."
            ) from error

    @functools.cached_property
    def _counts_before(self) -> np.ndarray:
        """`[num_items + 1, buckets + 1]`: column b counts what lies before bucket b."""
        before = np.zeros((self.counts.shape[0], self.counts.shape[1] + 1), dtype=np.int32)
        np.cumsum(self.counts, axis=1, out=before[:, 1:])
        return before


def even_time_edges(first_time: int, last_time: int, buckets: int) -> np.ndarray:
    """`[buckets + 1]` int64 edges of equally long buckets that hold both times and all between."""
    span = int(last_time) + 1 - int(first_time)  # the last edge lies behind the last time
    if span < 1 or buckets < 1:
        raise ValueError(
            "there must be a bucket and `last_time` not before `first_time`, received "
            f"{first_time}, {last_time} and {buckets} buckets."
        )
    # In whole numbers of Python: nanoseconds since 1970 times the buckets do not fit into 64 bits.
    return np.array(
        [first_time + span * bucket // buckets for bucket in range(buckets + 1)], dtype=np.int64
    )


def _not_the_catalogue(data_dir: str | os.PathLike[str], schema: Schema, what: str) -> UserError:
    return UserError(
        f"{data_dir}: the item records must be one for each of the rows 1..{schema.num_items}, but "
        f"have {what}. Run `tfrs-mm preprocess` again."
    )
