"""What happens to candidates on the way to an answer; `DIVERSIFIERS` holds re-rankers by name."""

from tfrs_mm.config import RankingConfig
from tfrs_mm.policy.candidates import Candidates
from tfrs_mm.policy.diversify import Diversifier, dpp, mmr
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
    "DIVERSIFIERS", "CandidateSource", "Candidates", "Diversifier", "ListSource", "Request",
    "TowerSource", "TransitionSource", "TwoStage", "diversifier_of", "dpp", "mmr", "would_return",
]  # fmt: skip


def diversifier_of(ranking: RankingConfig) -> Diversifier:
    """How `TwoStage` varies its answers, and how much where a request does not say."""
    return Diversifier(DIVERSIFIERS[ranking.diversifier], ranking.diversity)
