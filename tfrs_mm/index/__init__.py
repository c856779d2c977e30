"""Finding the best items of the whole corpus for a query: exactly, or approximately with ScaNN."""

from tfrs_mm.index.base import TopKIndex, TopKRows, take_best
from tfrs_mm.index.equal_rows import is_among, sum_equal
from tfrs_mm.index.exact import ExactIndex
from tfrs_mm.index.interests import search_interests

__all__ = [
    "ExactIndex", "TopKIndex", "TopKRows", "is_among", "search_interests", "sum_equal", "take_best",
]  # fmt: skip
