"""Items and their embeddings meet by row and become the item records of a data folder.

A shard holds the rows that leave the same remainder; it is written by one worker, ordered by row,
under a temporary name that is replaced at the end. What one item lacks is zeros and a flag.
"""

import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from pipelines.catalogue import ITEM_ID, NAMESPACE, ROW
from tfrs_mm.data import examples
from tfrs_mm.data.examples import ExamplesSpec, Ragged
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import UNKNOWN_ROW, FeatureSpec, Modality, Schema

WRITTEN = "items written"

_ITEMS = "items"
_SHARD = "shard"
_ROWS_ENCODED_AT_ONCE = 256

Embedding = tuple[int, np.ndarray]  # row, [dim] float32


class WriteItems(beam.PTransform):
    """`{"items": record batches, modality: (row, embedding)}` to `items-*.tfrecord.gz`; gives the
    paths.

    It is applied to a dict of collections.
    """

    def __init__(
        self,
        output_dir: str,
        schema: Schema,
        num_shards: int,
        category_vocabularies: Mapping[str, str],
        separator: str,
    ) -> None:
        """Says where to and how.

        Args:
            output_dir: exists.
            schema: of the records.
            num_shards: files; all of them are written, a shard without items being empty.
            category_vocabularies: for each category column the path of its vocabulary.
            separator: between the categories of a cell.
        """
        super().__init__()
        self._num_shards = num_shards
        self._write = _WriteShard(
            output_dir, schema, num_shards, dict(category_vocabularies), separator
        )

    def expand(self, branches: Any) -> beam.PCollection:
        """See the class."""
        shards = self._num_shards
        pipeline = next(iter(branches.values())).pipeline
        keyed = {
            _SHARD: pipeline
            | "NameShards" >> beam.Create([(shard, shard) for shard in range(shards)])
        }
        for name, branch in branches.items():
            split = _split_items if name == _ITEMS else _key_embedding
            keyed[name] = branch | f"Shard_{name}" >> beam.FlatMap(split, shards)
        return (
            keyed | "MeetByShard" >> beam.CoGroupByKey() | "WriteShards" >> beam.ParDo(self._write)
        )


def _split_items(batch: pa.RecordBatch, shards: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    remainders = batch.column(ROW).to_numpy() % shards
    for shard in np.unique(remainders):
        yield int(shard), batch.filter(pa.array(remainders == shard))


def _key_embedding(embedding: Embedding, shards: int) -> Iterator[tuple[int, Embedding]]:
    yield embedding[0] % shards, embedding


class _WriteShard(beam.DoFn):
    """One shard's items and embeddings to its file."""

    def __init__(
        self,
        output_dir: str,
        schema: Schema,
        shards: int,
        vocabularies: dict[str, str],
        separator: str,
    ) -> None:
        self._output_dir, self._schema, self._shards = output_dir, schema, shards
        self._vocabulary_paths, self._separator = vocabularies, separator
        self._written = Metrics.counter(NAMESPACE, WRITTEN)

    def setup(self) -> None:
        self._spec = ExamplesSpec(self._schema).item
        self._vocabularies = {
            name: Vocabulary.read(path) for name, path in self._vocabulary_paths.items()
        }

    def process(self, element: tuple[int, dict[str, Iterable]]) -> Iterator[str]:
        shard, parts = element
        batches = list(parts[_ITEMS])
        path = pathlib.Path(self._output_dir) / shard_name("items", shard, self._shards)
        embeddings = {modality: dict(parts[modality.value]) for modality in self._schema.modalities}
        items = pa.Table.from_batches(batches).sort_by(ROW) if batches else None
        self._written.inc(write_tfrecord(path, self._encoded(items, embeddings)))
        yield str(path)

    def _encoded(
        self, items: pa.Table | None, embeddings: dict[Modality, dict[int, np.ndarray]]
    ) -> Iterator[bytes]:
        for start in range(0, items.num_rows if items is not None else 0, _ROWS_ENCODED_AT_ONCE):
            yield from self._spec.encode_columns(
                self._columns(items.slice(start, _ROWS_ENCODED_AT_ONCE), embeddings)
            )

    def _columns(self, items: pa.Table, embeddings: dict[Modality, dict[int, np.ndarray]]) -> dict:
        rows = items.column(ROW).to_numpy()
        columns = {
            examples.ITEM: rows,
            examples.ITEM_ID: items.column(ITEM_ID).to_pylist(),
            examples.TITLE: _titles(items),
        }
        for modality, found in embeddings.items():
            dim = self._schema.feature(modality.value).size
            columns[modality.embedding_key] = np.stack(
                [found.get(row, np.zeros(dim, np.float32)) for row in rows.tolist()]
            )
            columns[modality.present_key] = np.array(
                [row in found for row in rows.tolist()], np.int64
            )
        for feature in self._schema.categories:
            vocabulary = self._vocabularies[feature.name]
            columns[feature.name] = _category_rows(items, feature, vocabulary, self._separator)
        return columns


def _titles(items: pa.Table) -> list[str]:
    if examples.TITLE not in items.column_names:
        return [""] * items.num_rows
    return [title.strip() for title in items.column(examples.TITLE).to_pylist()]


def _category_rows(
    items: pa.Table, feature: FeatureSpec, vocabulary: Vocabulary, separator: str
) -> Ragged:
    """The rows of each item's categories, in the cell's order, at most `feature.width` of them."""
    if feature.name not in items.column_names:
        return Ragged.of([[]] * items.num_rows)
    lists = []
    for cell in items.column(feature.name).to_pylist():
        values = list(dict.fromkeys(value.strip() for value in cell.split(separator)))
        rows = vocabulary.rows_of(values)
        lists.append(rows[rows != UNKNOWN_ROW][: feature.width])
    return Ragged.of(lists)
