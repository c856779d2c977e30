"""Slow, plain NumPy answers that tests compare with."""

import numpy as np


def best_rows(vectors: np.ndarray, query: np.ndarray, excluded: set[int], k: int) -> list[int]:
    """The k rows (never row 0) with the largest inner product, without the excluded ones."""
    scores = {
        row: float(vectors[row] @ query) for row in range(1, len(vectors)) if row not in excluded
    }
    return sorted(scores, key=lambda row: -scores[row])[:k]


def ndcg(ranked: list[int], relevant: set[int], k: int) -> float:
    """By its definition, one query."""
    gain = sum(1 / np.log2(rank + 2) for rank, row in enumerate(ranked[:k]) if row in relevant)
    return gain / sum(1 / np.log2(rank + 2) for rank in range(min(k, len(relevant))))
