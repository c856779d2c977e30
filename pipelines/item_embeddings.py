"""Item records read back: each modality's embeddings as one array on disk, by row.

What looks at embeddings of all items at once takes them from here a block at a time, so that memory
does not grow with the catalogue but for a few numbers an item.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator

import numpy as np

from tfrs_mm.data.examples import ITEM, ExamplesSpec
from tfrs_mm.data.tfrecord import find_shards, read_tfrecord
from tfrs_mm.progress import Progress
from tfrs_mm.schema import Modality, Schema

_RECORDS_AT_ONCE = 1024
_ROWS_OF_A_BLOCK = 2048


@dataclasses.dataclass(frozen=True)
class StoredEmbeddings:
    """The embeddings of the items that have one modality.

    Attributes:
        rows: `[n]` int64, the items' rows, ascending.
        by_row: `[rows of the vocabulary, dim]` float32, an array on disk.
    """

    rows: np.ndarray
    by_row: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: np.ndarray) -> np.ndarray:
        """`[m, dim]` float32 of the items that stand at `places` of `rows`."""
        return np.asarray(self.by_row[self.rows[places]])

    def blocks(self) -> Iterator[np.ndarray]:
        """`[m, dim]` of neighbouring places, from the first to the last."""
        for start in range(0, len(self.rows), _ROWS_OF_A_BLOCK):
            yield self.take(np.arange(start, min(start + _ROWS_OF_A_BLOCK, len(self.rows))))


def stored_embeddings(
    items_dir: pathlib.Path, schema: Schema, scratch_dir: pathlib.Path
) -> dict[Modality, StoredEmbeddings]:
    """Reads all item records once.

    Args:
        items_dir: holds them.
        schema: of them.
        scratch_dir: takes the arrays; to be kept as long as they are used.
    """
    import tensorflow as tf

    if not schema.modalities:
        return {}
    num_rows = schema.num_items + 1
    arrays = {
        modality: np.lib.format.open_memmap(
            scratch_dir / f"{modality.value}.npy",
            "w+",
            np.float32,
            (num_rows, schema.feature(modality.value).size),
        )
        for modality in schema.modalities
    }
    present = {modality: np.zeros(num_rows, bool) for modality in schema.modalities}
    records = itertools.chain.from_iterable(map(read_tfrecord, find_shards(items_dir, "items")))
    spec = ExamplesSpec(schema).item
    with Progress("look at embeddings", total=schema.num_items, unit="items") as progress:
        while batch := list(itertools.islice(records, _RECORDS_AT_ONCE)):
            parsed = spec.parse(tf.constant(batch))
            rows = parsed[ITEM].numpy()
            for modality, array in arrays.items():
                array[rows] = parsed[modality.embedding_key].numpy()
                present[modality][rows] = parsed[modality.present_key].numpy()
            progress.advance(len(rows))
    return {
        modality: StoredEmbeddings(np.flatnonzero(present[modality]), array)
        for modality, array in arrays.items()
    }
