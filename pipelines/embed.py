"""One modality of the items: cells to media, media to embeddings, and what is wrong to the rejects.

Media are told apart by their bytes: those that several items share are decoded and embedded once,
those that the cache knows not at all. For this every file is read twice, to be told apart and to be
decoded; only what names it goes through the shuffle in between. Decoding, batching and the encoder
then follow each other without another one, so that a runner fuses them and decoded pictures and
films live only until their batch is full. Texts are shuffled once more, into batches that are the
same on every runner.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import RunInference
from apache_beam.utils.shared import Shared

from pipelines.cache_steps import KeepEntries, WholeFiles
from pipelines.catalogue import ITEM_ID, ROW
from pipelines.decode import Decoder, cells_of
from pipelines.embedding_cache import EmbeddingCache, digest_of
from pipelines.inference import EncoderHandler
from pipelines.job_progress import JobProgress
from pipelines.outcomes import (
    EMBEDDED,
    FROM_CACHE,
    MISSING,
    NOT_FINITE,
    PRESENT,
    REJECTS,
    REPEATED,
    CountedDoFn,
    Embedded,
    Medium,
)
from pipelines.text_groups import GroupTexts
from pipelines.worker_share import ALONE, WorkerShare
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality

LOST = "cache files lost"

_EMBEDDINGS = "embeddings"
_NEW = "new"
_CHANGED = "file changed while the job ran"


class Content(NamedTuple):
    """Bytes by their digest, and the items whose medium they are, ordered by row."""

    digest: bytes
    media: tuple[Medium, ...]


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
        self._decode = DecodeMedia(folder.modality, decoder, progress)
        self._check = CheckEmbeddings(folder.modality, progress)

    def expand(self, items: beam.PCollection) -> Any:
        """See the class."""
        cached = items.pipeline | "FindCache" >> self._whole_files
        read = items | "Read" >> beam.ParDo(self._read).with_outputs(REJECTS, main="media")
        decoded = (
            read.media
            | "GroupSameBytes" >> beam.GroupByKey()
            | "Decode"
            >> beam.ParDo(self._decode, beam.pvalue.AsList(cached["files"])).with_outputs(
                REJECTS, _EMBEDDINGS, main="contents"
            )
        )
        contents, handler = decoded.contents, self._handler
        if handler.takes_texts:
            contents = contents | "GroupTexts" >> GroupTexts(handler.gathered)
            handler = handler.with_no_batching()
        checked = (
            contents
            | "Encode" >> RunInference(handler)
            | "Check" >> beam.ParDo(self._check).with_outputs(REJECTS, _NEW, main=_EMBEDDINGS)
        )
        if self._directory is not None:
            _ = checked[_NEW] | "KeepInCache" >> beam.ParDo(KeepEntries(self._directory))
        outputs = (read, decoded, checked)
        rejects = [cached[REJECTS], *(output[REJECTS] for output in outputs)]
        return Embedded(
            (decoded[_EMBEDDINGS], checked[_EMBEDDINGS]) | "JoinEmbeddings" >> beam.Flatten(),
            rejects | "JoinRejects" >> beam.Flatten(),
        )


class _MediaDoFn(CountedDoFn):
    def _reject_medium(self, medium: Medium, reason: str) -> beam.pvalue.TaggedOutput:
        where = "title, description" if self._modality is Modality.TEXT else medium.cell
        return self._reject(medium.item_id, where, reason)


class ReadMedia(_MediaDoFn):
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


class DecodeMedia(_MediaDoFn):
    """`(digest, media)` to `(Content, [n, ...] arrays)`; what the cache knows to the embeddings."""

    def __init__(self, modality: Modality, decoder: Decoder, progress: JobProgress) -> None:
        super().__init__(modality, progress)
        self._decoder = decoder
        self._shared, self._cache = Shared(), None

    def process(
        self, element: tuple[bytes, Iterable[Medium]], cache_files: list[str]
    ) -> Iterator[Any]:
        if self._cache is None:
            # One for all threads of a process.
            self._cache = self._shared.acquire(lambda: self._opened(cache_files))
        content = Content(element[0], tuple(sorted(element[1])))
        known = self._cache.get(content.digest)
        if known is not None:
            self._count(FROM_CACHE)
            self._count(REPEATED, len(content.media) - 1)
            self._settle(PRESENT, len(content.media))
            for medium in content.media:
                yield beam.pvalue.TaggedOutput(_EMBEDDINGS, (medium.row, known))
            return
        try:
            data = self._decoder.read(content.media[0].cell)
            if digest_of(data) != content.digest:
                raise MediaError(_CHANGED)
            arrays = self._decoder.arrays(data)
        except MediaError as error:
            for medium in content.media:
                yield self._reject_medium(medium, str(error))
        else:
            yield content, arrays

    def _opened(self, cache_files: list[str]) -> EmbeddingCache:
        cache = EmbeddingCache(sorted(cache_files))
        self._count(LOST, cache.unreadable)
        return cache


class CheckEmbeddings(_MediaDoFn):
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
