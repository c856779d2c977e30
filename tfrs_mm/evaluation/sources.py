"""What each source of candidates finds, and what it adds to the others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def source_report(
    found: Mapping[str, np.ndarray], relevant: Sequence[np.ndarray], corpus_size: int
) -> dict[str, Any]:
    """Recall of every source, of all together, and of all but each.

    Args:
        found: by source `[queries, size]` rows; 0 is an empty place.
        relevant: the relevant rows of each query, at least one, without repeats.
        corpus_size: number of items that could have been found.

    Returns:
        `union` with `recall` and `items`, the mean number of distinct rows of a query; and for each
        source under `sources` its `items`, its `recall`, and what it `adds`: the recall of the
        union less that of the union without it.
    """
    size = corpus_size + 1
    lengths = np.array([len(rows) for rows in relevant])
    wanted = np.repeat(np.arange(len(relevant)), lengths) * size + np.concatenate(relevant)
    weights = np.repeat(1.0 / lengths, lengths) / len(relevant)
    keys = {name: _keys(rows, size) for name, rows in found.items()}
    hits = {name: np.isin(wanted, of) for name, of in keys.items()}
    by_any = np.sum(list(hits.values()), axis=0)
    union = np.unique(np.concatenate(list(keys.values())))
    return {
        "union": {
            "items": len(union) / len(relevant), "recall": float(weights @ (by_any > 0)),
        },
        "sources": {
            name: {
                "items": len(keys[name]) / len(relevant),
                "recall": float(weights @ of),
                "adds": float(weights @ (of & (by_any == 1))),
            }
            for name, of in hits.items()
        },
    }  # fmt: skip


def _keys(rows: np.ndarray, size: int) -> np.ndarray:
    """Query and row of every filled place as one number."""
    queries, places = np.nonzero(rows)
    return queries.astype(np.int64) * size + rows[queries, places]
