"""What every index gives: for each query the best rows of the corpus, without those excluded."""

from typing import NamedTuple, Protocol

import tensorflow as tf

from tfrs_mm.index.equal_rows import is_among


class TopKRows(NamedTuple):
    """The best rows of each query, best first.

    Attributes:
        rows: `[batch, k]` int32; 0 marks a place that could not be filled.
        scores: `[batch, k]` float32; -inf at such a place.
    """

    rows: tf.Tensor
    scores: tf.Tensor


class TopKIndex(Protocol):
    """Searches a corpus of item vectors by inner product."""

    def search(self, queries: tf.Tensor, excluded: tf.Tensor, k: int) -> TopKRows:
        """The k best rows that are not excluded.

        Args:
            queries: `[batch, dim]` float32.
            excluded: `[batch, n]` int32 rows that must not come back; 0 excludes nothing.
            k: how many; a static number.
        """


def take_best(rows: tf.Tensor, scores: tf.Tensor, excluded: tf.Tensor, k: int) -> TopKRows:
    """The k best of a list that was fetched before its exclusions were known.

    Args:
        rows: `[batch, fetched]` int32, 0 for none.
        scores: `[batch, fetched]`.
        excluded: `[batch, n]` int32, 0 for none.
        k: how many; places beyond what is left are empty.
    """
    scores = tf.where(is_among(rows, excluded) | (rows == 0), float("-inf"), scores)
    missing = max(k - rows.shape[1], 0)
    rows = tf.pad(rows, [[0, 0], [0, missing]])
    scores = tf.pad(scores, [[0, 0], [0, missing]], constant_values=float("-inf"))
    best, places = tf.math.top_k(scores, k=k)
    found = tf.gather(rows, places, batch_dims=1)
    return TopKRows(tf.where(tf.math.is_inf(best), 0, found), best)
