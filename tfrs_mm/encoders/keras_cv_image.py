"""Any KerasCV backbone as an encoder of pictures or frames, averaged over the picture."""

import pathlib

import tensorflow as tf

from tfrs_mm.config import EncoderConfig
from tfrs_mm.encoder_settings import arguments_of
from tfrs_mm.encoders.backbone_weights import load_backbone_weights
from tfrs_mm.encoders.backbones import backbone_spec, build_backbone, preset_spec
from tfrs_mm.encoders.base import Encoder
from tfrs_mm.encoders.trainable import draw_kernels
from tfrs_mm.errors import UserError

# What is taken away from a pixel from 0 to 255, and what it is divided by then, for each colour.
_SCALING = {
    "0 to 255": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0 to 1": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "-1 to 1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    # The mean colour of ImageNet's pictures and its deviation, times 255.
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
_AS_IT_IS = "0 to 255"


class KerasCvImageEncoder(Encoder):
    """Squares of pixels, `[batch, size_px, size_px, 3]` uint8 RGB, to `[batch, dim]`.

    Attributes:
        backbone_name: the class that was built.
        arguments: `name=value` of all that decides the embedding besides the weights, sorted.
    """

    def __init__(self, settings: EncoderConfig, setting: str) -> None:
        """Builds the backbone and reads its weights, or draws them where the settings say so.

        Args:
            settings: of the kind `keras_cv`.
            setting: their dotted path, for errors.

        Raises:
            UserError: there is no such backbone, or its weights do not fit.
        """
        super().__init__(name="keras_cv")
        given = arguments_of(settings.backbone_arguments)
        path = pathlib.Path(settings.file)
        if settings.file and path.is_dir():
            spec, path = preset_spec(path, setting)
            if given or settings.backbone not in ("", spec.name):
                raise UserError(
                    f"{setting}.file is a preset of {spec.name}, which says how it is built. "
                    f"Leave out {setting}.backbone and backbone_arguments."
                )
        else:
            spec = backbone_spec(settings.backbone, given, setting)
        if spec.arguments.get("include_rescaling") and settings.pixels != _AS_IT_IS:
            raise UserError(
                f"{setting}.pixels is {settings.pixels!r}, but with include_rescaling the backbone "
                f"divides by 255 itself. Choose {_AS_IT_IS!r}, or include_rescaling=false."
            )
        size_px = settings.size_px
        self._backbone = build_backbone(spec, size_px, setting)
        if settings.file:
            load_backbone_weights(self._backbone, path, setting)
        else:
            draw_kernels(self._backbone.weights, settings.random_seed)
        self._shift, self._scale = _SCALING[settings.pixels]
        self.backbone_name = spec.name
        self.arguments = (*spec.lines(), f"pixels={settings.pixels}")
        self.dim = int(self._backbone.output_shape[-1])
        self.input_spec = tf.TensorSpec([None, size_px, size_px, 3], tf.uint8)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        pixels = (tf.cast(inputs, tf.float32) - self._shift) / self._scale
        return tf.reduce_mean(self._backbone(pixels, training=False), axis=[1, 2])
