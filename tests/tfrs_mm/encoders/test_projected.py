import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.encoders import Encoder, export_encoder, export_projected
from tfrs_mm.encoders.projected import ProjectionModule
from tfrs_mm.errors import UserError
from tfrs_mm.projection import AffineStep, Projection
from tfrs_mm.schema import Modality


class Doubling(Encoder):
    def __init__(self):
        super().__init__(name="doubling")
        self.factor = tf.Variable(2.0)
        self.dim, self.input_spec = 6, tf.TensorSpec([None, 6], tf.float32)

    def __call__(self, inputs):
        return inputs * self.factor


def projection_of(encoder, seed=1):
    generator = np.random.default_rng(seed)
    steps = tuple(
        AffineStep(
            kind, generator.normal(size=size), generator.normal(size=(size, dim)), np.ones(dim), 9,
            {},
        )
        for kind, size, dim in (("pca", encoder.dim, 4), ("cca", 4, 3))
    )  # fmt: skip
    return Projection(encoder.modality, encoder.fingerprint, steps)


@pytest.fixture
def exported(tmp_path):
    return export_encoder(
        Doubling(), tmp_path / "audio", name="d", modality=Modality.AUDIO, kind="small",
        weights_sha256="0",
    )  # fmt: skip


def test_the_operations_give_what_numpy_gives(exported):
    projection = projection_of(exported)
    rows = np.random.default_rng(2).normal(size=(9, 6)).astype(np.float32)
    module = ProjectionModule(projection)
    np.testing.assert_allclose(module(tf.constant(rows)), projection.apply(rows), rtol=1e-6)
    mapped = tf.data.Dataset.from_tensors(rows).map(module).get_single_element()
    np.testing.assert_allclose(mapped, projection.apply(rows), rtol=1e-6)


def test_media_go_through_encoder_and_projection(exported, tmp_path):
    projection = projection_of(exported)
    projection.write(tmp_path / "audio" / "projection.npz")
    whole = export_projected(tmp_path / "audio", tmp_path / "whole")
    assert EncoderFolder.read(tmp_path / "whole") == whole
    assert (whole.dim, whole.input_shape) == (3, (None, 6))
    assert whole.arguments == (f"projection={projection.fingerprint}",)
    assert whole.fingerprint != exported.fingerprint
    rows = np.random.default_rng(2).normal(size=(5, 6)).astype(np.float32)
    served = tf.saved_model.load(whole.path).signatures["serving_default"]
    np.testing.assert_allclose(
        served(inputs=tf.constant(rows))["embedding"], projection.apply(2 * rows), rtol=1e-5
    )


def test_a_projection_of_another_encoder_is_refused(exported, tmp_path):
    other = EncoderFolder(
        "", "other", Modality.AUDIO, 6, "small", "float32", (None, 6), weights_sha256="1"
    )
    projection_of(other).write(tmp_path / "audio" / "projection.npz")
    with pytest.raises(UserError, match="was fitted to the encoder"):
        export_projected(tmp_path / "audio", tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_an_encoder_without_a_projection_is_refused(exported, tmp_path):
    with pytest.raises(UserError, match=r"projection\.npz must hold a projection"):
        export_projected(tmp_path / "audio", tmp_path / "whole")
