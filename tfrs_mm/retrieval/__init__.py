"""The first stage: two towers trained against each other, to find candidates in the corpus."""

from tfrs_mm.retrieval.negatives import MixedNegatives, Negatives
from tfrs_mm.retrieval.two_tower import QueryModel, TwoTowerModel, build_two_tower

__all__ = ["MixedNegatives", "Negatives", "QueryModel", "TwoTowerModel", "build_two_tower"]
