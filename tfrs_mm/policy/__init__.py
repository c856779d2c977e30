"""What happens to candidates on the way to an answer."""

from tfrs_mm.policy.candidates import Candidates
from tfrs_mm.policy.sources import (
    CandidateSource,
    ListSource,
    Request,
    TowerSource,
    TransitionSource,
    would_return,
)
from tfrs_mm.policy.two_stage import TwoStage

__all__ = [
    "CandidateSource", "Candidates", "ListSource", "Request", "TowerSource", "TransitionSource",
    "TwoStage", "would_return",
]  # fmt: skip
