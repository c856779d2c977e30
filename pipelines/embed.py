"""One modality of the items: cells to media, media to embeddings, and what is wrong to the rejects.

Media are told apart by their bytes: those that several items share are decoded and embedded once,
those that the cache knows not at all. For this every file is read twice, to be told apart and to be
decoded; only what names it goes through the shuffles in between. Decoding and the encoder then
follow each other without another one, so that a runner fuses them and decoded pictures and films
live only until their batch is full. Which media share a batch depends on their bytes alone, so that
embeddings are the same on every runner.
"""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import RunInference

from pipelines.cache_steps import EMBEDDINGS, FindEmbeddings, KeepEntries, WholeFiles
from pipelines.catalogue import ITEM_ID, ROW
from pipelines.decode import Decoder, cells_of
from pipelines.decode_steps import DecodeMedia
from pipelines.embedding_cache import digest_of
from pipelines.inference import EncoderHandler
from pipelines.job_progress import JobProgress
from pipelines.media_groups import GroupMedia
from pipelines.outcomes import (
    EMBEDDED,
    MISSING,
    NOT_FINITE,
    PRESENT,
    REJECTS,
    REPEATED,
    Content,
    Embedded,
    MediaDoFn,
    Medium,
)
from pipelines.worker_share import ALONE, WorkerShare
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality

# A group's last batch is hardly ever full; larger groups would be too few for many workers.
_GROUPED = 2
_NEW = "new"


class EmbedModality(beam.PTransform):
    """Record batches of items to what becomes of one modality of theirs, `Embedded`."""

    def __init__(
        self,
        folder: EncoderFolder,
        decoder: Decoder,
        batch_size: int,
        progress: JobProgress,
        cache_dir: str | os.PathLike[str] | None = None,
        share: WorkerShare = ALONE,
    ) -> None:
        """Says how.

        Args:
            folder: the exported encoder.
            decoder: from a cell to the encoder's inputs.
            batch_size: inputs of every call of the encoder.
            progress: advanced once for each item, whether it has the modality or not.
            cache_dir: keeps embeddings for later runs; None keeps none.
            share: of its machine that a process takes.
        """
        super().__init__()
        self._directory = (
            cache_dir and pathlib.Path(cache_dir) / folder.fingerprint / decoder.fingerprint
        )
        self._whole_files = WholeFiles(self._directory, folder.modality, folder.dim)
        self._handler = EncoderHandler(folder, batch_size, share)
        self._read = ReadMedia(folder.modality, decoder, progress)
        self._find = FindEmbeddings(folder.modality, progress)
        self._decode = DecodeMedia(folder.modality, decoder, progress, self._handler.gathered)
        self._check = CheckEmbeddings(folder.modality, progress)

    def expand(self, items: beam.PCollection) -> Any:
        """See the class."""
        cached = items.pipeline | "FindCache" >> self._whole_files
        read = items | "Read" >> beam.ParDo(self._read).with_outputs(REJECTS, main="media")
        found = (
            read.media
            | "GroupSameBytes" >> beam.GroupByKey()
            | "Find"
            >> beam.ParDo(self._find, beam.pvalue.AsList(cached["files"])).with_outputs(
                EMBEDDINGS, main="contents"
            )
        )
        decoded = (
            found.contents
            | "GroupMedia" >> GroupMedia(_GROUPED * self._handler.gathered)
            | "Decode" >> beam.ParDo(self._decode).with_outputs(REJECTS, main="batches")
        )
        checked = (
            decoded.batches
            | "Encode" >> RunInference(self._handler.with_no_batching())
            | "Check" >> beam.ParDo(self._check).with_outputs(REJECTS, _NEW, main=EMBEDDINGS)
        )
        if self._directory is not None:
            _ = checked[_NEW] | "KeepInCache" >> beam.ParDo(KeepEntries(self._directory))
        rejects = [cached[REJECTS], *(output[REJECTS] for output in (read, decoded, checked))]
        return Embedded(
            (found[EMBEDDINGS], checked[EMBEDDINGS]) | "JoinEmbeddings" >> beam.Flatten(),
            rejects | "JoinRejects" >> beam.Flatten(),
        )


class ReadMedia(MediaDoFn):
    """Record batches of items to `(digest, Medium)`; what cannot be read to the rejects."""

    def __init__(self, modality: Modality, decoder: Decoder, progress: JobProgress) -> None:
        super().__init__(modality, progress)
        self._decoder = decoder

    def process(self, items: pa.RecordBatch) -> Iterator[Any]:
        rows, ids = items.column(ROW).to_pylist(), items.column(ITEM_ID).to_pylist()
        for row, item_id, cell in zip(rows, ids, cells_of(items, self._modality), strict=True):
            if not cell:
                self._settle(MISSING)
                continue
            medium = Medium(row, item_id, cell)
            try:
                data = self._decoder.read(cell)
            except MediaError as error:
                yield self._reject_medium(medium, str(error))
            else:
                yield digest_of(data), medium


class CheckEmbeddings(MediaDoFn):
    """`(Content, embedding)` to `(row, embedding)` and, as new, `(digest, embedding)`.

    What holds no numbers goes to the rejects.
    """

    def process(self, element: tuple[Content, np.ndarray]) -> Iterator[Any]:
        content, embedding = element
        if not np.isfinite(embedding).all():
            for medium in content.media:
                yield self._reject_medium(medium, NOT_FINITE)
            return
        self._count(EMBEDDED)
        self._count(REPEATED, len(content.media) - 1)
        self._settle(PRESENT, len(content.media))
        yield beam.pvalue.TaggedOutput(_NEW, (content.digest, embedding))
        for medium in content.media:
            yield medium.row, embedding
