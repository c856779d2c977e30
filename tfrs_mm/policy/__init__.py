"""What happens to candidates on the way to an answer; `DIVERSIFIERS` holds re-rankers by name."""

from collections.abc import Callable

import tensorflow as tf

from tfrs_mm.config import RankingConfig
from tfrs_mm.index import TopKRows
from tfrs_mm.policy.candidates import Candidates
from tfrs_mm.policy.diversify import dpp, mmr
from tfrs_mm.policy.sources import (
    CandidateSource,
    ListSource,
    Request,
    TowerSource,
    TransitionSource,
    would_return,
)
from tfrs_mm.policy.two_stage import TwoStage

DIVERSIFIERS = {"dpp": dpp, "mmr": mmr}

__all__ = [
    "DIVERSIFIERS", "CandidateSource", "Candidates", "ListSource", "Request", "TowerSource",
    "TransitionSource", "TwoStage", "diversifier_of", "dpp", "mmr", "would_return",
]  # fmt: skip


def diversifier_of(
    ranking: RankingConfig,
) -> Callable[[TopKRows, tf.Tensor, int], TopKRows] | None:
    """What `TwoStage` calls for `ranking.diversity`; None where that is 0."""
    if not ranking.diversity:
        return None
    pick = DIVERSIFIERS[ranking.diversifier]
    return lambda ranked, vectors, k: pick(ranked, vectors, ranking.diversity, k)
