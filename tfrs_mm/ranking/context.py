"""What is known of the user and the moment besides the history, as the ranker takes it.

This file knows numbers alone; what they are of is up to those who make them.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

CONTEXT = "context"
FAVOURITES, FAVOURITE_WEIGHTS = "favourites", "favourite_weights"


@dataclasses.dataclass(frozen=True)
class ContextSpec:
    """The shape of a context.

    Attributes:
        size: numbers of `context`, `[batch, size]`.
        top: of `favourites`, `[batch, top]` int32 rows of a category, and of
            `favourite_weights`, the same shape; 0 where there are none.
        category: the column of items that the favourites are of.
    """

    size: int
    top: int = 0
    category: str = ""

    def blank(self, batch: int) -> dict[str, tf.Tensor]:
        """The inputs of a batch that nothing is known of."""
        blank = {CONTEXT: tf.zeros([batch, self.size])}
        if self.top:
            blank[FAVOURITES] = tf.zeros([batch, self.top], tf.int32)
            blank[FAVOURITE_WEIGHTS] = tf.zeros([batch, self.top])
        return blank


def context_features(
    spec: ContextSpec,
    inputs: Mapping[str, tf.Tensor],
    categories: tf.Tensor | None,
    neutral: tf.Tensor,
) -> tf.Tensor:
    """The context beside each candidate, and how much the user favours what the candidate is.

    Cross layers make the crossings of the context with all else; favourites are crossed here, for
    the ranker does not know that a row of theirs is a row of the candidate's.

    Args:
        spec: of the context.
        inputs: of the ranker; where they lack a context, `neutral` stands for it.
        categories: `[batch, k, width]` int32 rows of the candidates, 0 for none; None without
            favourites.
        neutral: `[size]`, a context that says nothing.

    Returns:
        `[batch, k, size]`, or `[batch, k, 1 + size]` with the favourites' share in front: the
        weight of the user's favourites that the candidate is of, between 0 and 1.
    """
    lead = tf.shape(inputs["candidates"])
    given = inputs.get(CONTEXT)
    if given is None:
        given = tf.broadcast_to(neutral, [lead[0], spec.size])
    parts = [tf.broadcast_to(given[:, None, :], [lead[0], lead[1], spec.size])]
    if categories is not None:
        blank = spec.blank(1)
        rows = inputs.get(FAVOURITES, blank.get(FAVOURITES))[:, None, :]
        weights = inputs.get(FAVOURITE_WEIGHTS, blank.get(FAVOURITE_WEIGHTS))[:, None, :]
        equal = tf.equal(categories[..., None], rows[:, :, None, :]) & (rows > 0)[:, :, None, :]
        hit = tf.cast(tf.reduce_any(equal, axis=2), tf.float32)
        total = tf.reduce_sum(weights, axis=-1)
        share = tf.math.divide_no_nan(tf.reduce_sum(hit * weights, axis=-1), total)
        parts.insert(0, share[..., None])
    return tf.concat(parts, axis=-1)
