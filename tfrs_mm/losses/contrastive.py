"""Losses that bring two embeddings of the same thing together: alignment of modalities.

Each takes two lists of embeddings in which row i of one and row i of the other show the same item,
and which of the pairs there are. A pair that is missing, because the item lacks a modality, is
neither an example nor a negative of another; what stands there has no meaning. All embeddings are
brought to length 1, so an inner product is a cosine. Where all pairs are missing every loss is 0.
"""

import tensorflow as tf


def info_nce(left: tf.Tensor, right: tf.Tensor, paired: tf.Tensor, temperature: float) -> tf.Tensor:
    """The mean negative log share of each embedding's partner among all, in both directions.

    `-1/2 log softmax_j(<l_i, r_j> / t)_i - 1/2 log softmax_j(<r_i, l_j> / t)_i` (van den Oord et
    al., Representation learning with contrastive predictive coding, 2018, equation 4; in both
    directions as in Radford et al., CLIP, 2021).

    Args:
        left: `[n, dim]`.
        right: `[n, dim]`.
        paired: `[n]` bool.
        temperature: above 0.

    Returns:
        A scalar, not negative.
    """
    logits = _cosines(left, right, paired) / temperature
    both = paired[:, None] & paired[None, :]
    # A finite floor, not -inf: the gradient of log-sum-exp at -inf is NaN.
    logits = tf.where(both, logits, tf.constant(-1e9, logits.dtype))
    positive = tf.linalg.diag_part(logits)
    found = tf.reduce_logsumexp(logits, axis=1) + tf.reduce_logsumexp(logits, axis=0)
    return masked_mean(0.5 * found - positive, paired)


def pairwise_sigmoid(
    left: tf.Tensor,
    right: tf.Tensor,
    paired: tf.Tensor,
    temperature: float,
    bias: tf.Tensor | float,
) -> tf.Tensor:
    """Tells for every two embeddings on its own whether they belong together.

    `-1/n sum_i sum_j log sigmoid(z_ij (<l_i, r_j> / t + b))` with `z_ij` 1 for partners and else -1
    (Zhai et al., Sigmoid loss for language image pre-training, 2023, equation 1). No embedding
    competes with another, so the loss suits small batches and items that resemble each other.

    Args:
        left: `[n, dim]`.
        right: `[n, dim]`.
        paired: `[n]` bool.
        temperature: above 0.
        bias: scalar; the paper learns it from -10 on, because nearly all pairs do not belong
            together.

    Returns:
        A scalar, not negative.
    """
    logits = _cosines(left, right, paired) / temperature + bias
    partners = tf.eye(tf.shape(paired)[0], dtype=logits.dtype)
    losses = tf.nn.softplus(-(2.0 * partners - 1.0) * logits)
    losses = tf.where(paired[:, None] & paired[None, :], losses, 0.0)
    return masked_mean(tf.reduce_sum(losses, axis=1), paired)


def cosine_distance(predicted: tf.Tensor, target: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
    """`1 - cos(predicted, target)`, which moves the prediction only: alignment without negatives.

    The target's gradient is stopped and the prediction goes through a layer of its own, without
    which both could become the same constant (Chen and He, Exploring simple Siamese representation
    learning, 2021, equation 1; Zhou et al., Bootstrap latent representations for multi-modal
    recommendation, 2023, for modalities and ids). Called in both directions it aligns both.

    Args:
        predicted: `[n, dim]`.
        target: `[n, dim]`.
        paired: `[n]` bool.

    Returns:
        A scalar between 0 and 2.
    """
    cosines = tf.reduce_sum(
        _unit(predicted, paired) * tf.stop_gradient(_unit(target, paired)), axis=-1
    )
    return masked_mean(1.0 - cosines, paired)


def agreement_penalty(decisions: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """The mean variance of what the modalities of one pair of query and item decide.

    `1/|S| sum_{m in S} (s_m - mean_S s)^2` over the present modalities `S`, which is the sum of
    `(s_m - s_k)^2` over all pairs of them, divided by `|S|^2`: what one modality knows teaches the
    others (Sindhwani et al., A co-regularization approach to semi-supervised learning with multiple
    views, 2005).

    Args:
        decisions: `[n, modality]`, one score of each modality.
        present: `[n, modality]` bool; rows with fewer than two take no part.

    Returns:
        A scalar, not negative.
    """
    several = tf.reduce_sum(tf.cast(present, tf.int32), axis=1) >= 2
    weights = tf.cast(present, decisions.dtype)
    count = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    decisions = tf.where(present, decisions, 0.0)
    mean = tf.reduce_sum(decisions, axis=1, keepdims=True) / count
    variance = tf.reduce_sum(weights * (decisions - mean) ** 2, axis=1) / count[:, 0]
    return masked_mean(variance, several)


def masked_mean(losses: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean of `losses`, `[n]`, where `mask` is True; 0 where it is True nowhere."""
    weights = tf.cast(mask, losses.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.where(mask, losses, 0.0)), tf.reduce_sum(weights))


def _cosines(left: tf.Tensor, right: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
    """`[n, n]`."""
    return tf.matmul(_unit(left, paired), _unit(right, paired), transpose_b=True)


def _unit(vectors: tf.Tensor, paired: tf.Tensor) -> tf.Tensor:
    """`vectors` of length 1, zeros where there is no pair."""
    return tf.math.l2_normalize(tf.where(paired[:, None], vectors, 0.0), axis=-1)
