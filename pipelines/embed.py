"""One modality of the items: cells to media, media to embeddings, and what is wrong to the rejects.

Decoding, batching and the encoder follow each other without a shuffle in between, so that a runner
fuses them and decoded pictures and films live only until their batch is full.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import RunInference

from pipelines.catalogue import ITEM_ID, ROW
from pipelines.decode import Decoder, cells_of
from pipelines.inference import EncoderHandler
from pipelines.job_progress import JobProgress
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality

MISSING = "missing"
PRESENT = "present"
REJECTED = "rejected: "  # and the reason

_REJECTS = "rejects"
_EMBEDDINGS = "embeddings"
_NOT_FINITE = "embedding is not finite"


class MediumKey(NamedTuple):
    """Which medium it is: the item's row and id, and where the catalogue says it lies."""

    row: int
    item_id: str
    where: str


@dataclasses.dataclass(frozen=True)
class Embedded:
    """What `EmbedModality` gives.

    Attributes:
        embeddings: `(row, [dim] float32)`, one for each item that has the modality.
        rejects: dicts with `reason`, `where`, `item_id`, `modality`.
    """

    embeddings: beam.PCollection
    rejects: beam.PCollection


class EmbedModality(beam.PTransform):
    """Record batches of items to what becomes of one modality of theirs, `Embedded`."""

    def __init__(
        self, folder: EncoderFolder, decoder: Decoder, batch_size: int, progress: JobProgress
    ) -> None:
        """Says how.

        Args:
            folder: the exported encoder.
            decoder: from a cell to the encoder's inputs.
            batch_size: inputs of every call of the encoder.
            progress: advanced once for each item, whether it has the modality or not.
        """
        super().__init__()
        self._handler = EncoderHandler(folder, batch_size)
        self._decode = DecodeMedia(folder.modality, decoder, progress)
        self._check = CheckEmbeddings(folder.modality, progress)

    def expand(self, items: beam.PCollection) -> Any:
        """See the class."""
        decoded = items | "Decode" >> beam.ParDo(self._decode).with_outputs(_REJECTS, main="media")
        checked = (
            decoded.media
            | "Encode" >> RunInference(self._handler)
            | "Check" >> beam.ParDo(self._check).with_outputs(_REJECTS, main=_EMBEDDINGS)
        )
        rejects = (decoded[_REJECTS], checked[_REJECTS]) | "JoinRejects" >> beam.Flatten()
        return Embedded(checked[_EMBEDDINGS], rejects)


class _CountedDoFn(beam.DoFn):
    """Counts what becomes of each item's medium, under the modality's name."""

    def __init__(self, modality: Modality, progress: JobProgress) -> None:
        self._modality, self._progress = modality, progress

    def _count(self, name: str) -> None:
        Metrics.counter(self._modality.value, name).inc()
        self._progress.advance()

    def _reject(self, key: MediumKey, reason: str) -> beam.pvalue.TaggedOutput:
        self._count(REJECTED + reason)
        reject = {
            "reason": reason, "where": key.where, "item_id": key.item_id,
            "modality": self._modality.value,
        }  # fmt: skip
        return beam.pvalue.TaggedOutput(_REJECTS, reject)


class DecodeMedia(_CountedDoFn):
    """Record batches of items to `(MediumKey, [n, ...] arrays)`; what is broken to the rejects."""

    def __init__(self, modality: Modality, decoder: Decoder, progress: JobProgress) -> None:
        super().__init__(modality, progress)
        self._decoder = decoder

    def process(self, items: pa.RecordBatch) -> Iterator[Any]:
        rows, ids = items.column(ROW).to_pylist(), items.column(ITEM_ID).to_pylist()
        for row, item_id, cell in zip(rows, ids, cells_of(items, self._modality), strict=True):
            if not cell:
                self._count(MISSING)
                continue
            key = MediumKey(
                row, item_id, "title, description" if self._modality is Modality.TEXT else cell
            )
            try:
                arrays = self._decoder(cell)
            except MediaError as error:
                yield self._reject(key, str(error))
            else:
                yield key, arrays


class CheckEmbeddings(_CountedDoFn):
    """`(MediumKey, embedding)` to `(row, embedding)`; those that are no numbers to the rejects."""

    def process(self, element: tuple[MediumKey, np.ndarray]) -> Iterator[Any]:
        key, embedding = element
        if np.isfinite(embedding).all():
            self._count(PRESENT)
            yield key.row, embedding
        else:
            yield self._reject(key, _NOT_FINITE)
