"""Trains a small encoder without labels: two random views of one input are told from those of
others.

The loss is NT-Xent (Chen et al., SimCLR, 2020, equation 1) on a projection that is thrown away
afterwards.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.trainable import TrainableEncoder, draw_kernels
from tfrs_mm.progress import Progress

MIN_ITEMS = 8
_TEMPERATURE = 0.2
_LEARNING_RATE = 2e-3
_PROJECTION_DIM = 32
_LEAST_STEPS = 40


def train_small_encoder(
    encoder: TrainableEncoder, items: Sequence[np.ndarray], epochs: int, batch_size: int, seed: int
) -> float:
    """Trains in place, then takes the statistics that the encoder needs when it serves.

    Args:
        encoder: of any modality, as it was built.
        items: `[n, ...]` inputs of each item; of several parts one is drawn each time.
        epochs: passes over the items; more where the catalogue is so small that they are few steps.
        batch_size: items at a time; fewer where there are fewer. All others of the batch are
            negatives.
        seed: of the order and of the parts drawn.

    Returns:
        The mean loss of the last epoch.
    """
    generator = np.random.default_rng(seed)
    batch_size = min(batch_size, len(items))
    steps = len(items) // batch_size
    epochs = max(epochs, -(-_LEAST_STEPS // steps))
    everything = np.arange(len(items))
    encoder.count(_draw_parts(encoder, items, everything, generator))
    step = _training_step(encoder, seed)
    losses: list[float] = []
    with Progress(f"train {encoder.name}", total=epochs * steps, unit="steps") as progress:
        for _ in range(epochs):
            order = generator.permutation(len(items))[: steps * batch_size].reshape(
                steps, batch_size
            )
            losses = []
            for rows in order:
                losses.append(float(step(_draw_parts(encoder, items, rows, generator))))
                progress.advance(note=f"loss {losses[-1]:.3f}")
    _take_statistics(
        encoder,
        [
            _draw_parts(encoder, items, everything[start : start + batch_size], generator)
            for start in range(0, len(items), batch_size)
        ],
    )
    return float(np.mean(losses))


def nt_xent(first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """Mean cross-entropy of finding, among all other views, the other view of the same input.

    Args:
        first: `[batch, dim]`, one view of each input.
        second: `[batch, dim]`, the other view, in the same order.
        temperature: what cosine similarities are divided by.

    Returns:
        A scalar.
    """
    views = tf.math.l2_normalize(tf.concat([first, second], axis=0), axis=1)
    rows = tf.shape(views)[0]
    logits = tf.matmul(views, views, transpose_b=True) / temperature
    logits = tf.where(tf.eye(rows, dtype=tf.bool), -1e9, logits)  # no view is its own other
    partner = tf.math.floormod(tf.range(rows) + rows // 2, rows)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits))


def _training_step(encoder: TrainableEncoder, seed: int) -> tf.types.experimental.GenericFunction:
    projection = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(encoder.dim, activation="relu", input_shape=(encoder.dim,)),
            tf.keras.layers.Dense(_PROJECTION_DIM),
        ]
    )
    draw_kernels(projection.trainable_variables, seed)
    variables = list(encoder.trainable_variables) + projection.trainable_variables
    optimizer = tf.keras.optimizers.Adam(_LEARNING_RATE)
    optimizer.build(variables)

    @tf.function
    def step(inputs: tf.Tensor) -> tf.Tensor:
        tf.compat.v1.set_random_seed(seed)  # of this graph only, for operations that take no seed
        prepared = encoder.prepare(inputs)
        views = encoder.view(tf.concat([prepared, prepared], axis=0))
        with tf.GradientTape() as tape:
            projected = projection(encoder.features(views, training=True))
            first, second = tf.split(projected, 2)
            loss = nt_xent(first, second, _TEMPERATURE)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step


def _take_statistics(encoder: TrainableEncoder, batches: Sequence[tf.Tensor]) -> None:
    """Batch norms and the centre, averaged over the inputs as they are.

    Running averages lag far behind after a short training (Wu and Johnson, Rethinking "Batch" in
    BatchNorm, 2021).
    """
    for index, inputs in enumerate(batches):
        for layer in encoder.batch_norms():
            layer.momentum = index / (index + 1)  # the plain mean over the batches so far
        encoder.features(encoder.prepare(inputs), training=True)
    features = [encoder.features(encoder.prepare(inputs), training=False) for inputs in batches]
    encoder.centre.assign(tf.reduce_mean(tf.concat(features, axis=0), axis=0))


def _draw_parts(
    encoder: TrainableEncoder,
    items: Sequence[np.ndarray],
    rows: np.ndarray,
    generator: np.random.Generator,
) -> tf.Tensor:
    """One part of each of these items, `[rows, ...]`."""
    parts = [items[row][generator.integers(len(items[row]))] for row in rows]
    return tf.constant(parts if encoder.input_spec.dtype == tf.string else np.stack(parts))
