"""Where candidates come from: the two towers, item-to-item statistics, and lists that are the same
for everybody.

Contract of every source: `find` gives the best rows of a request by scores of the source's own,
none of them excluded; `score` gives the same scores of rows that are asked for, -inf where the
source would never return one. In training `own_event` says with what weight statistics know the
very event that is asked about; it is taken away.
"""

from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from tfrs_mm.index import TopKIndex, TopKRows, search_interests, sum_equal, take_best
from tfrs_mm.ranking import TransitionTables
from tfrs_mm.retrieval import candidate_scores

_SPARE = 4  # times as many items as asked for stand in a list, since some will be excluded


class Request(NamedTuple):
    """Queries of a batch and what is known of them.

    Attributes:
        query: `[batch, dim]`, or `[batch, interests, dim]` of several interests.
        history: `[batch, time]` int32, oldest first, right-padded with 0.
        excluded: `[batch, n]` int32, 0 for none.
        bucket: `[batch]` int32, up to the start of which popularity is known.
    """

    query: tf.Tensor
    history: tf.Tensor
    excluded: tf.Tensor
    bucket: tf.Tensor


class CandidateSource(Protocol):
    """See the file."""

    name: str
    size: int

    def find(self, request: Request) -> TopKRows:
        """The `size` best rows of every request."""

    def score(self, request: Request, rows: tf.Tensor, own_event: tf.Tensor) -> tf.Tensor:
        """`[batch, k]` rows to their scores; `own_event` is `[batch, k]`."""


class TowerSource(tf.Module):
    """What the two towers find."""

    def __init__(self, index: TopKIndex, item_vectors: tf.Variable, size: int) -> None:
        """Takes an index over the vectors, `[items + 1, dim]`, and how many rows are found."""
        super().__init__(name="two_tower")
        self.index, self._vectors, self.size = index, item_vectors, size

    def find(self, request: Request) -> TopKRows:
        """See `CandidateSource`."""
        return search_interests(self.index, request.query, request.excluded, self.size)

    def score(self, request: Request, rows: tf.Tensor, own_event: tf.Tensor) -> tf.Tensor:
        """Inner products, of several interests the largest."""
        del own_event
        return candidate_scores(request.query, tf.gather(self._vectors, rows))


class TransitionSource(tf.Module):
    """Where the last items of a history lead to by one kind of item-to-item statistics."""

    def __init__(self, name: str, tables: TransitionTables, size: int) -> None:
        """Takes the statistics, and which kind of them is meant."""
        super().__init__(name=name)
        self._tables, self.size = tables, size

    def find(self, request: Request) -> TopKRows:
        """See `CandidateSource`."""
        rows, shares = self._tables.reached(self.name, request.history)
        is_first, totals = sum_equal(rows, shares)
        scores = tf.where(is_first & (totals > 0), totals, float("-inf"))
        return take_best(rows, scores, request.excluded, self.size)

    def score(self, request: Request, rows: tf.Tensor, own_event: tf.Tensor) -> tf.Tensor:
        """Shares, what the event itself adds to them taken away; -inf for none."""
        total, _ = self._tables.totals(self.name, request.history, rows, own_event)
        return tf.where(total > 0, total, float("-inf"))


class ListSource(tf.Module):
    """The same items for everybody, as they stood at the time of the request."""

    def __init__(self, name: str, lists: np.ndarray, size: int) -> None:
        """Takes `[buckets + 1, n]` int32 rows, best first, and how many of them are found."""
        super().__init__(name=name)
        self._lists = tf.Variable(lists, trainable=False, name="lists")
        self.size = size

    @staticmethod
    def length(size: int) -> int:
        """How long lists should be for `size` rows to be found in them."""
        return _SPARE * size

    def find(self, request: Request) -> TopKRows:
        """See `CandidateSource`; scores are -1, -2 and so on by the place in the list."""
        rows = tf.gather(self._lists, request.bucket)
        scores = -1.0 - tf.range(self._lists.shape[1], dtype=tf.float32)
        scores = tf.broadcast_to(scores, tf.shape(rows))
        return take_best(rows, scores, request.excluded, self.size)

    def score(self, request: Request, rows: tf.Tensor, own_event: tf.Tensor) -> tf.Tensor:
        """By the place in the list; -inf for what is not in it."""
        del own_event
        lists = tf.gather(self._lists, request.bucket)
        equal = (lists[:, None, :] == rows[:, :, None]) & (rows[:, :, None] > 0)
        place = tf.cast(tf.argmax(equal, axis=-1), tf.float32)
        return tf.where(tf.reduce_any(equal, axis=-1), -1.0 - place, float("-inf"))


def would_return(found: TopKRows, scores: tf.Tensor) -> tf.Tensor:
    """Whether a source would have returned rows that it was told to leave out.

    Args:
        found: what it returned.
        scores: `[batch, k]`, what it gives the rows.

    Returns:
        `[batch, k]` bool.
    """
    # The worst place has -inf where not all are filled.
    return (scores >= found.scores[:, -1:]) & (scores > float("-inf"))
