"""Encoders that can be computed in the head, exported as real ones are."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.inference import EncoderFolder


@pytest.fixture(scope="session")
def export_encoder() -> Callable[..., EncoderFolder]:
    """`(folder, modality, embed, dim, dtype, shape)` to an encoder folder that computes `embed`."""
    return _export


def _export(
    folder: pathlib.Path, modality: str, embed: Callable[[Any], Any], dim: int, dtype: str, shape: list
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
    description = {
        "name": "fake", "modality": modality, "dim": dim, "kind": "small",
        "input": {"dtype": dtype, "shape": shape}, "weights_sha256": "0", "requires": [],
        "fingerprint": f"fake-{modality}",
    }  # fmt: skip
    (folder / "encoder.json").write_text(json.dumps(description))
    return EncoderFolder.read(folder)
