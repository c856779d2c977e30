"""The cache of embeddings inside a job: which files are whole, and what was new at the end."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from pipelines.embedding_cache import files_of, is_whole, write_entries
from pipelines.outcomes import REJECTS
from tfrs_mm.schema import Modality

DAMAGED = "cache files damaged"

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
