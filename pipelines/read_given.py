"""Given embeddings inside a job: looked up by item, checked, counted like those that it makes.

Of an item that comes twice the first row counts. What has another length, or holds no numbers,
costs the item that modality and goes to the rejects.
"""

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.catalogue import ITEM_ID, ROW
from pipelines.given import GivenEmbeddings
from pipelines.given_blocks import GivenBlock, parsed_cells
from pipelines.input_folder import InputFolder
from pipelines.job_progress import JobProgress
from pipelines.outcomes import MISSING, NOT_FINITE, PRESENT, REJECTS, CountedDoFn, Embedded
from pipelines.tables import catalogue_dialect
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import UNKNOWN_ROW

UNKNOWN = "given for unknown items"
GIVEN_AGAIN = "given again"

_NO_LIST = "embedding is no list of numbers"
_OTHER_LENGTH = "embedding has another length"
_AGAIN = "item_id is repeated"


class ReadGiven(beam.PTransform):
    """Record batches of items to their given embeddings, `Embedded`."""

    def __init__(
        self,
        given: GivenEmbeddings,
        input_dir: InputFolder,
        data: DataConfig,
        vocabulary_path: str,
        progress: JobProgress,
    ) -> None:
        """Says which.

        Args:
            given: what is given.
            input_dir: holds it.
            data: how the catalogue is read.
            vocabulary_path: of the items.
            progress: advanced once for each item, whether it has the modality or not.
        """
        super().__init__()
        self._given = given
        self._file = _ReadFile(given, input_dir, data, vocabulary_path, progress)
        self._column = _ReadColumn(given, data, progress)

    def expand(self, items: beam.PCollection) -> Any:
        """See the class."""
        if self._given.file:
            source = items.pipeline | "NameEmbeddings" >> beam.Create([self._given.file])
            read = beam.ParDo(self._file)
        else:
            source, read = items, beam.ParDo(self._column)
        found = source | "ReadEmbeddings" >> read.with_outputs(REJECTS, main="embeddings")
        return Embedded(found.embeddings, found[REJECTS])


class _GivenDoFn(CountedDoFn):
    def __init__(self, given: GivenEmbeddings, data: DataConfig, progress: JobProgress) -> None:
        super().__init__(given.modality, progress)
        self._given, self._data = given, data

    def _checked(
        self, block: GivenBlock, rows: np.ndarray, where: Callable[[int], str]
    ) -> Iterator[Any]:
        """`(row, embedding)` of the rows that have one; -1 stands for rows to be left out."""
        lengths = block.embeddings.lengths
        for place in np.flatnonzero((rows >= 0) & ~block.absent):
            item_id = block.ids[place]
            at = where(int(block.numbers[place]))
            embedding = block.embeddings[place]
            if block.broken[place]:
                yield self._reject(item_id, at, _NO_LIST)
            elif lengths[place] != self._given.dim:
                yield self._reject(item_id, at, _OTHER_LENGTH)
            elif not np.isfinite(embedding).all():
                yield self._reject(item_id, at, NOT_FINITE)
            else:
                self._settle(PRESENT)
                yield int(rows[place]), embedding.copy()  # a view would be pickled with its block


class _ReadFile(_GivenDoFn):
    """The name of the file to `(row, embedding)`; a file is read by one worker, in its order."""

    def __init__(
        self,
        given: GivenEmbeddings,
        input_dir: InputFolder,
        data: DataConfig,
        vocabulary_path: str,
        progress: JobProgress,
    ) -> None:
        super().__init__(given, data, progress)
        self._input_dir, self._vocabulary_path = input_dir, vocabulary_path

    def setup(self) -> None:
        self._vocabulary = Vocabulary.read(self._vocabulary_path)

    def process(self, file: str) -> Iterator[Any]:
        seen = np.zeros(self._vocabulary.size, bool)

        def where(number: int) -> str:
            return f"{file}:{number}"

        for block in self._given.blocks(self._input_dir, self._data):
            rows = self._vocabulary.rows_of(block.ids)
            self._count(UNKNOWN, int((rows == UNKNOWN_ROW).sum()))
            rows[(rows == UNKNOWN_ROW) | block.absent] = -1
            for place in np.flatnonzero(rows >= 0):
                if seen[rows[place]]:
                    self._count(GIVEN_AGAIN)
                    yield self._told(block.ids[place], where(int(block.numbers[place])), _AGAIN)
                    rows[place] = -1
                else:
                    seen[rows[place]] = True
            yield from self._checked(block, rows, where)
        self._settle(MISSING, int(len(seen) - 1 - seen.sum()))


class _ReadColumn(_GivenDoFn):
    """Record batches of items to `(row, embedding)`."""

    def process(self, items: pa.RecordBatch) -> Iterator[Any]:
        rows = items.column(ROW).to_numpy()
        block = parsed_cells(
            rows,
            items.column(ITEM_ID).to_pylist(),
            items.column(self._given.column).to_pylist(),
            catalogue_dialect(self._data).list_separator,
        )
        self._settle(MISSING, int(block.absent.sum()))
        yield from self._checked(block, rows, lambda _: self._given.column)
