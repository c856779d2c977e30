"""What a data folder is made from, as fingerprints that tell whether it may be used again."""

import os
import pathlib
from typing import TYPE_CHECKING

from tfrs_mm.artefacts import fingerprint_file, fingerprint_of
from tfrs_mm.config import Config, EncoderConfig
from tfrs_mm.schema import Modality

if TYPE_CHECKING:
    from pipelines.input_folder import InputFile, InputFolder

_CONFIGURED = ("data", "encoders")


def sources(
    input_dir: "str | os.PathLike[str] | InputFolder", config: Config, weights_dir: pathlib.Path
) -> dict[str, str]:
    """What a data folder is made from: tables and given embeddings by content, media by name and
    size, the settings.

    Raises:
        UserError: the input folder or its catalogue is not there.
    """
    from pipelines.input_folder import InputFolder

    folder = InputFolder.of(input_dir)
    tables = [
        *folder.files(config.data.interactions, "data.interactions"),
        folder.file(config.data.items, "data.items"),
        *_embeddings(folder, config),
    ]
    contents = [file.sha256().hex() for file in tables]
    contents += [fingerprint_file(path) for path in _encoders(config)]
    listing = [[file.name, file.size_bytes] for file in folder.everything()]
    weights = [
        [str(path.relative_to(weights_dir)), path.stat().st_size]
        for path in sorted(weights_dir.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    ]
    return {
        "input": fingerprint_of([contents, listing]),
        # Where embeddings are kept makes no difference to them, by how many threads they are made
        # next to none.
        "config": config.with_overrides(
            {"encoders.cache_dir": "", "encoders.threads": 0}
        ).fingerprint(*_CONFIGURED),
        "weights": fingerprint_of(weights),
    }


def _embeddings(folder: "InputFolder", config: Config) -> "list[InputFile]":
    """The files of given embeddings."""
    from pipelines.given import given_files

    every = (getattr(config.encoders, modality.value) for modality in Modality)
    return [file for settings in every for file in given_files(settings, folder)]


def _encoders(config: Config) -> list[pathlib.Path]:
    """The descriptions of the user's own encoders, and the weights of backbones."""
    from tfrs_mm.encoder_folder import DESCRIPTION
    from tfrs_mm.projection import PROJECTION

    files = []
    for modality in Modality:
        settings: EncoderConfig = getattr(config.encoders, modality.value)
        if settings.kind == "saved_model":
            files += [pathlib.Path(settings.file) / name for name in (DESCRIPTION, PROJECTION)]
        if settings.kind == "keras_cv" and settings.file:
            path = pathlib.Path(settings.file)
            files += sorted(path.glob("*")) if path.is_dir() else [path]
    return [path for path in files if path.is_file()]
