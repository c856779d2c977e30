"""Generalised binary cross entropy: each candidate is judged on its own, and sampling is made up
for.

With few negatives of many, plain binary cross entropy learns that nearly everything is taken. Here
a positive counts as often as its item would have been drawn as a negative, which brings the
probabilities back to those of the whole corpus.
"""

import tensorflow as tf


def gbce_beta(sampling_rate: tf.Tensor | float, calibration: float) -> tf.Tensor | float:
    """The weight of a positive.

    `beta(t) = a (t (1 - 1/a) + 1/a)`, which is `t (a - 1) + 1` (Petrov and Macdonald, gSASRec:
    Reducing overconfidence in sequential recommendation trained with negative sampling, 2023,
    where gBCE is parametrised): 1, plain binary cross entropy, at `t = 0`, and `a`, calibrated, at
    `t = 1`.

    Args:
        sampling_rate: `a`, any shape, above 0: how often an item is expected among the negatives.
            Drawn more than once an item counts as often, so that it may exceed 1.
        calibration: `t`, from 0 to 1.
    """
    return calibration * (sampling_rate - 1.0) + 1.0


def gbce(
    positive_logits: tf.Tensor,
    negative_logits: tf.Tensor,
    allowed: tf.Tensor,
    sampling_rate: tf.Tensor | float,
    calibration: float,
) -> tf.Tensor:
    """`-(log sigmoid(s+)^beta + sum_i log(1 - sigmoid(s_i))) / (negatives + 1)`, a value per query.

    Petrov and Macdonald, 2023, the definition of gBCE. They draw uniformly and have one rate; where
    items are drawn unequally each positive takes the rate of its own item, and at `calibration` 1
    the loss is least where `sigmoid(s)` is the probability that the query takes the item.

    Args:
        positive_logits: `[queries]`.
        negative_logits: `[queries, negatives]`.
        allowed: `[queries, negatives]` bool; where False a negative takes no part. The divisor
            stays, so that queries count alike.
        sampling_rate: of each positive's item, `[queries]`, or one for all; see `gbce_beta`.
        calibration: see `gbce_beta`.

    Returns:
        `[queries]`, not negative.
    """
    positive = gbce_beta(sampling_rate, calibration) * tf.math.softplus(-positive_logits)
    negatives = tf.where(allowed, tf.math.softplus(negative_logits), 0.0)
    size = tf.cast(tf.shape(negative_logits)[1], positive.dtype)
    return (positive + tf.reduce_sum(negatives, axis=1)) / (size + 1.0)
