"""The first stage: two towers trained against each other, to find candidates in the corpus."""

from tfrs_mm.retrieval.build import build_two_tower
from tfrs_mm.retrieval.negatives import AllItems, MixedNegatives, Negatives
from tfrs_mm.retrieval.query import QueryModel, candidate_scores
from tfrs_mm.retrieval.two_tower import TwoTowerModel

__all__ = [
    "AllItems", "MixedNegatives", "Negatives", "QueryModel", "TwoTowerModel", "build_two_tower",
    "candidate_scores",
]  # fmt: skip
