"""Groups of media to decoded ones, in batches for the encoder."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.decode import Decoder
from pipelines.embedding_cache import digest_of
from pipelines.job_progress import JobProgress
from pipelines.outcomes import Content, MediaDoFn
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality

_CHANGED = "file changed while the job ran"


class DecodeMedia(MediaDoFn):
    """Lists of `Content` to lists of `(Content, [n, ...] arrays)`, in the same order.

    A list has at most `gathered` arrays, all media together, or one medium. It is handed on before
    the next one is decoded.
    """

    def __init__(
        self, modality: Modality, decoder: Decoder, progress: JobProgress, gathered: int
    ) -> None:
        super().__init__(modality, progress)
        self._decoder, self._gathered = decoder, gathered

    def process(self, group: Sequence[Content]) -> Iterator[Any]:
        """See the class."""
        batch: list[tuple[Content, np.ndarray]] = []
        total = 0
        for content in group:
            try:
                arrays = self._decoded(content)
            except MediaError as error:
                for medium in content.media:
                    yield self._reject_medium(medium, str(error))
                continue
            if batch and total + len(arrays) > self._gathered:
                yield batch
                batch, total = [], 0
            batch.append((content, arrays))
            total += len(arrays)
        if batch:
            yield batch

    def _decoded(self, content: Content) -> np.ndarray:
        data = self._decoder.read(content.media[0].cell)
        if digest_of(data) != content.digest:
            raise MediaError(_CHANGED)
        return self._decoder.arrays(data)
