"""Training a small encoder on a catalogue's own media, without any label.

Two views of an item are drawn together and away from the views of all other items of the batch: the
NT-Xent loss of Chen et al., A simple framework for contrastive learning, 2020, equation 1.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.small import SmallEncoder
from tfrs_mm.progress import tracked

MIN_ITEMS = 8
_TEMPERATURE = 0.2
_LEARNING_RATE = 0.002
_LEAST_STEPS = 40


def nt_xent(first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """The mean loss of telling each item's other view among all views.

    Args:
        first: `[batch, dim]`, one view of each item.
        second: `[batch, dim]`, the other.
        temperature: divides the cosines.
    """
    views = tf.math.l2_normalize(tf.concat([first, second], axis=0), axis=1)
    size = tf.shape(first)[0]
    logits = tf.matmul(views, views, transpose_b=True) / temperature
    logits = tf.linalg.set_diag(logits, tf.fill([2 * size], -1e9))
    other = tf.concat([tf.range(size) + size, tf.range(size)], axis=0)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(other, logits))


def train_small_encoder(
    encoder: SmallEncoder, arrays: Sequence[np.ndarray], epochs: int, batch_size: int, seed: int
) -> float:
    """Trains in place and returns the mean loss of the last epoch.

    Args:
        encoder: of any modality.
        arrays: `[n, ...]` inputs of each item; of several parts one is drawn each time.
        epochs: passes over the items; more where the catalogue is so small that they are few steps.
        batch_size: items at a time; fewer where there are fewer.
        seed: of the order and of the parts drawn.
    """
    generator = np.random.default_rng(seed)
    batch_size = min(batch_size, len(arrays))
    steps = len(arrays) // batch_size
    epochs = max(epochs, -(-_LEAST_STEPS // steps))
    optimizer = tf.keras.optimizers.Adam(_LEARNING_RATE)

    @tf.function(input_signature=[encoder.input_spec])
    def step(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            first, second = encoder.view(inputs), encoder.view(inputs)
            loss = nt_xent(encoder.embed_view(first), encoder.embed_view(second), _TEMPERATURE)
        variables = encoder.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses: list[float] = []
    for _ in tracked(range(epochs), f"train {encoder.name}", total=epochs, unit="epochs"):
        order = generator.permutation(len(arrays))[: steps * batch_size].reshape(steps, batch_size)
        losses = []
        for rows in order:
            parts = [arrays[row][generator.integers(len(arrays[row]))] for row in rows]
            inputs = tf.constant(parts) if encoder.input_spec.dtype == tf.string else tf.constant(np.stack(parts))
            losses.append(float(step(inputs)))
    return float(np.mean(losses))
