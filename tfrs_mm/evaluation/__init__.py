"""Measuring a recommender on held-out interactions."""

from tfrs_mm.evaluation.evaluate import TOP, Ranked, popularity_ranking, rank_queries
from tfrs_mm.evaluation.measure import report
from tfrs_mm.evaluation.predictions import write_predictions
from tfrs_mm.evaluation.sources import source_report

__all__ = [
    "TOP", "Ranked", "popularity_ranking", "rank_queries", "report", "source_report",
    "write_predictions",
]  # fmt: skip
