"""Calibrating the ranker on the validation queries, and what that is worth."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.errors import UserError
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.ranking import RankingModel
from tfrs_mm.ranking.calibration import CALIBRATIONS, Calibration
from tfrs_mm.ranking.reliability import reliability_table
from tfrs_mm.retrieval import QueryModel
from tfrs_mm.training.knowledge import Knowledge
from tfrs_mm.training.sources import make_sources
from tfrs_mm.training.validation import Outcomes, ranking_function, validation_of


def calibrate(
    knowledge: Knowledge, config: Config, query_model: QueryModel, ranker: RankingModel
) -> tuple[Calibration, dict[str, Any]]:
    """Fits `ranking.calibration` to all candidates of the validation queries.

    The map that is kept is fitted on all of these queries. What it is worth is measured on queries
    that it has not met: it is fitted on one half of them and asked about the other, both ways.

    Args:
        knowledge: of the data folder.
        config: the whole tree; `ranking.calibration` is not "none".
        query_model: the trained first stage.
        ranker: the trained second stage.

    Returns:
        The map, and its report: the expected calibration error before, where the probability is
        the sigmoid of the score, and after, with the tables they are taken from.

    Raises:
        UserError: no validation query has its target among its candidates.
    """
    settings = config.ranking
    sources = make_sources(knowledge, config, ranker.tables)
    index = ExactIndex(query_model.item_vectors)
    model = TwoStage(query_model, index, ranker, settings.candidates, sources)
    k = min(model.num_candidates, knowledge.schema.num_items)
    validation = validation_of(knowledge, config)
    outcomes = validation.outcomes(ranking_function(model, k), "calibrate ranking")
    if not outcomes.labels.any():
        raise UserError(
            f"none of the {len(validation)} validation queries has its target among its {k} "
            "candidates, so there is nothing to calibrate on. Raise `ranking.candidates`, or set "
            '`ranking.calibration` to "none".'
        )
    fit = CALIBRATIONS[settings.calibration]
    after = _of_other_half(outcomes, len(validation), settings.calibration, config.training.seed)
    tables = {
        "before": reliability_table(tf.sigmoid(outcomes.scores).numpy(), outcomes.labels),
        "after": reliability_table(after, outcomes.labels),
    }
    report = {
        "kind": settings.calibration,
        "candidates": len(outcomes.labels),
        "ece": {name: table.ece for name, table in tables.items()},
        "reliability": {name: table.rows() for name, table in tables.items()},
    }
    return fit(outcomes.scores, outcomes.labels), report


def _of_other_half(outcomes: Outcomes, num_queries: int, kind: str, seed: int) -> np.ndarray:
    """Probabilities of every outcome, from a map fitted on the queries of the other half."""
    half = np.random.default_rng(seed).permutation(num_queries) % 2
    in_first = half[outcomes.queries] == 0
    probabilities = np.zeros(len(in_first))
    for asked in (in_first, ~in_first):
        # Of one query there is no other half: it is asked about itself.
        known = ~asked if (~asked).any() else asked
        fitted = CALIBRATIONS[kind](outcomes.scores[known], outcomes.labels[known])
        probabilities[asked] = fitted.apply(tf.constant(outcomes.scores[asked])).numpy()
    return probabilities
