"""Cold items by a protocol that any model can follow: which items are cold, what may be learnt, and
which events are asked for.

An item is cold if the SHA-256 of its id, as a whole number, leaves a given remainder when divided
by ten. Learnt from are events of warm items alone, and of a user with three or more of those not
the last one. Asked for is every event with a cold item that has at least two warm events before it;
its history are the last warm items before it. Candidates are the cold items or all items, without
what the user has had before.

The split of `data.cold_item_share` is another one: it hashes with a seed, asks only for cold items
among a user's last two events, and leaves other cold events out. A run for this protocol is trained
on the events of items that are `learnt_from`, with the whole catalogue and leave-one-out splits,
which leave out the last event of each user with three or more and so learn from no more than the
protocol allows.
"""

import dataclasses
import hashlib
import random
from collections.abc import Callable, Sequence

import numpy as np

from tfrs_mm.evaluation.metrics import bootstrap_ratio

PARTS = 10
_MIN_WARM = 2  # events with warm items before an event that is asked for
_BLOCK = 32  # events whose scores of the whole corpus are held at once


@dataclasses.dataclass(frozen=True)
class Interactions:
    """A log, each user's items in the order of time, none of them twice.

    Attributes:
        timelines: by user id the item ids and times, oldest first; of equal times in the order of
            the log. An item taken again counts where it was taken first.
    """

    timelines: dict[str, list[tuple[str, float]]]

    @classmethod
    def of_columns(
        cls, users: Sequence[str], items: Sequence[str], times: Sequence[float]
    ) -> "Interactions":
        """From the columns of a log, in any order.

        Raises:
            ValueError: the columns are not equally long.
        """
        timelines: dict[str, dict[str, float]] = {}
        rows = sorted(zip(users, items, times, strict=True), key=lambda row: row[2])
        for user, item, time in rows:
            timelines.setdefault(user, {}).setdefault(item, time)
        return cls({user: list(taken.items()) for user, taken in timelines.items()})


def is_cold(item_id: str, remainder: int = 0) -> bool:
    """Whether an item is of the tenth with that remainder."""
    digest = hashlib.sha256(item_id.encode("utf-8")).hexdigest()
    return int(digest, 16) % PARTS == remainder


def learnt_from(item_id: str, remainder: int = 0, without: int | None = None) -> bool:
    """Whether training may use events of an item.

    Args:
        item_id: of the item.
        remainder: of the cold items.
        without: of items that are left out of the log altogether; None for none.
    """
    left_out = without is not None and is_cold(item_id, without)
    return not is_cold(item_id, remainder) and not left_out


@dataclasses.dataclass(frozen=True)
class ColdEvent:
    """An event that is asked for.

    Attributes:
        user: id.
        item: the cold item that was taken.
        time: when.
        history: the last warm items before it, oldest first.
        had: all items before it.
    """

    user: str
    item: str
    time: float
    history: tuple[str, ...]
    had: frozenset[str]


def cold_events(
    interactions: Interactions,
    remainder: int = 0,
    without: int | None = None,
    history: int = 20,
    limit: int = 5_000,
) -> list[ColdEvent]:
    """The events with cold items.

    Args:
        interactions: the log.
        remainder: of the cold items.
        without: of items that are left out of the log altogether; to tune on another tenth than the
            one that is reported.
        history: items of a history at most.
        limit: events at most; of more so many are drawn with a fixed seed.
    """
    events = []
    for user in sorted(interactions.timelines):
        warm: list[str] = []
        had: list[str] = []
        for item, time in interactions.timelines[user]:
            if without is not None and is_cold(item, without):
                continue
            if is_cold(item, remainder):
                if len(warm) >= _MIN_WARM:
                    recent = tuple(warm[-history:])
                    events.append(ColdEvent(user, item, time, recent, frozenset(had)))
            else:
                warm.append(item)
            had.append(item)
    return random.Random(0).sample(events, limit) if len(events) > limit else events


def rank_among(scores: np.ndarray, target: int, candidates: np.ndarray) -> float:
    """1 + candidates that score higher + half of those that score the same.

    Args:
        scores: `[items + 1]`.
        target: row of one of the candidates.
        candidates: `[items + 1]` bool.
    """
    of_candidates = scores[candidates]
    higher = np.count_nonzero(of_candidates > scores[target])
    same = np.count_nonzero(of_candidates == scores[target]) - 1
    return 1.0 + higher + same / 2


# Events of one block, and who is a candidate of each, `[block, items + 1]` bool, to scores of the
# same shape; those of others are not looked at.
Score = Callable[[Sequence[ColdEvent], np.ndarray], np.ndarray]


def event_ranks(
    score: Score, events: Sequence[ColdEvent], item_ids: Sequence[str], remainder: int = 0
) -> dict[str, np.ndarray]:
    """The rank of each event's item `among_cold` items and `among_all`, each `[events]`.

    Args:
        score: of the model.
        events: see `cold_events`.
        item_ids: by row; row 0 is no item.
        remainder: of the cold items.

    Raises:
        ValueError: an event's item is not in the catalogue.
    """
    row_of = {str(item_id): row for row, item_id in enumerate(item_ids) if row > 0}
    missing = sorted({event.item for event in events} - set(row_of))
    if missing:
        raise ValueError(
            f"`events` ask for {len(missing)} items that `item_ids` lacks, such as {missing[:3]}. "
            "Keep the cold items in the catalogue."
        )
    everything = np.arange(len(item_ids)) > 0
    cold = np.zeros(len(item_ids), bool)
    cold[[row for item_id, row in row_of.items() if is_cold(item_id, remainder)]] = True
    ranks = {}
    for name, group in (("among_cold", cold), ("among_all", everything)):
        found = []
        for start in range(0, len(events), _BLOCK):
            block = events[start : start + _BLOCK]
            candidates = np.tile(group, (len(block), 1))
            for of_event, event in zip(candidates, block, strict=True):
                of_event[[row_of[item] for item in event.had if item in row_of]] = False
            scores = score(block, candidates)
            found += [
                rank_among(line, row_of[event.item], of_event)
                for line, event, of_event in zip(scores, block, candidates, strict=True)
            ]
        ranks[name] = np.array(found)
    return ranks


def recall_of_events(
    ranks: np.ndarray, users: Sequence[str], k: int = 20, seed: int = 0
) -> tuple[float, float, float]:
    """Share of the events with a rank of at most k, and its 95% interval over users.

    Args:
        ranks: `[events]`.
        users: id of each event's.
        k: the cut-off.
        seed: of the bootstrap.
    """
    _, owner = np.unique(np.asarray(users), return_inverse=True)
    hits = np.bincount(owner, weights=ranks <= k)[:, None]
    value, low, high = bootstrap_ratio(hits, np.bincount(owner)[:, None], seed=seed)
    return float(value[0]), float(low[0]), float(high[0])
