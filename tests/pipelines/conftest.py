"""Encoders that can be computed in the head, exported as real ones are."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.schema import Modality


@pytest.fixture(scope="session")
def export_encoder() -> Callable[..., EncoderFolder]:
    """`(folder, modality, embed, dim, dtype, shape)` to an encoder folder that computes `embed`."""
    return _export


def _export(
    folder: pathlib.Path,
    modality: str,
    embed: Callable[[Any], Any],
    dim: int,
    dtype: str,
    shape: list,
) -> EncoderFolder:
    """An encoder folder whose SavedModel computes `embed`."""
    import tensorflow as tf

    module = tf.Module()
    module.scale = tf.Variable(1.0)  # lost weights would be noticed
    spec = tf.TensorSpec(shape, dtype, name="inputs")

    @tf.function(input_signature=[spec])
    def serve(inputs):
        return {"embedding": embed(inputs) * module.scale}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    described = EncoderFolder(
        str(folder),
        "fake",
        Modality(modality),
        dim,
        "small",
        dtype,
        tuple(shape),
        weights_sha256="0",
    )
    text = json.dumps(described.description() | {"fingerprint": described.fingerprint})
    (folder / "encoder.json").write_text(text)
    return EncoderFolder.read(folder)
