import dataclasses
import json
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.commands.encoders import prepare_encoders
from tfrs_mm.config import Config, EncoderConfig
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.encoders import KerasCvImageEncoder
from tfrs_mm.encoders.base import sha256_of_variables
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

WHERE = "encoders.image"
ARGUMENTS = (
    "stackwise_filters=[64, 16]", "stackwise_blocks=[2, 2]", "stackwise_strides=[1, 2]",
    "block_type=basic_block", "include_rescaling=true",
)  # fmt: skip
TINY = EncoderConfig(
    kind="keras_cv", backbone="ResNetV2Backbone", backbone_arguments=ARGUMENTS, size_px=32,
    random_seed=3,
)  # fmt: skip


def changed(settings=TINY, **changes):
    return dataclasses.replace(settings, **changes)


@pytest.fixture(scope="module")
def encoder():
    return KerasCvImageEncoder(TINY, WHERE)


@pytest.fixture(scope="module")
def inputs():
    pixels = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    return tf.constant(pixels)


@pytest.fixture(scope="module")
def weights(encoder, tmp_path_factory):
    """The encoder's weights in both of Keras' forms, and as a preset."""
    folder = tmp_path_factory.mktemp("weights")
    backbone = encoder._backbone
    backbone.save_weights(folder / "w.weights.h5")
    backbone.save_weights(folder / "former.h5")
    (folder / "preset").mkdir()
    shutil.copy(folder / "w.weights.h5", folder / "preset" / "model.weights.h5")
    config = {
        "class_name": "ResNetV2Backbone", "weights": "model.weights.h5",
        "config": dict(backbone.get_config()),
    }  # fmt: skip
    (folder / "preset" / "config.json").write_text(json.dumps(config))
    return folder


def test_it_is_the_mean_over_the_backbone_s_maps(encoder, inputs):
    maps = encoder._backbone(tf.cast(inputs, tf.float32), training=False)
    np.testing.assert_allclose(encoder(inputs), np.mean(maps, axis=(1, 2)), rtol=1e-5)
    assert (encoder.dim, encoder.input_spec.shape.as_list()) == (16, [None, 32, 32, 3])


def test_random_weights_depend_on_the_seed_alone(encoder, inputs):
    tf.random.set_seed(99)
    again, other = (KerasCvImageEncoder(changed(random_seed=s), WHERE) for s in (3, 4))
    assert sha256_of_variables(again) == sha256_of_variables(encoder)
    assert sha256_of_variables(other) != sha256_of_variables(encoder)
    np.testing.assert_array_equal(again(inputs), encoder(inputs))


@pytest.mark.parametrize("file", ["w.weights.h5", "former.h5", "preset"])
def test_weights_come_from_a_file_or_a_preset(encoder, inputs, weights, file):
    settings = changed(file=str(weights / file), random_seed=-1)
    if file == "preset":
        settings = changed(settings, backbone="", backbone_arguments=())
    loaded = KerasCvImageEncoder(settings, WHERE)
    assert sha256_of_variables(loaded) == sha256_of_variables(encoder)
    np.testing.assert_allclose(loaded(inputs), encoder(inputs), rtol=1e-6)


def test_a_preset_says_itself_how_it_is_built(weights):
    for changes in ({"backbone": "DenseNetBackbone", "backbone_arguments": ()}, {}):
        settings = changed(file=str(weights / "preset"), random_seed=-1, **changes)
        with pytest.raises(UserError, match="a preset of ResNetV2Backbone, which says how"):
            KerasCvImageEncoder(settings, WHERE)


@pytest.mark.parametrize("file", ["w.weights.h5", "former.h5"])
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("filters=[64, 16]", "filters=[64, 24]", r"lacking are \[1, 1, 64, 24\]"),
        ("blocks=[2, 2]", "blocks=[2, 3]", "48 arrays instead of 58"),
    ],
)
def test_weights_of_another_network_do_not_fit(weights, file, old, new, fault):
    arguments = tuple(line.replace(old, new) for line in ARGUMENTS)
    settings = changed(file=str(weights / file), random_seed=-1, backbone_arguments=arguments)
    with pytest.raises(UserError, match=f"do not fit the backbone.*{fault}"):
        KerasCvImageEncoder(settings, WHERE)


def spoilt(weights, path, how):
    """A copy of the weights in which one thing is wrong."""
    shutil.copy(weights / "w.weights.h5", path)
    name = "layers/batch_normalization/vars/0"
    with h5py.File(path, "r+") as file:
        values = file[name][()]
        if how == "external link":
            file["layers/x"] = h5py.ExternalLink("/etc/passwd", "/")
        elif how == "soft link":
            file["layers/x"] = h5py.SoftLink(f"/{name}")
        elif how == "external numbers":
            del file[name]
            file.create_dataset(name, values.shape, "f4", external=[("/etc/passwd", 0, 1000)])
        elif how == "objects":
            del file[name]
            file.create_dataset(name, data=["x"] * len(values), dtype=h5py.string_dtype())
        elif how == "bomb":
            file.create_dataset("layers/x", (2**40,), "f4", chunks=(2**20,), compression="gzip")
        elif how == "not where Keras looks":
            file["elsewhere"] = values + 1
            del file[name]
            file[name.replace("batch_normalization/", "other/")] = values


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("external link", "points elsewhere"),
        ("soft link", "points elsewhere"),
        ("external numbers", "lie in another file"),
        ("objects", "holds no numbers"),
        ("bomb", r"left over are \[1099511627776\]"),
        ("not where Keras looks", "do not fit"),
    ],
)
def test_a_file_with_more_than_numbers_is_refused_unread(weights, tmp_path, how, fault):
    spoilt(weights, tmp_path / "w.weights.h5", how)
    settings = changed(file=str(tmp_path / "w.weights.h5"), random_seed=-1)
    with pytest.raises(UserError, match=fault):
        KerasCvImageEncoder(settings, WHERE)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("none.h5", None, "Nothing is downloaded"),
        ("w.pkl", b"x", "must be a local file of weights"),
        ("w.keras", b"x", "must be a local file of weights"),
        ("w.h5", b"no such file", "holds no weights"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, name, content, fault):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=fault):
        KerasCvImageEncoder(changed(file=str(tmp_path / name), random_seed=-1), WHERE)


def test_a_remote_preset_is_never_asked_for():
    settings = changed(file="kaggle://keras/resnetv2/keras/resnet18_v2/2", random_seed=-1)
    with pytest.raises(UserError, match="Nothing is downloaded"):
        KerasCvImageEncoder(settings, WHERE)


def test_a_file_whose_name_belies_its_form_is_to_be_renamed(weights, tmp_path):
    for source, target in (("w.weights.h5", "w.h5"), ("former.h5", "former.weights.h5")):
        shutil.copy(weights / source, tmp_path / target)
        with pytest.raises(UserError, match="Rename it"):
            KerasCvImageEncoder(changed(file=str(tmp_path / target), random_seed=-1), WHERE)


@pytest.mark.parametrize(
    ("pixels", "black", "white"),
    [
        ("0 to 255", 0, 255), ("0 to 1", 0, 1), ("-1 to 1", -1, 1),
        ("imagenet", -0.485 / 0.229, (1 - 0.485) / 0.229),  # red
    ],
)  # fmt: skip
def test_pixels_are_scaled_as_the_settings_say(pixels, black, white):
    arguments = (*ARGUMENTS[:-1], "include_rescaling=false")
    encoder = KerasCvImageEncoder(changed(pixels=pixels, backbone_arguments=arguments), WHERE)
    seen = []
    encoder._backbone = lambda values, training: seen.append(values) or tf.zeros([2, 1, 1, 16])
    encoder(tf.constant(np.stack([np.zeros([32, 32, 3]), np.full([32, 32, 3], 255)]), tf.uint8))
    np.testing.assert_allclose(seen[0][:, 0, 0, 0], [black, white], atol=1e-5)


def test_pixels_are_not_scaled_twice():
    with pytest.raises(UserError, match="divides by 255 itself"):
        KerasCvImageEncoder(changed(pixels="0 to 1"), WHERE)


class Pictures:
    """Stands for a catalogue's sample that has pictures and films."""

    def has(self, modality):
        return modality in (Modality.IMAGE, Modality.VIDEO)


def test_it_is_exported_reloaded_and_embeds_the_same(encoder, inputs, tmp_path):
    config = Config().with_overrides(
        {
            f"encoders.{name}.{key}": value
            for name in ("image", "video")
            for key, value in {
                "kind": "keras_cv", "backbone": TINY.backbone, "size_px": 32,
                "backbone_arguments": list(ARGUMENTS), "random_seed": 3,
            }.items()
        }
    )  # fmt: skip
    folders, notes = prepare_encoders(
        config, tmp_path / "none", tmp_path / "encoders", Pictures(), tmp_path
    )
    assert sorted(folders) == [Modality.IMAGE, Modality.VIDEO]
    assert "image: KerasCV ResNetV2Backbone of 16 dimensions, random weights by the seed 3" in notes
    folder = EncoderFolder.read(folders[Modality.IMAGE])
    assert (folder.kind, folder.dim, folder.name) == ("keras_cv", 16, "ResNetV2Backbone")
    assert folder.weights_sha256 == sha256_of_variables(encoder)
    assert "pixels=0 to 255" in folder.arguments
    assert "stackwise_filters=[64, 16]" in folder.arguments
    served = tf.saved_model.load(folder.path).signatures["serving_default"]
    np.testing.assert_allclose(served(inputs=inputs)["embedding"], encoder(inputs), rtol=1e-5)


def test_the_fingerprint_follows_name_arguments_weights_and_size():
    folder = EncoderFolder(
        "p", "ResNetV2Backbone", Modality.IMAGE, 16, "keras_cv", "uint8", (None, 32, 32, 3), "a",
        (), ("x=1",),
    )  # fmt: skip
    changes = (
        {"arguments": ("x=2",)}, {"weights_sha256": "b"}, {"name": "ResNetBackbone"}, {"dim": 8},
        {"input_shape": (None, 64, 64, 3)},
    )  # fmt: skip
    others = {dataclasses.replace(folder, **change).fingerprint for change in changes}
    assert len(others | {folder.fingerprint}) == len(changes) + 1
