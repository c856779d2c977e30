"""Whether a run has as many rows as a former one, in total and of each day.

A day that both runs have is compared with itself. A day behind the former run is compared with that
run's days, those without any event included: it is odd if it lies below the 5 % quantile or above
the 95 % quantile of their counts by more than the settings allow.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipelines.anomalies import CATALOGUE, INTERACTIONS, Anomaly
from pipelines.records import TIMESTAMP
from tfrs_mm.config import DataConfig

_LOW, _HIGH = 0.05, 0.95


def odd_volume(
    former: dict[str, Any], current: dict[str, Any], settings: DataConfig
) -> Iterator[Anomaly]:
    """Drops and jumps.

    Args:
        former: statistics of the run before.
        current: statistics of this run.
        settings: the thresholds.
    """
    for table in (INTERACTIONS, CATALOGUE):
        yield from _total(table, former[table]["rows"], current[table]["rows"], settings)
    before, now = (run[INTERACTIONS]["per_day"] for run in (former, current))
    if before["exact"] and now["exact"] and before["days"] and now["days"]:
        yield from _days(_Days(before["days"]), _Days(now["days"]), settings)


def _total(table: str, before: int, now: int, settings: DataConfig) -> Iterator[Anomaly]:
    if not before:
        return
    for rule, change, most, word in (
        ("volume drop", 1 - now / before, settings.anomaly_drop, "fewer"),
        ("volume jump", now / before - 1, settings.anomaly_jump, "more"),
    ):
        if change > most:
            yield Anomaly(
                rule, table, "", f"at most {most:.0%} {word} rows than {before}", f"{now} rows",
                change, most,
            )  # fmt: skip


class _Days:
    """Events by day, as columns.

    Attributes:
        numbers: `[days]` int64, days since 1970, ascending.
        counts: `[days]` int64.
    """

    def __init__(self, days: dict[str, int]) -> None:
        numbers = np.array(list(days), "datetime64[D]").astype(np.int64)
        order = np.argsort(numbers)
        self.numbers = numbers[order]
        self.counts = np.array(list(days.values()), np.int64)[order]

    def of(self, days: np.ndarray) -> np.ndarray:
        """Counts of `[n]` days, 0 where there is none."""
        places = np.clip(np.searchsorted(self.numbers, days), 0, len(self.numbers) - 1)
        return np.where(self.numbers[places] == days, self.counts[places], 0)

    def quantile(self, share: float) -> int:
        """Of the counts of all days from the first to the last, those without events included."""
        days = int(self.numbers[-1] - self.numbers[0]) + 1
        rank = max(int(np.ceil(share * days)), 1) - (days - len(self.counts))
        return int(np.sort(self.counts)[rank - 1]) if rank >= 1 else 0


def _days(before: _Days, now: _Days, settings: DataConfig) -> Iterator[Anomaly]:
    low, high = before.quantile(_LOW), before.quantile(_HIGH)
    days = _to_compare(before, now)
    counts, own = now.of(days), before.of(days)
    known = own > 0
    for rule, usual, most, word in (
        ("day drop", np.where(known, own, low), settings.anomaly_drop, "fewer"),
        ("day jump", np.where(known, own, high), settings.anomaly_jump, "more"),
    ):
        some = usual > 0
        change = np.where(some, counts / np.where(some, usual, 1) - 1, 0.0)
        change = -change if word == "fewer" else change
        odd = np.flatnonzero(change > most)
        if not len(odd):
            continue
        worst = odd[np.argmax(change[odd])]
        day = np.datetime_as_string(days[worst].astype("datetime64[D]"))
        yield Anomaly(
            rule, INTERACTIONS, TIMESTAMP,
            f"at most {most:.0%} {word} events a day than in the former run",
            f"{len(odd)} days, most of all {day} with {counts[worst]} events instead of "
            f"{usual[worst]}",
            float(change[worst]), most,
        )  # fmt: skip


def _to_compare(before: _Days, now: _Days) -> np.ndarray:
    """`[n]` days: of the former run those between this run's first and last, this run's behind the
    former, and of each gap among these the first day without an event."""
    first, last = now.numbers[0], now.numbers[-1]
    common = before.numbers[(before.numbers >= first) & (before.numbers <= last)]
    newer = now.numbers[now.numbers > before.numbers[-1]]
    start = max(int(before.numbers[-1]), int(first))
    ends = np.concatenate([[start], newer])
    gaps = ends[:-1][np.diff(ends) > 1] + 1
    return np.unique(np.concatenate([common, newer, gaps]))
