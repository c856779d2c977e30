"""What happens to candidates on the way to an answer."""

from tfrs_mm.policy.two_stage import TwoStage

__all__ = ["TwoStage"]
