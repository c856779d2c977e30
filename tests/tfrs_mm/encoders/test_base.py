import json

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.encoders import Encoder, export_encoder
from tfrs_mm.encoders.base import sha256_of_variables
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality


class Doubling(Encoder):
    def __init__(self, factor=2.0):
        super().__init__(name="doubling")
        self.factor = tf.Variable(factor)
        self.dim, self.input_spec = 3, tf.TensorSpec([None, 3], tf.float32)

    def __call__(self, inputs):
        return inputs * self.factor


def exported(encoder, directory, **changes):
    facts = {
        "name": "d",
        "modality": Modality.AUDIO,
        "kind": "small",
        "weights_sha256": "abc",
    } | changes
    return export_encoder(encoder, directory, **facts)


def test_the_folder_says_what_it_holds_and_serves_any_batch(tmp_path):
    info = exported(Doubling(), tmp_path / "audio")
    assert EncoderFolder.read(tmp_path / "audio") == info
    described = json.loads((tmp_path / "audio" / "encoder.json").read_text())
    assert described == {
        "name": "d", "modality": "audio", "dim": 3, "kind": "small",
        "input": {"dtype": "float32", "shape": [None, 3]},
        "weights_sha256": "abc", "requires": [], "fingerprint": info.fingerprint,
    }  # fmt: skip
    signature = tf.saved_model.load(tmp_path / "audio").signatures["serving_default"]
    for batch in (1, 5):
        answer = signature(inputs=tf.ones([batch, 3]))
        assert list(answer) == ["embedding"]
        np.testing.assert_array_equal(answer["embedding"], np.full((batch, 3), 2.0))


def test_the_fingerprint_follows_the_weights(tmp_path):
    first = exported(Doubling(), tmp_path / "a")
    assert exported(Doubling(), tmp_path / "b").fingerprint == first.fingerprint
    assert (
        exported(Doubling(), tmp_path / "c", weights_sha256="other").fingerprint
        != first.fingerprint
    )
    assert sha256_of_variables(Doubling(2.0)) != sha256_of_variables(Doubling(3.0))
    assert sha256_of_variables(Doubling(2.0)) == sha256_of_variables(Doubling(2.0))


def test_nothing_is_written_over_another_folder_or_half(tmp_path):
    exported(Doubling(), tmp_path / "a")
    with pytest.raises(UserError, match="not empty"):
        exported(Doubling(), tmp_path / "a")

    class Broken(Doubling):
        def __call__(self, inputs):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        exported(Broken(), tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
