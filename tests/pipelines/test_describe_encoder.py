import json

import pytest
import tensorflow as tf

from pipelines import describe_encoder
from pipelines.describe_encoder import tried_encoder
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality


def colour(pixels):
    return tf.reduce_mean(tf.cast(pixels, tf.float32), axis=[1, 2])


def saved(folder, embed=colour, dtype="uint8", shape=(None, 8, 8, 3), output="embedding"):
    """A SavedModel as anybody could have exported it."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name="inputs")])
    def serve(inputs):
        return {output: embed(inputs) * module.scale}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


def test_a_saved_model_is_described_from_its_signature(tmp_path, capsys):
    folder = saved(tmp_path / "model")
    arguments = ["--folder", str(folder), "--modality", "image", "--name", "mine"]
    assert describe_encoder.main(arguments) == 0
    assert "image to 3 dimensions" in capsys.readouterr().out
    encoder = EncoderFolder.read(folder)
    assert (encoder.name, encoder.modality, encoder.dim) == ("mine", Modality.IMAGE, 3)
    assert (encoder.input_dtype, encoder.input_shape) == ("uint8", (None, 8, 8, 3))
    assert encoder.kind == "saved_model" and encoder.requires == ()
    assert tried_encoder(folder) == encoder


def test_the_fingerprint_follows_the_weights(tmp_path):
    one = describe_encoder.describe_encoder(saved(tmp_path / "1"), Modality.IMAGE, "mine")
    twice = describe_encoder.describe_encoder(tmp_path / "1", Modality.IMAGE, "mine")
    other = saved(tmp_path / "2", embed=lambda pixels: 3 * colour(pixels))
    assert one.fingerprint == twice.fingerprint
    assert describe_encoder.describe_encoder(
        other, Modality.IMAGE, "mine"
    ).fingerprint != one.fingerprint  # fmt: skip


def test_texts_are_tried_too(tmp_path):
    def lengths(texts):
        return tf.cast(tf.strings.length(texts), tf.float32)[:, None]

    folder = saved(tmp_path / "model", lengths, "string", (None,))
    assert describe_encoder.describe_encoder(folder, Modality.TEXT, "lengths").dim == 1


def test_without_a_description_the_command_is_named(tmp_path):
    with pytest.raises(UserError, match=r"python -m pipelines\.describe_encoder --folder"):
        tried_encoder(saved(tmp_path / "model"))


@pytest.mark.parametrize(
    ("make", "modality", "fault"),
    [
        (lambda folder: folder.mkdir(), "image", "must hold a SavedModel"),
        (lambda folder: saved(folder, output="out"), "image", "must take 'inputs' and give"),
        (lambda folder: saved(folder), "audio", "the encoder of audio must take"),
        (lambda folder: saved(folder, shape=(None, 8, 9, 3)), "image", "of image must take"),
        (
            lambda folder: saved(folder, lambda pixels: tf.reshape(colour(pixels), [-1])),
            "image", "must say the size",
        ),
        (
            lambda folder: saved(folder, lambda pixels: tf.tile(colour(pixels), [2, 1])),
            "image", "cannot embed what its encoder.json describes",
        ),
    ],
)  # fmt: skip
def test_what_is_no_encoder_is_refused(tmp_path, make, modality, fault):
    make(tmp_path / "model")
    with pytest.raises(UserError, match=fault):
        describe_encoder.describe_encoder(tmp_path / "model", Modality(modality), "mine")
    assert not (tmp_path / "model" / "encoder.json").exists()


def test_a_mistake_is_one_line_and_code_2(tmp_path, capsys):
    arguments = ["--folder", str(tmp_path), "--modality", "image", "--name", "mine"]
    assert describe_encoder.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_another_model_in_the_described_folder_is_noticed(tmp_path):
    folder = saved(tmp_path / "model")
    described = describe_encoder.describe_encoder(folder, Modality.IMAGE, "mine").description()
    described["dim"] = 5
    path = folder / "encoder.json"
    fingerprint = EncoderFolder(
        str(folder), "mine", Modality.IMAGE, 5, "saved_model", "uint8", (None, 8, 8, 3),
        described["weights_sha256"],
    ).fingerprint  # fmt: skip
    path.write_text(json.dumps(described | {"fingerprint": fingerprint}))
    with pytest.raises(UserError, match=r"\(1, 3\) embeddings instead of \(1, 5\)"):
        tried_encoder(folder)
