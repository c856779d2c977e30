"""MusiCNN: convolutions shaped like timbres (wide in frequency) and rhythms (long in time).

Pons and Serra, musicnn: pre-trained convolutional neural networks for music audio tagging, 2019.
The embedding is the layer before the tags.
"""

import os

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.base import Encoder

_EPSILON = 1e-3
_PATCH_FRAMES, _NUM_MELS = 187, 96


class MusicnnAudioEncoder(Encoder):
    """Log-mel patches of 3 s to `[batch, 200]`: `[batch, 187, 96]` float32."""

    def __init__(self, checkpoint_dir: str | os.PathLike[str]) -> None:
        """Reads the published TensorFlow 1 checkpoint."""
        super().__init__(name="musicnn")
        reader = tf.compat.v1.train.NewCheckpointReader(f"{os.fspath(checkpoint_dir)}/")
        convolutions = [_numbered("conv2d", index) for index in range(8)]
        self._kernels = [
            _variable(reader.get_tensor(f"{name}/kernel"), name) for name in convolutions
        ]
        self._biases = [_variable(reader.get_tensor(f"{name}/bias"), name) for name in convolutions]
        # A batch norm that does not learn any more is a scale and an offset.
        self._scales, self._offsets = [], []
        for index in range(11):
            name = _numbered("batch_normalization", index)
            gamma, beta, mean, variance = (
                reader.get_tensor(f"{name}/{part}")
                for part in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            scale = gamma / np.sqrt(variance + _EPSILON)
            self._scales.append(_variable(scale, name))
            self._offsets.append(_variable(beta - mean * scale, name))
        self._dense_kernel = _variable(reader.get_tensor("dense/kernel"), "dense")
        self._dense_bias = _variable(reader.get_tensor("dense/bias"), "dense")
        self.dim = int(self._dense_kernel.shape[1])
        self.input_spec = tf.TensorSpec([None, _PATCH_FRAMES, _NUM_MELS], tf.float32)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        front = self._front(self._norm(inputs[..., None], 0))
        maps = self._middle(front)
        pooled = tf.stack([tf.reduce_max(maps, axis=1), tf.reduce_mean(maps, axis=1)], axis=2)
        # The published network concatenates the two on the channel axis before it flattens them.
        flat = tf.reshape(pooled, [-1, 2 * maps.shape[2]])
        hidden = tf.nn.relu(self._norm(flat, 9) @ self._dense_kernel + self._dense_bias)
        return self._norm(hidden, 10)

    def _front(self, frames: tf.Tensor) -> tf.Tensor:
        """`[batch, time, mel, 1]` to `[batch, time, 561]`: the largest answer over frequencies."""
        padded = tf.pad(frames, [[0, 0], [3, 3], [0, 0], [0, 0]])
        answers = []
        for index in (0, 1):
            timbre = tf.nn.conv2d(padded, self._kernels[index], strides=1, padding="VALID")
            answers.append(self._largest(timbre, 2, index))
        # A rhythm's kernel is one mel wide: every mel is a sequence of its own, which is faster.
        times, mels = frames.shape[1], frames.shape[2]
        sequences = tf.reshape(tf.transpose(frames[..., 0], [0, 2, 1]), [-1, times, 1])
        for index in (2, 3, 4):
            rhythm = tf.nn.conv1d(sequences, self._kernels[index][:, 0], stride=1, padding="SAME")
            rhythm = tf.reshape(rhythm, [-1, mels, times, rhythm.shape[-1]])
            answers.append(self._largest(rhythm, 1, index))
        return tf.concat(answers, axis=-1)

    def _largest(self, answer: tf.Tensor, axis: int, index: int) -> tf.Tensor:
        """Bias, relu, batch norm, then the maximum over `axis`, with the maximum taken first.

        Each step rises or falls with its input, so only the extremes matter: the smallest where the
        batch norm's scale is negative. That saves four passes over the largest arrays.
        """
        highest, lowest = tf.reduce_max(answer, axis=axis), tf.reduce_min(answer, axis=axis)
        extreme = tf.where(self._scales[index + 1] >= 0, highest, lowest)
        return self._norm(tf.nn.relu(extreme + self._biases[index]), index + 1)

    def _middle(self, front: tf.Tensor) -> tf.Tensor:
        """`[batch, time, 561]` to `[batch, time, 561 + 3 * 64]`: front end and all three layers."""
        first = self._over_time(front, 5)
        second = self._over_time(first, 6) + first
        third = self._over_time(second, 7) + second
        return tf.concat([front, first, second, third], axis=-1)

    def _over_time(self, maps: tf.Tensor, index: int) -> tf.Tensor:
        """Convolves 7 steps of time and all channels, `[batch, time, channels]` to `[.., 64]`."""
        padded = tf.pad(maps, [[0, 0], [3, 3], [0, 0]])
        answer = tf.nn.conv2d(padded[..., None], self._kernels[index], strides=1, padding="VALID")
        return self._norm(tf.nn.relu(answer[:, :, 0] + self._biases[index]), index + 1)

    def _norm(self, values: tf.Tensor, index: int) -> tf.Tensor:
        return values * self._scales[index] + self._offsets[index]


def _numbered(name: str, index: int) -> str:
    return name if index == 0 else f"{name}_{index}"


def _variable(value: np.ndarray, name: str) -> tf.Variable:
    return tf.Variable(value, trainable=False, name=name)
