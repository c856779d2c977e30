"""What a history leads to by item-to-item statistics alone: scores of candidates, and candidates.

A retrieval source and a ranking feature without a trained model. NumPy only: a version in
TensorFlow is checked against it.
"""

import numpy as np

from tfrs_mm.data.item_neighbours import ItemNeighbours, NeighbourTables

__all__ = ["ItemNeighbours", "NeighbourTables", "candidates_from_history", "transition_scores"]


def transition_scores(
    neighbours: ItemNeighbours, history: np.ndarray, candidates: np.ndarray, half_life: float
) -> np.ndarray:
    """How strongly a history leads to each candidate.

    Each item of the history gives a candidate the share `weight / support` that goes from the item
    to it, halved every `half_life` steps back from the newest item; the shares are added up.

    Args:
        neighbours: of either kind.
        history: `[n, time]` rows, oldest first, padded with 0 on the right.
        candidates: `[n, k]` rows; 0 stands for none and scores 0.
        half_life: steps, above 0.

    Returns:
        `[n, k]` float32.

    Raises:
        ValueError: an argument is not as above.
    """
    wanted = _keyed(neighbours, "candidates", candidates, len(history))
    keys, scores = _reached(neighbours, history, half_life)
    places = np.searchsorted(keys, wanted)
    found = np.append(keys, -1)[places] == wanted
    return np.where(found, np.append(scores, 0.0)[places], 0.0).astype(np.float32)


def candidates_from_history(
    neighbours: ItemNeighbours,
    history: np.ndarray,
    excluded: np.ndarray,
    k: int,
    half_life: float,
) -> np.ndarray:
    """The k items that a history leads to most strongly, by `transition_scores`; ties by row.

    Args:
        neighbours: of either kind.
        history: `[n, time]` rows, oldest first, padded with 0 on the right.
        excluded: `[n, m]` rows that must not come back; 0 excludes nothing.
        k: at least 1.
        half_life: steps, above 0.

    Returns:
        `[n, k]` int32 rows, 0 behind the last item that the history leads to.

    Raises:
        ValueError: an argument is not as above.
    """
    if k < 1:
        raise ValueError(f"`k` must be at least 1, received {k}.")
    shut = _keyed(neighbours, "excluded", excluded, len(history))
    keys, scores = _reached(neighbours, history, half_life)
    open_ = ~np.isin(keys, shut)
    queries, items = np.divmod(keys[open_], neighbours.num_items + 1)
    order = np.lexsort((items, -scores[open_], queries))
    queries, items = queries[order], items[order]
    ranks = np.arange(len(queries)) - np.searchsorted(queries, queries)
    best = np.zeros((len(history), k), np.int32)
    best[queries[ranks < k], ranks[ranks < k]] = items[ranks < k]
    return best


def _reached(
    neighbours: ItemNeighbours, history: np.ndarray, half_life: float
) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the queries and items that are reached, ascending, and float64 scores.

    Holds `time * top` numbers for each query.
    """
    if not half_life > 0:
        raise ValueError(f"`half_life` must be above 0, received {half_life}.")
    _keyed(neighbours, "history", history, len(history))
    queries, places = np.nonzero(history)
    lengths = np.count_nonzero(history, axis=1)
    if (places >= lengths[queries]).any():
        raise ValueError("`history` must be padded with 0 on the right only, but 0 stands before.")
    items = history[queries, places]
    steps_back = lengths[queries] - 1 - places
    # Who leads nowhere has no support to divide by, and no neighbour below.
    support = np.maximum(neighbours.support[items], np.finfo(np.float32).tiny)
    decay = np.exp2(-steps_back / half_life) / support
    found = neighbours.neighbours[items]
    keys = (queries[:, None] * (neighbours.num_items + 1) + found)[found > 0]
    shares = (decay[:, None] * neighbours.weights[items])[found > 0]
    keys, owners = np.unique(keys, return_inverse=True)
    return keys, np.bincount(owners, weights=shares, minlength=len(keys))


def _keyed(neighbours: ItemNeighbours, name: str, rows: np.ndarray, queries: int) -> np.ndarray:
    """Rows `[n, ...]` as one int64 key for query and row together, checked."""
    if rows.ndim != 2 or len(rows) != queries:
        raise ValueError(f"`{name}` must be of shape [{queries}, any], received {rows.shape}.")
    size = neighbours.num_items + 1
    if rows.size and (rows.min() < 0 or rows.max() >= size):
        raise ValueError(
            f"`{name}` must be rows from 0 to {size - 1}, received {rows.min()}..{rows.max()}."
        )
    return np.arange(queries, dtype=np.int64)[:, None] * size + rows
