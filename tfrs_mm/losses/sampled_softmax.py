"""Softmax over the positive and shared sampled negatives: temperature, logQ correction, masks.

The model that calls it says which candidates were drawn with which expected count and which pairs
must not compete; this file only computes.
"""

import tensorflow as tf


def correct_for_sampling(logits: tf.Tensor, log_q: tf.Tensor) -> tf.Tensor:
    """Subtracts log Q, so that the softmax over a sample estimates the one over the corpus.

    Yi et al., Sampling-bias-corrected neural modeling for large corpus item recommendations, 2019,
    section 3: `s^c(x, y) = s(x, y) - log p`.

    Args:
        logits: `[..., candidates]`.
        log_q: log of the expected number of times each candidate is drawn, broadcast to `logits`.
    """
    return logits - log_q


def sampled_softmax(
    positive_logits: tf.Tensor, negative_logits: tf.Tensor, allowed: tf.Tensor
) -> tf.Tensor:
    """`-log softmax` of the positive against the allowed negatives, one value per query.

    Args:
        positive_logits: `[queries]`.
        negative_logits: `[queries, negatives]`.
        allowed: `[queries, negatives]` bool; where False a negative takes no part. A query may have
            none allowed: its loss is 0.

    Returns:
        `[queries]`, not negative.
    """
    # A finite floor, not -inf: the gradient of log-sum-exp at -inf is NaN.
    floor = tf.constant(-1e9, negative_logits.dtype)
    negatives = tf.where(allowed, negative_logits, floor)
    log_sum = tf.reduce_logsumexp(tf.concat([positive_logits[:, None], negatives], axis=1), axis=1)
    return log_sum - positive_logits


def same_item(rows: tf.Tensor, other_rows: tf.Tensor) -> tf.Tensor:
    """Where two lists of items hold the same one: accidental hits among the negatives.

    Args:
        rows: `[queries]` integer.
        other_rows: `[candidates]` integer.

    Returns:
        `[queries, candidates]` bool.
    """
    return tf.equal(rows[:, None], other_rows[None, :])


def any_of(histories: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Where a candidate occurs in a history.

    Args:
        histories: `[batch, time]` integer; padding is 0.
        rows: `[candidates]` integer.

    Returns:
        `[batch, candidates]` bool.
    """
    return tf.reduce_any(tf.equal(histories[:, :, None], rows[None, None, :]), axis=1)


def first_of_each(rows: tf.Tensor) -> tf.Tensor:
    """The places of a list that name every item once, of static size.

    Args:
        rows: `[n]` integer; 0 and below is no item.

    Returns:
        `[n]` bool.
    """
    places = tf.range(tf.shape(rows)[0])
    earlier = places[None, :] < places[:, None]
    return (rows > 0) & ~tf.reduce_any(same_item(rows, rows) & earlier, axis=1)
