"""Where hard negatives come from: the item vectors of the last epoch, or the log's own dislikes."""

import numpy as np
import tensorflow as tf

from tfrs_mm.data.examples import HISTORY_ITEM, HISTORY_TIME, USER
from tfrs_mm.data.negative_feedback import read_negative_feedback
from tfrs_mm.errors import UserError
from tfrs_mm.retrieval.negatives import NEVER
from tfrs_mm.training.knowledge import Knowledge

_AT_ONCE = 1024


def nearest_items(vectors: np.ndarray, warm: np.ndarray, size: int) -> np.ndarray:
    """The nearest other items of each, by inner product.

    Exact, and so quadratic in the number of items.

    Args:
        vectors: `[items + 1, dim]`.
        warm: `[items + 1]` bool; others are neither asked for nor found: what nobody could have had
            is no evidence of dislike.
        size: of each.

    Returns:
        `[items + 1, size]` int32, the nearest first; `NEVER` where there are too few, and in the
        rows of items that are not warm.
    """
    rows = np.flatnonzero(warm)
    table = np.full((len(vectors), size), NEVER, np.int32)
    wanted = min(size, len(rows) - 1)
    if wanted < 1:
        return table
    corpus = tf.constant(vectors[rows])
    for start in range(0, len(rows), _AT_ONCE):
        asked = np.arange(start, min(start + _AT_ONCE, len(rows)))
        scores = tf.matmul(tf.gather(corpus, asked), corpus, transpose_b=True).numpy()
        scores[np.arange(len(asked)), asked] = -np.inf  # an item is not its own neighbour
        found = tf.math.top_k(scores, k=wanted).indices.numpy()
        table[rows[asked], :wanted] = rows[found]
    return table


def disliked_items(
    knowledge: Knowledge, windows: dict[str, np.ndarray], warm: np.ndarray, size: int
) -> np.ndarray:
    """What each user disliked last within the training range.

    Args:
        knowledge: of the data folder.
        windows: of `read_windows`; the last event of a user's windows ends their training range.
        warm: `[items + 1]` bool; other items are left out, see `nearest_items`.
        size: of each user.

    Returns:
        `[users + 1, size]` int32, the newest first; `NEVER` where there are too few.

    Raises:
        UserError: the data folder holds no negative feedback of its training range.
    """
    feedback = read_negative_feedback(knowledge.data_dir)
    users = knowledge.users.rows_of(feedback.user_ids)
    until = np.full(knowledge.schema.num_users + 1, -np.inf)
    filled = windows[HISTORY_ITEM] > 0
    ends = np.where(filled, windows[HISTORY_TIME], -np.inf).max(axis=1)
    np.maximum.at(until, windows[USER], ends)
    usable = (users > 0) & warm[feedback.items] & (feedback.times <= until[users])
    users, items, times = users[usable], feedback.items[usable], feedback.times[usable]
    if not len(users):
        raise UserError(
            f"`retrieval.hard_negatives_from` is 'log', but {knowledge.data_dir} holds no negative "
            "feedback of its training range. Preprocess logs that have some, see data.events and "
            "data.min_rating, or take 'index'."
        )
    # Newest first, and of each pair of user and item the newest.
    order = np.lexsort((items, -times, users))
    users, items = users[order], items[order]
    _, first = np.unique(np.stack([users, items], axis=1), axis=0, return_index=True)
    first.sort()
    users, items = users[first], items[first]
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    places = np.arange(len(users)) - np.repeat(starts, np.diff(starts, append=len(users)))
    table = np.full((len(until), size), NEVER, np.int32)
    kept = places < size
    table[users[kept], places[kept]] = items[kept]
    return table
