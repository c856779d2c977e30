"""How strongly a history leads to each candidate by item-to-item statistics of the training range.

Counts know the events that the ranker learns from. So the share that the positive's own event has
in them is taken away again, and what is left is what all other events say; without that the ranker
would learn to trust figures that no event of the future has. Of a linear model nothing can be taken
away; while the ranker learns, there stands one that was fitted without its positives.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

NEWEST = 8  # items of a history that are looked up
HALF_LIFE = 3.0  # of these, after which a share counts half
_SMALLEST = 1e-4  # a share below it is as good as none; scores are logarithms
_FEATURES_OF_A_KIND = 2
# Of so many items at most what a history leads to is written out for all of them, to be looked up;
# of more, each candidate is compared with all neighbours.
_WRITTEN_OUT = 2**16


class ItemToItem(NamedTuple):
    """One kind of statistics.

    Attributes:
        neighbours: `[items + 1, top]` int32 rows, 0 for none.
        weights: `[items + 1, top]`.
        support: `[items + 1]`, the weight of all that an item leads to, which shares are of; None
            for a linear model, whose weights are taken as they are.
    """

    neighbours: np.ndarray
    weights: np.ndarray
    support: np.ndarray | None


class TransitionTables(tf.Module):
    """The neighbours of every item, by row, for as many kinds of statistics as there are."""

    def __init__(self, kinds: Mapping[str, ItemToItem], window: int, half_life: float) -> None:
        """Takes the tables.

        Args:
            kinds: by name, in the order of their features.
            window: steps that one user's items may be apart to be counted as a pair.
            half_life: steps after which such a pair counted half.
        """
        super().__init__()
        self._window, self._half_life = window, half_life
        self.names = list(kinds)
        self._kinds = [_Kind(kind) for kind in kinds.values()]

    @property
    def num_features(self) -> int:
        """Numbers that `features` gives for one candidate."""
        return _FEATURES_OF_A_KIND * len(self._kinds)

    def put(self, kinds: Mapping[str, ItemToItem]) -> None:
        """Replaces linear models by others of the same shapes."""
        for name, kind in kinds.items():
            place = self._kinds[self.names.index(name)]
            place.neighbours.assign(kind.neighbours)
            place.shares.assign(kind.weights)

    def reached(self, name: str, history: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Where a history leads to.

        Args:
            name: of the statistics.
            history: `[batch, time]` int32, oldest first, right-padded with 0.

        Returns:
            `[batch, n]` int32 rows, several times where several items lead to one, 0 for none, and
            `[batch, n]` the share that each gets, halved every `HALF_LIFE` steps back.
        """
        kind = self._kinds[self.names.index(name)]
        neighbours, shares = kind.neighbours, kind.shares
        newest = _newest_first(history, min(NEWEST, history.shape[1]))
        decay = 0.5 ** (tf.range(newest.shape[1], dtype=tf.float32) / HALF_LIFE)
        found = tf.where(newest[..., None] > 0, tf.gather(neighbours, newest), 0)
        share = tf.gather(shares, newest) * decay[:, None]
        size = newest.shape[1] * neighbours.shape[1]
        return tf.reshape(found, [-1, size]), tf.reshape(
            tf.where(found > 0, share, 0.0), [-1, size]
        )

    def totals(
        self,
        name: str,
        history: tf.Tensor,
        candidates: tf.Tensor,
        own_event: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The shares that go from a history to each candidate, and those from its last item.

        Args:
            name: of the statistics.
            history: `[batch, time]` int32, oldest first, right-padded with 0.
            candidates: `[batch, k]` int32.
            own_event: `[batch, k]`, see `features`.

        Returns:
            Two times `[batch, k]`; the first adds up as `reached` weighs.
        """
        neighbours = self._kinds[self.names.index(name)].neighbours
        if own_event is None and neighbours.shape[0] <= _WRITTEN_OUT:
            rows, shares = self.reached(name, history)
            newest = neighbours.shape[1]  # the first of `reached` are those of the last item
            return (
                _looked_up(rows, shares, candidates, neighbours.shape[0]),
                _looked_up(rows[:, :newest], shares[:, :newest], candidates, neighbours.shape[0]),
            )
        own_event = tf.zeros(tf.shape(candidates)) if own_event is None else own_event
        return self._compared(name, history, candidates, own_event)

    def _compared(
        self, name: str, history: tf.Tensor, candidates: tf.Tensor, own_event: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        newest = _newest_first(history, min(NEWEST, history.shape[1]))
        kind = self._kinds[self.names.index(name)]
        neighbours, shares, support = kind.neighbours, kind.shares, kind.support
        total, last = tf.zeros_like(own_event), None
        for step in range(newest.shape[1]):
            items = newest[:, step]
            equal = tf.gather(neighbours, items)[:, None, :] == candidates[:, :, None]
            share = tf.reduce_sum(
                tf.where(equal, tf.gather(shares, items)[:, None, :], 0.0), axis=-1
            )
            if support is not None:
                counted = 2.0 ** (-step / self._half_life) if step < self._window else 0.0
                own = own_event * counted
                own = tf.math.divide_no_nan(own, tf.gather(support, items)[:, None])
                share = tf.maximum(share - own, 0.0)
            known = (share > 0) & (candidates > 0) & (items > 0)[:, None]
            share = tf.where(known, share, 0.0)
            total += share * 2.0 ** (-step / HALF_LIFE)
            last = share if last is None else last
        return total, last

    def features(
        self, history: tf.Tensor, candidates: tf.Tensor, own_event: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The logarithm of the share that goes to each candidate, and of that from the last item.

        Args:
            history: `[batch, time]` int32, oldest first, right-padded with 0.
            candidates: `[batch, k]` int32.
            own_event: `[batch, k]` float32, with what weight the statistics know the very event
                in which this user takes this candidate next, 0 for a negative; None in serving.

        Returns:
            `[batch, k, num_features]`.
        """
        columns = []
        for name in self.names:
            columns += self.totals(name, history, candidates, own_event)
        return tf.math.log(tf.stack(columns, axis=-1) + _SMALLEST) - math.log(_SMALLEST)


class _Kind(tf.Module):
    """One kind of statistics in the graph."""

    def __init__(self, kind: ItemToItem) -> None:
        super().__init__()
        shares = kind.weights
        if kind.support is not None:
            shares = kind.weights / np.maximum(kind.support, 1e-30)[:, None]
        self.neighbours = tf.Variable(kind.neighbours, trainable=False, name="neighbours")
        self.shares = tf.Variable(shares, trainable=False, name="shares", dtype=tf.float32)
        self.support = None
        if kind.support is not None:
            self.support = tf.Variable(kind.support, trainable=False, name="support")


def _looked_up(
    rows: tf.Tensor, shares: tf.Tensor, candidates: tf.Tensor, num_rows: int
) -> tf.Tensor:
    """The sum of the shares of each candidate, `[batch, k]`.

    Args:
        rows: `[batch, n]` int32, any of them several times.
        shares: `[batch, n]`, 0 for row 0.
        candidates: `[batch, k]` int32.
        num_rows: rows there are.
    """
    batch = tf.shape(rows)[0]
    places = tf.stack([tf.broadcast_to(tf.range(batch)[:, None], tf.shape(rows)), rows], axis=-1)
    written_out = tf.tensor_scatter_nd_add(tf.zeros([batch, num_rows]), places, shares)
    return tf.gather(written_out, candidates, batch_dims=1)


def _newest_first(history: tf.Tensor, size: int) -> tf.Tensor:
    """`[batch, size]`: the last items, the newest at place 0; 0 where there is none."""
    length = tf.reduce_sum(tf.cast(history > 0, tf.int32), axis=1)
    places = length[:, None] - 1 - tf.range(size)[None, :]
    found = tf.gather(history, tf.maximum(places, 0), batch_dims=1)
    return tf.where(places >= 0, found, 0)
