"""Linear item-to-item models: what each item of a history says for every other, solved at once.

Unlike counts of pairs they know which items of a history say the same. With `G = X'X + ridge`:

*similar*, Steck, Embarrassingly Shallow Autoencoders for Sparse Data (EASE), WWW 2019, section 3.1:
`X` holds the items of each user, and every item is regressed on all others. With `P = G^-1`,

    B[i, j] = -P[i, j] / P[j, j]   for i other than j, and B[i, i] = 0.

*following*, after Choi et al., Session-aware Linear Item-Item Models for Session-based
Recommendation, WWW 2021 (their SLIT): every event is regressed on what its user did before it, the
last `_PAST` items, halved every `_HALF_LIFE` steps back: `B = G^-1 X'Y`.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfrs_mm.data.item_neighbours import ItemNeighbours
from tfrs_mm.data.splits import ranges

_PAST, _HALF_LIFE = 20, 6.0
_MAX_EVENTS = 2_000  # of a user, the newest: pairs grow with the square
_PAIRS_AT_ONCE = 2**22
_ROWS_AT_ONCE = 512


@dataclasses.dataclass(frozen=True)
class LinearFit:
    """How a model is fitted.

    Attributes:
        ridge: added to the diagonal of `X'X`, in events.
        top: items that one item may speak for.
    """

    ridge: float
    top: int


@dataclasses.dataclass(frozen=True)
class Events:
    """Events of items that take part.

    Attributes:
        users: `[events]` by place, ascending; of each the oldest first.
        items: `[events]` by place.
        rows: `[items that take part]` ascending, the row of each.
        num_items: of the catalogue.
    """

    users: np.ndarray
    items: np.ndarray
    rows: np.ndarray
    num_items: int

    @classmethod
    def of(cls, users: np.ndarray, items: np.ndarray, num_items: int, max_items: int) -> "Events":
        """Those of the items that have most events.

        Args:
            users: `[events]`, equal for events of one user, which follow one another, oldest first.
            items: `[events]` rows from 1 to `num_items`.
            num_items: of the catalogue.
            max_items: of which events are kept; of items with equally many the first.
        """
        counts = np.bincount(items, minlength=num_items + 1)
        rows = np.sort(np.argsort(-counts, kind="stable")[:max_items])
        rows = rows[counts[rows] > 0]
        place = np.full(num_items + 1, -1)
        place[rows] = np.arange(len(rows))
        kept = place[items] >= 0
        starts = np.diff(users, prepend=-1) != 0
        return cls((np.cumsum(starts) - 1)[kept], place[items[kept]], rows, num_items)


def fit_similar(events: Events, fit: LinearFit) -> ItemNeighbours:
    """Which items say that a user would take which others, in any order.

    Takes 8 bytes for each pair of items that take part or, where users are fewer, of an item and a
    user; time grows with the third power of the smaller number.

    Returns:
        Of each line the heaviest weights above 0 of `B`; see the file. `support` is 1, or a line's
        heaviest weight if that is more.
    """
    users, items = _newest_once(events)
    num_users = int(users.max(initial=-1)) + 1
    solve = _by_users if num_users < len(events.rows) else _by_items
    rows_of, diagonal = solve(users, items, num_users, len(events.rows), fit.ridge)

    def lines(places: np.ndarray) -> np.ndarray:
        found = -rows_of(places) / diagonal
        found[np.arange(len(places)), places] = 0.0
        return found

    return _table(lines, events, fit.top)


def fit_following(events: Events, fit: LinearFit) -> ItemNeighbours:
    """Which items say that a user will take which others next.

    Takes 12 bytes for each pair of items that take part, and time that grows with the third power
    of their number.

    Returns:
        See `fit_similar`.
    """
    size = len(events.rows)
    gram, after = np.zeros(size * size, np.float32), np.zeros(size * size, np.float32)
    target = np.arange(len(events.users))
    decay = np.exp2(-np.arange(_PAST) / _HALF_LIFE).astype(np.float32)
    for left in range(_PAST):
        at = target[left + 1 :]
        at = at[events.users[at] == events.users[at - left - 1]]
        earlier = events.items[at - left - 1]
        np.add.at(after, earlier * size + events.items[at], decay[left])
        for right in range(left + 1):
            other = events.items[at - right - 1]
            weight = decay[left] * decay[right]
            np.add.at(gram, earlier * size + other, weight)
            if right < left:
                np.add.at(gram, other * size + earlier, weight)
    solved = np.linalg.solve(_ridged(gram, size, fit.ridge), after.reshape(size, size))
    solved[np.diag_indices(size)] = 0.0
    return _table(lambda places: solved[places], events, fit.top)


def _newest_once(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of each user's newest events, every item once."""
    lengths = np.bincount(events.users)
    steps_back = np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(len(events.users))
    newest = steps_back < _MAX_EVENTS
    size = len(events.rows)
    return np.divmod(np.unique(events.users[newest] * size + events.items[newest]), max(size, 1))


Solved = tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]


def _by_items(
    users: np.ndarray, items: np.ndarray, num_users: int, num_items: int, ridge: float
) -> Solved:
    """What gives rows of `P`, and its diagonal, by the inverse over items."""
    gram = np.zeros(num_items * num_items, np.float32)
    counts = np.bincount(users, minlength=num_users)
    per_event = counts[users]  # pairs that an event is the left one of
    starts = (np.cumsum(counts) - counts)[users]
    cuts = np.arange(_PAIRS_AT_ONCE, int(per_event.sum()), _PAIRS_AT_ONCE)
    for left in np.split(np.arange(len(users)), np.searchsorted(np.cumsum(per_event), cuts)):
        right = ranges(starts[left], per_event[left])
        pairs = np.repeat(items[left], per_event[left]) * num_items + items[right]
        np.add.at(gram, pairs, np.float32(1.0))
    inverse = np.linalg.inv(_ridged(gram, num_items, ridge))
    return lambda places: inverse[places], np.diag(inverse).copy()


def _by_users(
    users: np.ndarray, items: np.ndarray, num_users: int, num_items: int, ridge: float
) -> Solved:
    """The same where users are fewer: `P = (1 - X'(XX' + ridge)^-1 X) / ridge`."""
    histories = np.zeros((num_users, num_items), np.float32)
    histories[users, items] = 1.0
    solved = np.linalg.solve(
        _ridged((histories @ histories.T).reshape(-1), num_users, ridge), histories
    )
    diagonal = (1.0 - np.einsum("ui,ui->i", histories, solved)) / np.float32(ridge)

    def rows_of(places: np.ndarray) -> np.ndarray:
        found = -(histories[:, places].T @ solved)
        found[np.arange(len(places)), places] += 1.0
        return found / np.float32(ridge)

    return rows_of, diagonal


def _ridged(gram: np.ndarray, size: int, ridge: float) -> np.ndarray:
    square = gram.reshape(size, size)
    square[np.diag_indices(size)] += np.float32(ridge)
    return square


def _table(lines: Callable[[np.ndarray], np.ndarray], events: Events, top: int) -> ItemNeighbours:
    """The largest values above 0 of each line, descending, ties by row."""
    neighbours = np.zeros((events.num_items + 1, top), np.int32)
    weights = np.zeros((events.num_items + 1, top), np.float32)
    width, last = min(top, len(events.rows)), 2**32 - 1
    for start in range(0, len(events.rows), _ROWS_AT_ONCE):
        places = np.arange(start, min(start + _ROWS_AT_ONCE, len(events.rows)))
        values = np.maximum(lines(places), 0.0).astype(np.float32)
        # Of numbers above 0 the bits are ordered as the numbers are; a place behind them breaks
        # ties, so that no two keys are equal.
        keys = values.view(np.int32).astype(np.int64) << 32 | (last - np.arange(len(events.rows)))
        keys = -np.sort(np.partition(-keys, width - 1, axis=1)[:, :width], axis=1)
        found = last - (keys & last)
        values = np.take_along_axis(values, found, axis=1)
        weights[events.rows[places], :width] = values
        neighbours[events.rows[places], :width] = np.where(values > 0, events.rows[found], 0)
    return ItemNeighbours(neighbours, weights, np.maximum(weights[:, 0], np.float32(1.0)))
