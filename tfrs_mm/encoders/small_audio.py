"""A small sound encoder to train on the catalogue: three convolutions over a log-mel patch."""

import tensorflow as tf

from tfrs_mm.encoders.quiet_imports import import_tensorflow_io
from tfrs_mm.encoders.trainable import TrainableEncoder, draw_kernels

_PATCH_FRAMES, _NUM_MELS = 187, 96
_CHANNELS = (16, 32, 64)
# The widest bands that a view hides (Park et al., SpecAugment, 2019), each twice.
_MASKED_MELS, _MASKED_FRAMES = 16, 40
_LOUDNESS_CHANGE = 0.2  # of the decimal logarithm of the power


class SmallAudioEncoder(TrainableEncoder):
    """`[batch, 187, 96]` float32 log-mel patches to `[batch, dim]`."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__(
            dim, tf.TensorSpec([None, _PATCH_FRAMES, _NUM_MELS], tf.float32), "small_audio"
        )
        keras = tf.keras
        layers = [keras.layers.BatchNormalization(input_shape=(_PATCH_FRAMES, _NUM_MELS, 1))]
        for index, channels in enumerate(_CHANNELS):
            strides = (4, 2) if index == 0 else (2, 2)
            layers += [
                keras.layers.Conv2D(
                    channels, (5, 5) if index == 0 else (3, 3), strides, use_bias=False
                ),
                keras.layers.BatchNormalization(),
                keras.layers.ReLU(),
            ]
        self._network = keras.Sequential(layers)
        self._head = keras.layers.Dense(dim)
        self._head.build([None, 2 * _CHANNELS[-1]])
        draw_kernels(self._network.trainable_variables + self._head.trainable_variables, seed)
        self._generator = tf.random.Generator.from_seed(seed)
        self._masks = import_tensorflow_io().audio

    def prepare(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs

    def view(self, prepared: tf.Tensor) -> tf.Tensor:
        change = self._generator.uniform(
            [tf.shape(prepared)[0], 1, 1], -_LOUDNESS_CHANGE, _LOUDNESS_CHANGE
        )
        # One after the other: the masks draw from the graph's own state, in an order that must not
        # vary.
        masked = tf.map_fn(self._mask, prepared + change, parallel_iterations=1)
        return tf.ensure_shape(masked, self.input_spec.shape)

    def _mask(self, patch: tf.Tensor) -> tf.Tensor:
        for _ in range(2):
            patch = self._masks.freq_mask(patch, param=_MASKED_MELS)
            patch = self._masks.time_mask(patch, param=_MASKED_FRAMES)
        return patch

    def features(self, prepared: tf.Tensor, training: bool) -> tf.Tensor:
        maps = self._network(prepared[..., None], training=training)
        pooled = [tf.reduce_mean(maps, axis=[1, 2]), tf.reduce_max(maps, axis=[1, 2])]
        return self._head(tf.concat(pooled, axis=1))
