"""The second stage: reorders what retrieval returned."""

from tfrs_mm.ranking.build import build_ranker
from tfrs_mm.ranking.features import RankingTables, candidate_features
from tfrs_mm.ranking.popularity import (
    bucket_of,
    fresh_lists,
    popular_lists,
    popularity_table,
)
from tfrs_mm.ranking.ranker import RankingModel
from tfrs_mm.ranking.transitions import ItemToItem, TransitionTables

__all__ = [
    "ItemToItem", "RankingModel", "RankingTables", "TransitionTables", "bucket_of",
    "build_ranker", "candidate_features", "fresh_lists", "popular_lists", "popularity_table",
]  # fmt: skip
