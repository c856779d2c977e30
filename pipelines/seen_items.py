"""Which items are not to be recommended: those that a user has had, and, if asked for, those that
they disliked.
"""

import numpy as np

from pipelines.duplicates import Pairs
from pipelines.sorted_timelines import Timelines
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.data.splits import ranges


def seen_items(
    timelines: Timelines, users: np.ndarray, cuts: np.ndarray, with_disliked: bool
) -> Ragged:
    """Distinct rows of what each user had before a cut, in the order of time; then, if asked for,
    of what they disliked before it.

    Args:
        timelines: of the partition; with a log where disliked items are asked for.
        users: `[n]` places of users, each once, ascending.
        cuts: `[n]` places of events; the events before them count. A cut may be the user's end.
        with_disliked: whether disliked items count. What will be asked for is not looked at: an
            item that was disliked before it was taken is among them.
    """
    starts = timelines.starts[users]
    owners = np.repeat(np.arange(len(users)), cuts - starts)
    items = timelines.items[ranges(starts, cuts - starts)]
    if with_disliked:
        log = timelines.log
        at_end = cuts == timelines.ends[users]
        ends = log.ends[users]
        ends[~at_end] = log.places[cuts[~at_end]]
        lengths = ends - log.starts[users]
        places = ranges(log.starts[users], lengths)
        disliked = log.negative[places]
        owners = np.concatenate([owners, np.repeat(np.arange(len(users)), lengths)[disliked]])
        items = np.concatenate([items, log.items[places[disliked]]])
        firsts = Pairs.of(owners, items).firsts
        firsts = firsts[np.argsort(owners[firsts], kind="stable")]
        owners, items = owners[firsts], items[firsts]
    counts = np.bincount(owners, minlength=len(users))
    return Ragged(items, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
