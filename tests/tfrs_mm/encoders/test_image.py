import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from tfrs_mm.encoders import EfficientNetImageEncoder, export_encoder
from tfrs_mm.schema import Modality
from tfrs_mm.weights import find_weights

SIZE_PX = 224


@pytest.fixture(scope="module")
def encoder(weights_dir):
    found = find_weights(weights_dir)
    if "efficientnet_lite0" not in found:
        pytest.skip(f"no weights of efficientnet_lite0 in {weights_dir}")
    return EfficientNetImageEncoder(found["efficientnet_lite0"], SIZE_PX)


@pytest.fixture(scope="module")
def posters(shared_dir):
    paths = sorted((shared_dir / "data" / "movielens_small_posters" / "images").glob("*.jpg"))[:4]
    return [Image.open(path).convert("RGB") for path in paths]


def pixels(picture):
    return np.asarray(picture.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC))


def variants(picture):
    width, height = picture.size
    yield picture
    yield picture.crop((width // 12, height // 12, width - width // 12, height - height // 12))
    yield ImageEnhance.Brightness(picture).enhance(1.2)


def test_variants_of_one_picture_are_nearer_than_other_pictures(encoder, posters):
    inputs = np.stack([pixels(variant) for poster in posters for variant in variants(poster)])
    embeddings = tf.math.l2_normalize(encoder(tf.constant(inputs)), axis=1).numpy()
    cosines = embeddings @ embeddings.T
    same = np.kron(np.eye(len(posters)), np.ones((3, 3))).astype(bool)
    assert cosines[same].min() > 0.7  # random weights would give 0.98 for everything
    assert cosines[~same].max() < 0.6


def test_a_picture_does_not_depend_on_its_batch(encoder, posters):
    inputs = tf.constant(np.stack([pixels(poster) for poster in posters[:2]]))
    alone = np.concatenate([encoder(inputs[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(encoder(inputs), alone, atol=1e-4)


def test_weights_of_another_network_are_refused(encoder, monkeypatch, tmp_path):
    import collections

    from tfrs_mm.encoders import image

    state = collections.OrderedDict(_conv_stem=np.zeros((1, 3, 3, 3), np.float32))
    monkeypatch.setattr(image, "read_torch_weights", lambda path: state)
    with pytest.raises(ValueError, match="takes"):
        EfficientNetImageEncoder(tmp_path / "none", 32)


def test_the_exported_encoder_gives_the_same(encoder, tmp_path):
    info = export_encoder(
        encoder,
        tmp_path / "image",
        name="e",
        modality=Modality.IMAGE,
        kind="pretrained",
        weights_sha256="0",
    )
    assert (info.dim, info.input_dtype, info.input_shape) == (1280, "uint8", (None, 224, 224, 3))
    inputs = np.random.default_rng(1).integers(0, 255, (2, 224, 224, 3), dtype=np.uint8)
    served = tf.saved_model.load(tmp_path / "image").signatures["serving_default"](
        inputs=tf.constant(inputs)
    )
    np.testing.assert_allclose(served["embedding"], encoder(tf.constant(inputs)), atol=1e-4)
