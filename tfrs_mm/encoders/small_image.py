"""A small picture encoder to train on the catalogue itself: three stages of EfficientNet-Lite."""

import tensorflow as tf

from tfrs_mm.encoders.quiet_imports import import_keras_cv
from tfrs_mm.encoders.trainable import TrainableEncoder, draw_kernels

# Colour may be what people choose by, so a view changes it little.
_COLOUR_CHANGE = 0.15
_ZOOM_IN = 0.35  # share of the side that is lost at most
_SHIFT = 0.15  # of the side, either way


class SmallImageEncoder(TrainableEncoder):
    """`[batch, size_px, size_px, 3]` uint8 to `[batch, dim]`."""

    def __init__(self, dim: int, size_px: int, seed: int) -> None:
        super().__init__(dim, tf.TensorSpec([None, size_px, size_px, 3], tf.uint8), "small_image")
        keras_cv = import_keras_cv()
        self._backbone = keras_cv.models.EfficientNetLiteBackbone(
            stackwise_kernel_sizes=[3, 3, 5],
            stackwise_num_repeats=[1, 1, 1],
            stackwise_input_filters=[32, 16, 24],
            stackwise_output_filters=[16, 24, 40],
            stackwise_expansion_ratios=[1, 4, 4],
            stackwise_strides=[2, 2, 2],
            width_coefficient=0.5,
            depth_coefficient=1.0,
            include_rescaling=False,
            input_shape=(size_px, size_px, 3),
        )
        self._head = tf.keras.layers.Dense(dim)
        self._head.build([None, self._backbone.output_shape[-1]])
        draw_kernels(self._backbone.trainable_variables + self._head.trainable_variables, seed)
        layers = keras_cv.layers
        # Together zoom and shift are a random crop. KerasCV's own crop draws for each picture in a
        # race.
        self._augment = [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomZoom((-_ZOOM_IN, 0.0), seed=seed + 1),
            layers.RandomTranslation(_SHIFT, _SHIFT, seed=seed + 2),
            layers.RandomBrightness(factor=_COLOUR_CHANGE, value_range=(0, 255), seed=seed + 3),
            layers.RandomContrast(factor=_COLOUR_CHANGE, value_range=(0, 255), seed=seed + 4),
        ]

    def prepare(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.cast(inputs, tf.float32)

    def view(self, prepared: tf.Tensor) -> tf.Tensor:
        for layer in self._augment:
            prepared = layer(prepared, training=True)
        return tf.ensure_shape(prepared, self.input_spec.shape)

    def features(self, prepared: tf.Tensor, training: bool) -> tf.Tensor:
        maps = self._backbone((prepared - 127.0) / 128.0, training=training)
        return self._head(tf.reduce_mean(maps, axis=[1, 2]))
