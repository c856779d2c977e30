"""Metrics of lists for all queries and for each slice, and how two recommenders differ in them."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfrs_mm.evaluation.evaluate import Ranked
from tfrs_mm.evaluation.lists import coverage, diversity, gini, novelty
from tfrs_mm.evaluation.metrics import METRICS, bootstrap_interval, query_metrics
from tfrs_mm.evaluation.questions import Questions

LIST_LENGTH = 10  # places that coverage, Gini, novelty and diversity look at


@dataclasses.dataclass(frozen=True)
class Measured:
    """Metrics of one recommender before anything is averaged.

    Attributes:
        names: of the columns of `values`.
        values: `[queries, metrics]`; NaN where a metric says nothing of a query.
        of_all: metrics that all lists together have.
        slices: by name, `[queries of the slice, len(METRICS)]`.
    """

    names: tuple[str, ...]
    values: np.ndarray
    of_all: dict[str, float]
    slices: dict[str, np.ndarray]


def measure(ranked: Ranked, questions: Questions) -> Measured:
    """Every metric of every list.

    Args:
        ranked: a list for each query.
        questions: the queries.
    """
    corpus, k = questions.corpus, LIST_LENGTH
    columns = {f"novelty@{k}": novelty(ranked.rows, k, corpus.counts)}
    if corpus.modalities:
        columns[f"diversity@{k}"] = diversity(ranked.rows, k, corpus.content, corpus.present)
    values = query_metrics(ranked.rows, questions.relevant)
    return Measured(
        (*_metric_names(), *columns),
        np.column_stack([values, *columns.values()]),
        {
            f"coverage@{k}": coverage(ranked.rows, k, corpus.size),
            f"gini@{k}": gini(ranked.rows, k, corpus.size),
        },
        {
            name: query_metrics(ranked.rows[places], relevant)
            for name, places, relevant in questions.slices()
        },
    )


def report(measured: Measured, seed: int = 0) -> dict[str, Any]:
    """Metrics with 95% intervals over queries, for all of them and for each slice.

    Args:
        measured: see `measure`.
        seed: of the bootstrap.
    """
    return {
        "queries": len(measured.values),
        "metrics": summary(measured.values, measured.names, seed)
        | {name: {"value": value} for name, value in measured.of_all.items()},
        "slices": {
            name: {"queries": len(values), "metrics": summary(values, seed=seed)}
            for name, values in measured.slices.items()
        },
    }


def difference(ours: Measured, other: Measured, seed: int = 0) -> dict[str, Any]:
    """How much more one recommender has than another of each metric, on the same queries.

    The bootstrap draws queries, and each brings both its values: what makes a query hard for both
    cancels, so that the interval is narrower than those of the two recommenders.

    Args:
        ours: of the first.
        other: of the second, measured on the same questions.
        seed: of the bootstrap.

    Returns:
        As `report` does, each metric with `value`, `low` and `high` of the difference, and with
        `ours` and `other`; those of all lists together have no interval.

    Raises:
        ValueError: the two were measured on different questions.
    """
    if len(ours.values) != len(other.values) or list(ours.slices) != list(other.slices):
        raise ValueError(
            f"`ours` and `other` must be measured on the same questions, received "
            f"{len(ours.values)} queries in {list(ours.slices)} and {len(other.values)} in "
            f"{list(other.slices)}. Measure both on those that both have."
        )
    of_all = {
        name: {"value": value - other.of_all[name], "ours": value, "other": other.of_all[name]}
        for name, value in ours.of_all.items()
    }
    return {
        "queries": len(ours.values),
        "metrics": _paired(ours.values, other.values, ours.names, seed) | of_all,
        "slices": {
            name: {
                "queries": len(values),
                "metrics": _paired(values, other.slices[name], _metric_names(), seed),
            }
            for name, values in ours.slices.items()
        },
    }


def summary(
    values: np.ndarray, names: Sequence[str] | None = None, seed: int = 0
) -> dict[str, dict[str, float]]:
    """`[queries, metrics]` as `{"ndcg@10": {"value", "low", "high"}, ...}`.

    A metric that says nothing of any query is left out.
    """
    names = _metric_names() if names is None else names
    figures = zip(names, *bootstrap_interval(values, seed=seed), strict=True)
    return {
        name: {"value": float(value), "low": float(low), "high": float(high)}
        for name, value, low, high in figures
        if np.isfinite(value)
    }


def _paired(
    ours: np.ndarray, other: np.ndarray, names: Iterable[str], seed: int
) -> dict[str, dict[str, float]]:
    """Of the queries of which a metric says something in both."""
    figures = summary(ours - other, tuple(names), seed)
    for place, name in enumerate(names):
        if name in figures:
            both = np.isfinite(ours[:, place] - other[:, place])
            figures[name]["ours"] = float(ours[both, place].mean())
            figures[name]["other"] = float(other[both, place].mean())
    return figures


def _metric_names() -> tuple[str, ...]:
    return tuple(f"{name}@{k}" for name, k in METRICS)
