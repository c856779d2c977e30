"""EfficientNet-Lite0 as a KerasCV backbone with ImageNet weights, averaged over the picture.

Tan and Le, EfficientNet, 2019; the Lite variant has no squeeze-and-excite and uses relu6.
"""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.base import Encoder
from tfrs_mm.encoders.quiet_imports import import_keras_cv
from tfrs_mm.encoders.torch_pickle import read_torch_weights


class EfficientNetImageEncoder(Encoder):
    """Squares of pixels to `[batch, 1280]`: `[batch, size_px, size_px, 3]` uint8, RGB."""

    def __init__(self, weights_path: str | os.PathLike[str], size_px: int) -> None:
        """Reads the published weights, a legacy torch file."""
        super().__init__(name="efficientnet_lite0")
        keras_cv = import_keras_cv()
        self._backbone = keras_cv.models.EfficientNetLiteBackbone(
            stackwise_kernel_sizes=[3, 3, 5, 3, 5, 5, 3],
            stackwise_num_repeats=[1, 2, 2, 3, 3, 4, 1],
            stackwise_input_filters=[32, 16, 24, 40, 80, 112, 192],
            stackwise_output_filters=[16, 24, 40, 80, 112, 192, 320],
            stackwise_expansion_ratios=[1, 6, 6, 6, 6, 6, 6],
            stackwise_strides=[1, 2, 2, 2, 1, 2, 1],
            width_coefficient=1.0,
            depth_coefficient=1.0,
            include_rescaling=False,
            input_shape=(size_px, size_px, 3),
        )
        self._backbone.trainable = False
        _load(self._backbone, read_torch_weights(weights_path))
        self.dim = int(self._backbone.output_shape[-1])
        self.input_spec = tf.TensorSpec([None, size_px, size_px, 3], tf.uint8)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        pixels = (tf.cast(inputs, tf.float32) - 127.0) / 128.0
        return tf.reduce_mean(self._backbone(pixels, training=False), axis=[1, 2])


def _load(backbone: Any, tensors: dict[str, np.ndarray]) -> None:
    """Puts the tensors into the layers; both are in the order of the network."""
    names = [
        name
        for name in tensors
        if not name.startswith("_fc.") and not name.endswith("num_batches_tracked")
    ]
    values = iter([(name, tensors[name]) for name in names])
    for layer in backbone.layers:
        if layer.weights:
            layer.set_weights([_converted(layer, *next(values)) for _ in layer.weights])
    left = [name for name, _ in values]
    if left:
        raise ValueError(f"weights that no layer of the backbone takes: {left}")


def _converted(layer: Any, name: str, value: np.ndarray) -> np.ndarray:
    """torch stores kernels as [out, in, height, width], for a depthwise one with in = 1."""
    if value.ndim != 4:
        return value
    is_depthwise = isinstance(layer, tf.keras.layers.DepthwiseConv2D)
    kernel = value.transpose(2, 3, 0, 1) if is_depthwise else value.transpose(2, 3, 1, 0)
    if kernel.shape != tuple(layer.weights[0].shape):
        raise ValueError(
            f"{name} is {kernel.shape}, but layer {layer.name} takes {layer.weights[0].shape}."
        )
    return kernel
