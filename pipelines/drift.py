"""What changed from a former run's statistics to those of this one.

Columns come and go, change their type, gain and lose values, and their distributions shift: numbers
in bins at quantiles of both runs, categories and other columns whose values are all known by value;
of the rest only the share of missing cells is compared. Moments are not compared, since a newer log
has newer ones; how many events there are, in total and of each day, is told by `volume`.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipelines.anomalies import CATALOGUE, INTERACTIONS, Anomaly
from pipelines.column_summary import Type
from pipelines.distances import (
    binned,
    difference_by_chance,
    divergence_by_chance,
    jensen_shannon,
    largest_difference,
)
from pipelines.records import EVENT
from tfrs_mm.config import DataConfig

_SHOWN = 5  # values that an anomaly names


def odd_against(
    former: dict[str, Any], current: dict[str, Any], settings: DataConfig
) -> tuple[list[Anomaly], list[dict[str, str]]]:
    """Anomalies, and columns that could not be compared with the reason.

    Args:
        former: statistics of the run before.
        current: statistics of this run.
        settings: the thresholds.
    """
    found: list[Anomaly] = []
    not_compared: list[dict[str, str]] = []
    for table in (INTERACTIONS, CATALOGUE):
        before, now = (statistics[table]["columns"] for statistics in (former, current))
        found += _come_and_gone(table, before, now)
        for name in (name for name in before if name in now):
            if before[name]["type"] != now[name]["type"]:
                found.append(
                    Anomaly(
                        "changed type", table, name, f"type {before[name]['type']}",
                        f"type {now[name]['type']}", 1.0, 0.0,
                    )
                )  # fmt: skip
                continue
            if now[name]["type"] == Type.CATEGORY:
                found += _values(table, name, before[name], now[name], settings)
                reason = _incomplete(before[name], now[name])
                if reason:
                    not_compared.append({"table": table, "column": name, "reason": reason})
            found += _shift(table, name, before[name], now[name], settings)
    return found, not_compared


def _come_and_gone(table: str, before: dict[str, Any], now: dict[str, Any]) -> Iterator[Anomaly]:
    for name in before:
        if name not in now:
            said = f"a column of type {before[name]['type']}"
            yield Anomaly("vanished column", table, name, said, "no such column", 1.0, 0.0)
    for name in now:
        if name not in before:
            said = f"a column of type {now[name]['type']}"
            yield Anomaly("new column", table, name, "no such column", said, 1.0, 0.0)


def _values(
    table: str, name: str, before: dict[str, Any], now: dict[str, Any], settings: DataConfig
) -> Iterator[Anomaly]:
    """Values that are new or gone; kinds of events have rules of their own."""
    kinds = (table, name) == (INTERACTIONS, EVENT)
    for rule, old, new, most in (
        ("new kind" if kinds else "new values", before, now, settings.anomaly_new),
        ("vanished kind" if kinds else "vanished values", now, before, settings.anomaly_vanished),
    ):
        if not old["complete"]:
            continue
        only = {value: count for value, count in new["top"].items() if value not in old["top"]}
        share = sum(only.values()) / max(_num_values(new), 1)
        if share <= most:
            continue
        shown = ", ".join(repr(value) for value in itertools.islice(only, _SHOWN))
        more = f" and {len(only) - _SHOWN} more" if len(only) > _SHOWN else ""
        side = "only now" if new is now else "only in the former run"
        yield Anomaly(
            rule, table, name, f"at most {most:.1%} of the values {side}",
            f"{shown}{more}: {sum(only.values())} of {_num_values(new)}", share, most,
        )  # fmt: skip


def _incomplete(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Why it cannot be said which values are new, or gone; empty where it can."""
    faults = [
        f"the {run} lists {len(column['top'])} of {column['distinct']} values, so none can be "
        f"called {word}"
        for run, column, word in (("former run", before, "new"), ("new run", now, "vanished"))
        if not column["complete"]
    ]
    return "; ".join(faults)


def _shift(
    table: str, name: str, before: dict[str, Any], now: dict[str, Any], settings: DataConfig
) -> Iterator[Anomaly]:
    one, other, bins = _shares(before, now)
    sizes = [_num_values(column) + column["missing"] for column in (before, now)]
    if not all(sizes) or len(one) < 2:
        return
    chance = divergence_by_chance(len(one), *sizes)
    divergence, most = jensen_shannon(one, other), settings.anomaly_divergence + chance
    if divergence > most:
        yield Anomaly(
            "divergence", table, name, f"a Jensen-Shannon divergence of at most {most:.3f} bits",
            f"{divergence:.3f} bits over {len(one)} {bins}", divergence, most,
        )  # fmt: skip
    difference = largest_difference(one, other)
    most = settings.anomaly_difference + difference_by_chance(*sizes)
    if difference > most:
        yield Anomaly(
            "difference", table, name, f"shares that differ by at most {most:.3f} (L-infinity)",
            f"{difference:.3f} over {len(one)} {bins}", difference, most,
        )  # fmt: skip


def _shares(before: dict[str, Any], now: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, str]:
    """Both runs over the same bins, the last of which holds the missing cells, and their name."""
    runs = (before, now)
    missing = [column["missing"] for column in runs]
    if all(column["type"] == Type.NUMBER and "distribution" in column for column in runs):
        shares = binned(before["distribution"], now["distribution"])
        counts = [part * _num_values(column) for part, column in zip(shares, runs, strict=True)]
        name = "bins at quantiles of both runs"
    elif now["type"] == Type.CATEGORY or (
        now["type"] == Type.TEXT and all(column["complete"] for column in runs)
    ):
        values = list(dict.fromkeys([*before["top"], *now["top"]]))
        counts = [_of_values(column, values) for column in runs]
        name = "values"
    else:
        counts = [np.array([_num_values(column)], float) for column in runs]
        name = "bins, present and missing"
    one, other = (np.append(part, none) for part, none in zip(counts, missing, strict=True))
    # What neither has is no bin, and would only raise what is allowed to chance.
    some = (one + other) > 0
    return one[some], other[some], name


def _of_values(column: dict[str, Any], values: list[str]) -> np.ndarray:
    """Counts of these values, and of all others together."""
    listed = [column["top"].get(value, 0) for value in values]
    return np.array([*listed, max(_num_values(column) - sum(listed), 0)], float)


def _num_values(column: dict[str, Any]) -> int:
    """How many values a column has; a cell of a category may hold several."""
    return column.get("values", column["rows"] - column["missing"])
