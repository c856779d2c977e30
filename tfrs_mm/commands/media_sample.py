"""Canonical arrays of some of a catalogue's media, to train small encoders on."""

from typing import TYPE_CHECKING

import numpy as np

from tfrs_mm.config import Config
from tfrs_mm.schema import Modality

if TYPE_CHECKING:
    from pipelines.input_folder import AnyFolder


class MediaSample:
    """Decodes up to `limit` items of one modality, drawn by seed, exactly as the media job does."""

    def __init__(self, input_dir: "AnyFolder", config: Config, limit: int = 1000) -> None:
        """Says where from.

        Args:
            input_dir: a folder or URL that holds the catalogue and the files it names.
            config: the sections `data`, `encoders` and the seed are used.
            limit: items of one modality.
        """
        from pipelines.input_folder import InputFolder

        self._input_dir, self._config, self._limit = InputFolder.of(input_dir), config, limit

    def has(self, modality: Modality) -> bool:
        """Whether the catalogue names any medium of this modality."""
        return bool(self._cells(modality))

    def arrays(self, modality: Modality, input_shape: tuple[int | None, ...]) -> list[np.ndarray]:
        """`[n, ...]` arrays of single items; what cannot be decoded is left out, the job reports
        it.

        Args:
            modality: to decode.
            input_shape: of the encoder's inputs, the first axis being the batch.
        """
        from pipelines.decode import decoder_of
        from pipelines.media_files import MediaFiles
        from tfrs_mm.media import MediaError
        from tfrs_mm.progress import tracked

        decode = decoder_of(
            modality,
            input_shape,
            MediaFiles.of(self._input_dir, self._config.encoders.media_roots),
            getattr(self._config.encoders, modality.value),
        )
        arrays = []
        cells = self._cells(modality)
        if len(cells) > self._limit:
            generator = np.random.default_rng(self._config.training.seed)
            chosen = np.sort(generator.choice(len(cells), self._limit, replace=False))
            cells = [cells[place] for place in chosen]
        for cell in tracked(cells, f"decode {modality.value}", total=len(cells), unit="items"):
            try:
                arrays.append(decode(cell))
            except MediaError:
                continue  # the media job rejects it with its reason
        return arrays

    def _cells(self, modality: Modality) -> list[str]:
        from pipelines.catalogue import read_rows
        from pipelines.decode import cells_of
        from pipelines.tables import catalogue_dialect

        columns = (
            "title",
            "description",
            *(f"{m.value}_path" for m in Modality if m is not Modality.TEXT),
        )
        table = self._input_dir.file(self._config.data.items, "data.items").path
        return [
            cell
            for batch in read_rows(table, columns, catalogue_dialect(self._config.data))
            for cell in cells_of(batch, modality)
            if cell
        ]
