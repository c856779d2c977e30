"""The first stage: two towers trained against each other, to find candidates in the corpus."""

from tfrs_mm.retrieval.build import build_two_tower
from tfrs_mm.retrieval.frequencies import StreamingFrequencies
from tfrs_mm.retrieval.hard_negatives import HardNegatives
from tfrs_mm.retrieval.negatives import AllItems, MixedNegatives
from tfrs_mm.retrieval.query import QueryModel, candidate_scores
from tfrs_mm.retrieval.queue import NegativesQueue
from tfrs_mm.retrieval.sampler import Negatives, NegativeSampler
from tfrs_mm.retrieval.two_tower import TwoTowerModel

__all__ = [
    "AllItems", "HardNegatives", "MixedNegatives", "NegativeSampler", "Negatives", "NegativesQueue",
    "QueryModel", "StreamingFrequencies", "TwoTowerModel", "build_two_tower", "candidate_scores",
]  # fmt: skip
