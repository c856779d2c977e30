"""Events that a log holds more than once: the same user, item and kind at the same time, or so soon
after one another that they are one event told twice.

Other events of a user with an item they had before are no duplicates but repeats, see
`timelines.py`.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Events in groups of the same user and item.

    Attributes:
        order: `[events]` places of the events, group by group; within one they ascend.
        begins: `[events]` bool, where a group begins in that order.
    """

    order: np.ndarray
    begins: np.ndarray

    @classmethod
    def of(cls, users: np.ndarray, items: np.ndarray) -> "Pairs":
        """Those of `[events]` numbers of users and rows of items."""
        keys = users * (items.max(initial=0) + 1) + items
        order = np.argsort(keys, kind="stable")
        return cls(order, np.diff(keys[order], prepend=-1) != 0)

    @property
    def firsts(self) -> np.ndarray:
        """The first place of each group, ascending."""
        return np.sort(self.order[self.begins])


def duplicates_of(
    pairs: Pairs, kinds: np.ndarray, times: np.ndarray, untimed: np.ndarray, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Exact duplicates, and near ones.

    An event is compared with the one before it of the same user, item and kind. So a burst of
    events of which each lies near the one before is one event: its first.

    Args:
        pairs: of the events, which are sorted by user, then time, then position.
        kinds: `[events]` numbers.
        times: `[events]` seconds; of an event without a time its order.
        untimed: `[events]` bool; such an event has exact duplicates only, of the same order, and is
            no duplicate of one with a time.
        seconds: that near duplicates are apart at most; with 0 there are none.

    Returns:
        `[events]` bool twice; no event is both.
    """
    exact, near = np.zeros(len(kinds), bool), np.zeros(len(kinds), bool)
    alone = pairs.begins & np.append(pairs.begins[1:], True)
    alike, group = pairs.order[~alone], np.cumsum(pairs.begins)[~alone]
    # A stable sort: events of one kind stay in the order of time and position.
    order = np.lexsort((untimed[alike], kinds[alike], group))
    alike, group = alike[order], group[order]
    before, later = alike[:-1], alike[1:]
    same = (group[1:] == group[:-1]) & (kinds[before] == kinds[later])
    same &= untimed[before] == untimed[later]
    gaps = times[later] - times[before]
    exact[later] = same & (gaps == 0)
    near[later] = same & (gaps > 0) & (gaps <= seconds) & ~untimed[later]
    return exact, near
