"""Writes `MODEL_DIR/<version>/`, whole or not at all, as TF Serving reads it."""

import os
import pathlib

import tensorflow as tf

from tfrs_mm.artefacts import whole_directory, write_json, write_manifest
from tfrs_mm.config import Config
from tfrs_mm.errors import UserError
from tfrs_mm.export.recommender import Recommender
from tfrs_mm.schema import Schema


def next_version(model_dir: str | os.PathLike[str]) -> int:
    """One more than the highest version in `model_dir`; 1 where there is none."""
    model_dir = pathlib.Path(model_dir)
    if model_dir.exists() and not model_dir.is_dir():
        raise UserError(f"{model_dir} is a file; --output must name a folder.")
    entries = model_dir.iterdir() if model_dir.is_dir() else ()
    return max((int(entry.name) for entry in entries if entry.name.isdigit()), default=0) + 1


def write_saved_model(
    recommender: Recommender,
    model_dir: str | os.PathLike[str],
    config: Config,
    schema: Schema,
    run_fingerprint: str,
    index_kind: str,
) -> pathlib.Path:
    """Saves one version of the served model.

    Args:
        recommender: to save.
        model_dir: holds all versions.
        config: written beside the model.
        schema: of the data it was trained on.
        run_fingerprint: of the run it was made from.
        index_kind: `exact` loads in stock TF Serving; `scann` needs ScaNN's operations.

    Returns:
        The version's folder.
    """
    target = pathlib.Path(model_dir) / str(next_version(model_dir))
    with whole_directory(target) as folder:
        options = tf.saved_model.SaveOptions(
            namespace_whitelist=["Scann"] if index_kind == "scann" else None
        )
        tf.saved_model.save(
            recommender, str(folder), signatures=recommender.signatures(), options=options
        )
        write_json(folder / "config.json", config.to_dict())
        write_manifest(
            folder,
            "model",
            {"run": run_fingerprint, "index": index_kind, "schema": schema.fingerprint()},
            operations="ScaNN's" if index_kind == "scann" else "core TensorFlow",
        )
    return target
