"""Losses over one positive and its negatives: of each place, of each pair, or of the whole list.

All take the same arguments: `logits` `[batch, k]`, the positive's at place 0; `allowed`
`[batch, k]` bool, False at an empty place, which takes no part; and `is_positive` `[batch]` bool,
for a task that only some positives are positives of, where None is all of them. Each gives
`[batch]`, and 0 where nothing can be learnt.
"""

import tensorflow as tf

_FLOOR = -1e9  # finite: the gradient of log-sum-exp at -inf is NaN


def pointwise(
    logits: tf.Tensor, allowed: tf.Tensor, is_positive: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean sigmoid cross entropy of the places: logits become log-odds.

    A positive of another task is a negative here.
    """
    at_first = tf.one_hot(tf.zeros_like(allowed[:, 0], tf.int32), logits.shape[1], dtype=tf.float32)
    labels = at_first if is_positive is None else at_first * _column(is_positive)
    entropies = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    counted = tf.cast(allowed, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(entropies * counted, 1), tf.reduce_sum(counted, 1))


def pairwise(
    logits: tf.Tensor, allowed: tf.Tensor, is_positive: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean logistic loss of the pairs of the positive and each negative.

    Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback, 2009, section 4.1:
    `-ln sigmoid(x_positive - x_negative)`. Of a list without an own positive no pair is known.
    """
    losses = tf.math.softplus(logits[:, 1:] - logits[:, :1])
    pairs = allowed[:, 1:] & allowed[:, :1]
    counted = tf.cast(pairs if is_positive is None else pairs & is_positive[:, None], tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * counted, 1), tf.reduce_sum(counted, 1))


def listwise(
    logits: tf.Tensor, allowed: tf.Tensor, is_positive: tf.Tensor | None = None
) -> tf.Tensor:
    """Softmax cross entropy of the positive against the whole list.

    Cao et al., Learning to Rank: From Pairwise Approach to Listwise Approach, 2007, section 4.2,
    with one relevant item. A list without an own positive has no loss.
    """
    logits = tf.where(allowed, logits, _FLOOR)
    losses = tf.reduce_logsumexp(logits, axis=1) - logits[:, 0]
    return losses if is_positive is None else tf.where(is_positive, losses, 0.0)


def _column(flags: tf.Tensor) -> tf.Tensor:
    return tf.cast(flags, tf.float32)[:, None]
