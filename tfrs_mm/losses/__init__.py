"""Losses as plain functions of tensors; none of them knows a model."""

from tfrs_mm.losses.sampled_softmax import any_of, correct_for_sampling, same_item, sampled_softmax

__all__ = ["any_of", "correct_for_sampling", "same_item", "sampled_softmax"]
