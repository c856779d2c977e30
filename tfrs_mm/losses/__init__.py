"""Losses as plain functions of tensors; none of them knows a model."""

from tfrs_mm.losses.contrastive import (
    agreement_penalty,
    cosine_distance,
    info_nce,
    pairwise_sigmoid,
)
from tfrs_mm.losses.gbce import gbce, gbce_beta
from tfrs_mm.losses.ranking import listwise, pairwise, pointwise
from tfrs_mm.losses.sampled_softmax import (
    any_of,
    correct_for_sampling,
    first_of_each,
    same_item,
    sampled_softmax,
)

RANKING_LOSSES = {"listwise": listwise, "pairwise": pairwise, "pointwise": pointwise}

__all__ = [
    "RANKING_LOSSES",
    "agreement_penalty", "any_of", "correct_for_sampling", "cosine_distance", "first_of_each",
    "gbce", "gbce_beta", "info_nce", "pairwise_sigmoid", "same_item", "sampled_softmax",
]  # fmt: skip
