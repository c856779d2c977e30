"""Measuring a recommender on held-out interactions."""

from tfrs_mm.evaluation.evaluate import TOP, Ranked, popularity_ranking, rank_queries
from tfrs_mm.evaluation.measure import report
from tfrs_mm.evaluation.predictions import write_predictions

__all__ = ["TOP", "Ranked", "popularity_ranking", "rank_queries", "report", "write_predictions"]
