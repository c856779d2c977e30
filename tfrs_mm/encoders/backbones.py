"""KerasCV backbones by name and explicit arguments, or by a preset's folder, without a network.

Only classes that stand in `keras_cv.models` are built, from plain values: a preset's `config.json`
is read as data, and none of Keras' own loading of objects, which imports what a file names, comes
into it. Names of published architectures are spelt out by `backbone_architectures`, as KerasCV's
classes of these names download what they are.
"""

import dataclasses
import inspect
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfrs_mm.encoders.backbone_architectures import ARCHITECTURES
from tfrs_mm.encoders.quiet_imports import import_keras_cv
from tfrs_mm.errors import UserError

PRESET_CONFIG = "config.json"

_SUFFIX = "Backbone"
_MAX_CONFIG_BYTES = 2**20
# The base class; of films and of points; the layers of the last are those of another Keras, whose
# weights this one does not see.
_NOT_FOR_PICTURES = ("Backbone", "VideoSwinBackbone", "CenterPillarBackbone", "VGG16Backbone")
_DECIDED_HERE = ("input_shape", "input_tensor", "name", "trainable", "kwargs", "self")


@dataclasses.dataclass(frozen=True)
class BackboneSpec:
    """Which backbone, and how it is built.

    Attributes:
        name: a class of `keras_cv.models`, never one of a published architecture.
        arguments: all that are not left to their defaults, plain values.
    """

    name: str
    arguments: Mapping[str, Any]

    def lines(self) -> tuple[str, ...]:
        """`name=value` in JSON, sorted, for the encoder's fingerprint."""
        return tuple(f"{key}={json.dumps(self.arguments[key])}" for key in sorted(self.arguments))


def known_backbones() -> list[str]:
    """The names that `backbone_spec` takes: classes with arguments, and published architectures."""
    models = import_keras_cv().models
    classes = [
        name
        for name, value in vars(models).items()
        if name.endswith(_SUFFIX)
        and name not in _NOT_FOR_PICTURES
        and issubclass(value, models.Backbone)
        and "__new__" not in vars(value)  # such a class would download its architecture
    ]
    return sorted({*classes, *ARCHITECTURES})


def backbone_spec(name: str, arguments: Mapping[str, Any], setting: str) -> BackboneSpec:
    """The spec of a backbone by its name.

    Args:
        name: one of `known_backbones`.
        arguments: of the class; those of a published architecture are there already.
        setting: the dotted path of the modality's settings, for errors.

    Raises:
        UserError: there is no such backbone, or its class has no such argument, or needs others.
    """
    known = known_backbones()
    if name not in known:
        raise UserError(
            f"{setting}.backbone is {name!r}, which is no backbone that can be built here. "
            f"Choose one of {', '.join(known)}."
        )
    class_name, defaults = ARCHITECTURES.get(name, (name, {}))
    merged = {**defaults, **arguments}
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(_class_of(class_name).__init__).parameters.items()
        if key not in _DECIDED_HERE
    }
    needed = [key for key, value in parameters.items() if value.default is inspect.Parameter.empty]
    unknown = sorted(set(merged) - set(parameters))
    missing = [key for key in needed if key not in merged]
    if unknown or missing:
        told = [f"it has no {', '.join(unknown)}"] if unknown else []
        told += [f"it needs {', '.join(missing)}"] if missing else []
        raise UserError(
            f"{setting}.backbone_arguments do not fit {class_name}: {' and '.join(told)}. "
            f"It takes {', '.join(parameters)}."
        )
    return BackboneSpec(class_name, merged)


def preset_spec(folder: pathlib.Path, setting: str) -> tuple[BackboneSpec, pathlib.Path]:
    """The spec of a preset's backbone, and the file of its weights.

    Raises:
        UserError: the folder holds no preset with weights, or one of something else.
    """
    path = folder / PRESET_CONFIG
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ValueError(f"it is larger than {_MAX_CONFIG_BYTES} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
        name, arguments, weights = value["class_name"], dict(value["config"]), value["weights"]
        if not isinstance(name, str) or not isinstance(weights, str):
            raise ValueError(f"it names the class {name!r} and the weights {weights!r}")
        if pathlib.PurePath(weights).name != weights:
            raise ValueError(f"its weights, {weights!r}, must lie beside it")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{setting}.file is {str(folder)!r}, but {path} describes no preset with weights: "
            f"{type(error).__name__} {error}. Give a folder with {PRESET_CONFIG} and its weights."
        ) from error
    plain = {
        key: argument
        for key, argument in arguments.items()
        if key not in _DECIDED_HERE and argument is not None
    }
    return backbone_spec(name, plain, setting), folder / weights


def build_backbone(spec: BackboneSpec, size_px: int, setting: str) -> tf.keras.Model:
    """`[batch, size_px, size_px, 3]` to maps `[batch, height, width, dim]`, with weights by chance.

    Raises:
        UserError: it cannot be built of these arguments, or gives something else.
    """
    shape = (size_px, size_px, 3)
    try:
        backbone = _class_of(spec.name)(**spec.arguments, input_shape=shape)
        maps = backbone(tf.zeros([1, *shape]), training=False)
    except Exception as error:  # a network of foreign arguments may raise any
        raise UserError(
            f"{setting}: {spec.name} cannot be built for squares of {size_px} pixels with "
            f"{', '.join(spec.lines())}: {' '.join(str(error).split())[:300]}. "
            "Change backbone_arguments or size_px."
        ) from error
    if not isinstance(maps, tf.Tensor) or maps.shape.rank != 4 or not backbone.weights:
        raise UserError(
            f"{setting}: {spec.name} must give maps [batch, height, width, dim], but gives "
            f"{getattr(maps, 'shape', type(maps).__name__)}. Choose another backbone."
        )
    backbone.trainable = False
    return backbone


def _class_of(name: str) -> Any:
    return getattr(import_keras_cv().models, name)
