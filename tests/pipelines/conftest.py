"""Encoders that can be computed in the head, exported as real ones are, and a catalogue."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import behaviour_world
import media_world as world
import pytest

from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.schema import Modality


@pytest.fixture(scope="module", params=behaviour_world.KINDS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Any]:
    """The split's kind and the finished job of `random_events`, see `behaviour_world.Made`."""
    folder = tmp_path_factory.mktemp(request.param)
    behaviour_world.write_input(folder / "in", behaviour_world.random_events())
    config = behaviour_world.config_of(request.param)
    return request.param, behaviour_world.run_job(folder / "in", folder / "out", config)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """See `write_shop`."""
    folder = tmp_path_factory.mktemp("shop")
    world.write_shop(folder)
    return folder


@pytest.fixture(scope="session")
def encoders(export_encoder, tmp_path_factory) -> dict[Modality, pathlib.Path]:
    """Mean colour; length and capitals of a text; loudness of four mels; mean colour of a frame."""
    import tensorflow as tf

    def colour(inputs):
        return tf.reduce_mean(tf.cast(inputs, tf.float32), axis=[1, 2])

    def text(inputs):
        capitals = tf.strings.length(tf.strings.regex_replace(inputs, "[^A-Z]", ""))
        return tf.cast(tf.stack([tf.strings.length(inputs), capitals], axis=1), tf.float32)

    def sound(inputs):
        return tf.reduce_mean(inputs, axis=1)[:, ::24]

    folder = tmp_path_factory.mktemp("encoders")
    functions = {"image": colour, "text": text, "audio": sound, "video": colour}
    for name, embed in functions.items():
        export_encoder(folder / name, name, embed, world.DIMS[name], *world.INPUTS[name])
    return {modality: folder / modality.value for modality in Modality}


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
