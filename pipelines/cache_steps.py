"""The cache of embeddings inside a job: which files are whole, what is found in them, and what was
new at the end."""

import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from pipelines.embedding_cache import EmbeddingCache, files_of, is_whole, write_entries
from pipelines.job_progress import JobProgress
from pipelines.outcomes import (
    FROM_CACHE,
    PRESENT,
    REJECTS,
    REPEATED,
    Content,
    CountedDoFn,
    Medium,
)
from tfrs_mm.schema import Modality

DAMAGED, LOST = "cache files damaged", "cache files lost"
EMBEDDINGS = "embeddings"  # the tagged output of what is found

# A job that is killed loses what waits here; a reader opens all files.
_ENTRIES_OF_A_FILE = 512

_REASON = "cache file is damaged"


class WholeFiles(beam.PTransform):
    """The pipeline to the paths of the cache's whole files, and rejects for those that are not."""

    def __init__(
        self, directory: str | os.PathLike[str] | None, modality: Modality, dim: int
    ) -> None:
        """Names the folder of one encoder and decoding; None is one without files."""
        super().__init__()
        self._directories = [] if directory is None else [os.fspath(directory)]
        self._check = _CheckFile(modality, dim)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        """See the class; the keys are `files` and `rejects`."""
        checked = (
            pipeline
            | "NameCache" >> beam.Create(self._directories)
            | "ListFiles" >> beam.FlatMap(files_of)
            | "SpreadFiles" >> beam.Reshuffle()
            | "CheckFiles" >> beam.ParDo(self._check).with_outputs(REJECTS, main="files")
        )
        return {"files": checked.files, REJECTS: checked[REJECTS]}


class _CheckFile(beam.DoFn):
    """Passes the path of a whole file on; a damaged one costs what it held, to be embedded anew."""

    def __init__(self, modality: Modality, dim: int) -> None:
        self._modality, self._dim = modality, dim
        self._damaged = Metrics.counter(modality.value, DAMAGED)

    def process(self, path: str) -> Iterator[Any]:
        if is_whole(path, self._dim):
            yield path
            return
        self._damaged.inc()
        reject = {
            "reason": _REASON, "where": path, "item_id": "", "modality": self._modality.value
        }  # fmt: skip
        yield beam.pvalue.TaggedOutput(REJECTS, reject)


class FindEmbeddings(CountedDoFn):
    """`(digest, media)` to `Content`; what the cache knows to the embeddings, `(row, [dim])`."""

    def __init__(self, modality: Modality, progress: JobProgress) -> None:
        super().__init__(modality, progress)
        self._shared, self._cache = Shared(), None

    def process(
        self, element: tuple[bytes, Iterable[Medium]], cache_files: list[str]
    ) -> Iterator[Any]:
        """See the class."""
        if self._cache is None:
            # One for all threads of a process.
            self._cache = self._shared.acquire(lambda: self._opened(cache_files))
        content = Content(element[0], tuple(sorted(element[1])))
        known = self._cache.get(content.digest)
        if known is None:
            yield content
            return
        self._count(FROM_CACHE)
        self._count(REPEATED, len(content.media) - 1)
        self._settle(PRESENT, len(content.media))
        for medium in content.media:
            yield beam.pvalue.TaggedOutput(EMBEDDINGS, (medium.row, known))

    def _opened(self, cache_files: list[str]) -> EmbeddingCache:
        cache = EmbeddingCache(sorted(cache_files))
        self._count(LOST, cache.unreadable)
        return cache


class KeepEntries(beam.DoFn):
    """Writes `(digest, embedding)`, each of them once, into files of the cache."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = pathlib.Path(directory)

    def start_bundle(self) -> None:
        self._waiting: dict[bytes, np.ndarray] = {}

    def process(self, entry: tuple[bytes, np.ndarray]) -> None:
        digest, embedding = entry
        self._waiting[digest] = embedding
        if len(self._waiting) == _ENTRIES_OF_A_FILE:
            self.finish_bundle()

    def finish_bundle(self) -> None:
        if self._waiting:
            write_entries(self._directory, list(self._waiting), np.stack([*self._waiting.values()]))
            self._waiting = {}
