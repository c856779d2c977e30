import json

import pytest
import tensorflow as tf

from tfrs_mm.encoders.backbone_architectures import ARCHITECTURES
from tfrs_mm.encoders.backbones import (
    BackboneSpec,
    backbone_spec,
    build_backbone,
    known_backbones,
    preset_spec,
)
from tfrs_mm.encoders.quiet_imports import import_keras_cv
from tfrs_mm.errors import UserError

WHERE = "encoders.image"
TINY = {
    "stackwise_filters": [64, 16], "stackwise_blocks": [2, 2], "stackwise_strides": [1, 2],
    "block_type": "basic_block", "include_rescaling": True,
}  # fmt: skip


def test_known_are_classes_that_are_built_here_and_published_architectures():
    known = known_backbones()
    assert {"ResNetV2Backbone", "ResNet18V2Backbone", "EfficientNetLiteB0Backbone"} <= set(known)
    # The base; of films; of points; one that would download itself; one of another Keras.
    assert not {
        "Backbone", "VideoSwinBackbone", "CenterPillarBackbone", "MobileNetV3SmallBackbone",
        "VGG16Backbone",
    } & set(known)  # fmt: skip


@pytest.mark.parametrize("name", ["ResNet19Backbone", "", "os.system", "MobileNetV3SmallBackbone"])
def test_a_name_that_is_not_known_lists_those_that_are(name):
    with pytest.raises(UserError, match=r"image\.backbone is .*Choose one of .*ResNet18V2Backbone"):
        backbone_spec(name, {}, WHERE)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"stackwise_filter": [1]}, "it has no stackwise_filter.*It takes stackwise_filters,"),
        ({"input_shape": [8, 8, 3]}, "it has no input_shape"),
    ],
)
def test_arguments_that_the_class_does_not_have_are_refused(changes, fault):
    with pytest.raises(UserError, match=fault):
        backbone_spec("ResNetV2Backbone", TINY | changes, WHERE)


def test_arguments_that_the_class_needs_are_named():
    with pytest.raises(UserError, match=r"it needs stackwise_blocks, .*include_rescaling"):
        backbone_spec("ResNetV2Backbone", {"stackwise_filters": [64]}, WHERE)


def test_a_published_architecture_takes_other_arguments_besides():
    spec = backbone_spec("ResNet18V2Backbone", {"include_rescaling": False}, WHERE)
    assert spec.name == "ResNetV2Backbone"
    assert spec.arguments["stackwise_blocks"] == [2, 2, 2, 2]
    assert spec.lines()[:2] == ('block_type="basic_block"', "include_rescaling=false")


def test_what_cannot_be_built_is_told_with_its_arguments():
    # A basic block adds what it gets to what it makes: 64 channels to 8.
    spec = BackboneSpec("ResNetV2Backbone", TINY | {"stackwise_filters": [8, 16]})
    with pytest.raises(UserError, match=r"stackwise_filters=\[8, 16\].*incompatible shapes"):
        build_backbone(spec, 32, WHERE)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ResNet18V2Backbone", 11_183_488),  # by KerasCV's own list of presets
        # As `tf.keras.applications` counts it without its top, the colours' normalisation apart.
        pytest.param("EfficientNetV1B0Backbone", 4_049_571 - 7, marks=pytest.mark.slow),
    ],
)
def test_a_published_architecture_has_as_many_weights_as_it_should(name, count):
    spec = backbone_spec(name, {}, WHERE)
    backbone = getattr(import_keras_cv().models, spec.name)(**spec.arguments)
    assert backbone.count_params() == count


@pytest.mark.parametrize(
    ("name", "arguments", "dim"),
    [
        ("CSPDarkNetBackbone",
         {"stackwise_channels": [8, 8, 8, 16], "stackwise_depth": [1, 1, 1, 1]}, 16),
        ("MiTBackbone", {"depths": [1, 1, 1, 1], "embedding_dims": [8, 16, 40, 64]}, 64),
    ],
)  # fmt: skip
def test_networks_of_other_kinds_are_built_as_well(name, arguments, dim):
    spec = backbone_spec(name, arguments | {"include_rescaling": True}, WHERE)
    assert build_backbone(spec, 64, WHERE).output_shape[-1] == dim


def test_every_architecture_names_arguments_of_its_class():
    for name in ARCHITECTURES:
        backbone_spec(name, {}, WHERE)


def write_preset(folder, **changes):
    folder.mkdir(exist_ok=True)
    value = {
        "module": "os", "class_name": "ResNetV2Backbone", "registered_name": "os>system",
        "config": TINY | {"name": "x", "trainable": True, "input_shape": [None, None, 3],
                          "input_tensor": None},
        "weights": "model.weights.h5",
    } | changes  # fmt: skip
    (folder / "config.json").write_text(json.dumps(value))
    return folder


def test_a_preset_is_read_as_data(tmp_path):
    spec, weights = preset_spec(write_preset(tmp_path / "p"), WHERE)
    assert spec == BackboneSpec("ResNetV2Backbone", TINY)  # what it says of modules means nothing
    assert weights == tmp_path / "p" / "model.weights.h5"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"weights": None}, "no preset with weights"),
        ({"weights": "../model.weights.h5"}, "must lie beside it"),
        ({"weights": "/etc/passwd"}, "must lie beside it"),
        ({"class_name": "Lambda"}, "no backbone that can be built here"),
        ({"class_name": ["ResNetV2Backbone"]}, "no preset with weights"),
        ({"config": 3}, "no preset with weights"),
        ({"config": {"code": "x"}}, "it has no code"),
    ],
)
def test_a_preset_of_something_else_is_refused(tmp_path, changes, fault):
    with pytest.raises(UserError, match=fault):
        preset_spec(write_preset(tmp_path / "p", **changes), WHERE)


def test_a_preset_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="FileNotFoundError"):
        preset_spec(tmp_path, WHERE)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="JSONDecodeError"):
        preset_spec(tmp_path, WHERE)
    monkeypatch.setattr("tfrs_mm.encoders.backbones._MAX_CONFIG_BYTES", 0)
    with pytest.raises(UserError, match="larger than 0 bytes"):
        preset_spec(tmp_path, WHERE)


def test_nothing_is_asked_of_the_network(monkeypatch):
    import socket

    def fail(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", fail)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    spec = backbone_spec("ResNetV2Backbone", TINY, WHERE)
    maps = build_backbone(spec, 32, WHERE)(tf.zeros([2, 32, 32, 3]), training=False)
    assert maps.shape == (2, 4, 4, 16)  # 32 halved by stem, pool and the second stack
