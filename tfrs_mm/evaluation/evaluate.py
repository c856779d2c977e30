"""Lists of a recommender: every item is a candidate, what the user has had is left out."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfrs_mm.progress import Progress

Recommend = Callable[..., tuple[np.ndarray, np.ndarray]]
TOP = 100


@dataclasses.dataclass(frozen=True)
class Ranked:
    """The lists a recommender gave.

    Attributes:
        rows: `[queries, k]` int32, best first, 0 for an empty place.
        scores: `[queries, k]` float32.
    """

    rows: np.ndarray
    scores: np.ndarray


def rank_queries(
    recommend: Recommend,
    history: np.ndarray,
    seen: Sequence[np.ndarray],
    buckets: np.ndarray,
    batch_size: int,
    label: str,
    contexts: Mapping[str, np.ndarray] | None = None,
) -> Ranked:
    """Asks a recommender for every query, in batches of one static shape.

    Args:
        recommend: `(history [batch, time], excluded [batch, n], buckets [batch])` to rows and
            scores; where there are contexts, it takes them as a fourth argument.
        history: `[queries, time]` int32.
        seen: rows to exclude of each query.
        buckets: `[queries]` int32, of the popularity that may be known.
        batch_size: queries at a time.
        label: shown while it runs.
        contexts: `[queries, ...]` by name; None or none where the recommender knows none.
    """
    rows, scores = [], []
    width = max((len(entry) for entry in seen), default=0)
    with Progress(label, total=len(history), unit="queries") as progress:
        for start in range(0, len(history), batch_size):
            part = slice(start, min(start + batch_size, len(history)))
            size = part.stop - part.start
            excluded = np.zeros((batch_size, max(width, 1)), np.int32)
            for place, entry in enumerate(seen[part]):
                excluded[place, : len(entry)] = entry
            arguments = [
                padded(history[part], batch_size), excluded, padded(buckets[part], batch_size)
            ]  # fmt: skip
            if contexts:
                arguments.append({n: padded(c[part], batch_size) for n, c in contexts.items()})
            found_rows, found_scores = recommend(*arguments)
            rows.append(np.asarray(found_rows)[:size])
            scores.append(np.asarray(found_scores)[:size])
            progress.advance(size)
    return Ranked(np.concatenate(rows), np.concatenate(scores))


def popularity_ranking(counts: np.ndarray, seen: Sequence[np.ndarray], k: int = TOP) -> Ranked:
    """The most frequent items of the training range that a user has not seen; ties by row.

    Args:
        counts: `[items + 1]`.
        seen: rows to exclude of each query.
        k: length of the lists.
    """
    order = np.argsort(-counts[1:], kind="stable") + 1
    rows = np.zeros((len(seen), k), np.int32)
    scores = np.full((len(seen), k), -np.inf, np.float32)
    for place, entry in enumerate(seen):
        left = order[: k + len(entry)]
        left = left[~np.isin(left, entry)][:k]
        rows[place, : len(left)] = left
        scores[place, : len(left)] = counts[left]
    return Ranked(rows, scores)


def padded(array: np.ndarray, size: int) -> np.ndarray:
    """`[n, ...]` filled up to `[size, ...]` with zeros."""
    missing = size - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing else array
