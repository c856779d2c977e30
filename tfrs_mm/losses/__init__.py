"""Losses as plain functions of tensors; none of them knows a model."""

from tfrs_mm.losses.ranking import listwise, pairwise, pointwise
from tfrs_mm.losses.sampled_softmax import any_of, correct_for_sampling, same_item, sampled_softmax

RANKING_LOSSES = {"listwise": listwise, "pairwise": pairwise, "pointwise": pointwise}

__all__ = ["RANKING_LOSSES", "any_of", "correct_for_sampling", "same_item", "sampled_softmax"]
