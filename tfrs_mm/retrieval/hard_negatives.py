"""Hard negatives: each positive meets one more candidate, of a few that are hard to tell from it.

They are the target's nearest items, found anew after each epoch (Xiong et al., Approximate nearest
neighbor negative contrastive learning for dense text retrieval, 2021, who search by the query), or
what the user disliked. Whoever trains fills the table; here one is drawn and its Q is told.

A query meets its own hard candidates more often than others do, so its Q is its own as well: what
is drawn of `n` candidates comes 1 / n times more often than the mixture draws it. With that the
softmax over the sample still estimates the one over the corpus, only with less noise where it
matters.
"""

import numpy as np
import tensorflow as tf

from tfrs_mm.retrieval.negatives import NEVER


class HardNegatives:
    """A table of candidates, of each target item or of each user.

    It is no weight: it is kept behind this plain object, so that runs and exports do not carry it.
    """

    def __init__(self, num_rows: int, size: int, by_user: bool, seed: int) -> None:
        """Makes an empty table, of which nothing is drawn.

        Args:
            num_rows: of items or of users, the unknown one included.
            size: candidates of a row.
            by_user: whether rows are users.
            seed: of the draws.
        """
        self.by_user, self._seed, self._shape = by_user, seed, (num_rows, size)
        self._table = tf.Variable(tf.fill(self._shape, NEVER), trainable=False, name="hard/table")
        self.variables = [self._table]

    def fill(self, table: np.ndarray) -> None:
        """Takes the candidates of each row.

        Args:
            table: `[num_rows, size]` int32; `NEVER` at an empty place.
        """
        self._table.assign(table)

    def of(self, rows: tf.Tensor) -> tf.Tensor:
        """The candidates of targets or users, `[n]` to `[n, size]`."""
        return tf.gather(self._table, rows)

    def draw(self, candidates: tf.Tensor) -> tf.Tensor:
        """One candidate of each row, `[n, size]` to `[n]`; `NEVER` where there is none."""
        keys = tf.random.uniform(tf.shape(candidates), seed=self._seed)
        chosen = tf.argmax(tf.where(candidates != NEVER, keys, -1.0), axis=1)
        return tf.gather(candidates, chosen, batch_dims=1)


def log_q_of_each_query(
    candidates: tf.Tensor,
    drawn: tf.Tensor,
    rows: tf.Tensor,
    log_q: tf.Tensor,
    log_q_of_drawn: tf.Tensor,
    replicas: int,
) -> tf.Tensor:
    """Log Q of shared negatives and of the hard one, as each query meets them.

    Args:
        candidates: `[queries, size]`.
        drawn: `[queries]`, of `HardNegatives.draw`.
        rows: `[n]` integer, the shared negatives.
        log_q: `[n]`, by which they are shared.
        log_q_of_drawn: `[queries]`, by which what was drawn is among the shared ones.
        replicas: of whose draws `log_q` is one's share.

    Returns:
        `[queries, n + 1]`, the hard one last.
    """
    of_shared = tf.exp(log_q)[None, :] + further_draws(candidates, rows) / replicas
    of_drawn = (
        tf.exp(log_q_of_drawn)[:, None] + further_draws(candidates, drawn[:, None]) / replicas
    )
    return tf.math.log(tf.concat([of_shared, of_drawn], axis=1))


def further_draws(candidates: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """How often each query is expected to draw an item of `rows` as its hard negative.

    Args:
        candidates: `[queries, size]`, of each query.
        rows: `[n]` integer, or `[queries, n]` where every query has its own.

    Returns:
        `[queries, n]` float32: 1 / candidates where it is one of them, else 0.
    """
    rows = rows[None, :] if rows.shape.rank == 1 else rows
    # One comparison after the other: all at once would take `size` times the memory.
    first, *others = tf.unstack(candidates[:, :, None], axis=1)
    is_candidate = tf.equal(first, rows)
    for candidate in others:
        is_candidate |= tf.equal(candidate, rows)
    is_candidate &= rows != NEVER
    count = tf.reduce_sum(tf.cast(candidates != NEVER, tf.float32), axis=1, keepdims=True)
    return tf.where(is_candidate, tf.math.divide_no_nan(1.0, count), 0.0)
