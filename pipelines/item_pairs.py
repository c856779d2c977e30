"""Pairs of items in training timelines: made from one partition, added up over all.

A pair is two different items of one user, at most `data.transition_window` steps apart. It weighs
2^(-(steps - 1) / half-life), times 2^(-age / half-life in days) where ages count: the age of its
later event, seen from the newest training event. Weights are whole numbers of 2^-20, rounded once
for each pair. So sums are exact, and neither partitions, nor their order, nor the runner shows in
them. What weighs half of that or less, such as a pair 21 half-lives old, is no pair.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from tfrs_mm.config import DataConfig

UNIT = 2.0**-20  # of a weight; 2^43 pairs that weigh 1 fit into a sum

_PAIRS_AT_ONCE = 2**20  # that a worker makes before they are added up
_SECONDS_A_DAY = 86_400

# Items and seconds `[events]`, by user, then time, and how many of the events each user has.
Timelines = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class PairSums:
    """Summed weights of pairs; every pair stands under either of its items.

    Attributes:
        keys: `[pairs]` int64, distinct and ascending: `from * size + to`, `size` the rows there
            are.
        forward: `[pairs]` int64 units, where `to` came after `from`.
        backward: `[pairs]` int64 units, where it came before.
    """

    keys: np.ndarray
    forward: np.ndarray
    backward: np.ndarray


def pairs_of(
    timelines: Timelines, newest: int, settings: DataConfig
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Stretches of pairs: the earlier items, the later items, and what each pair weighs in units.

    Args:
        timelines: of a partition.
        newest: second of the newest training event of all.
        settings: the fields `transition_*`.
    """
    items, seconds, lengths = timelines
    owners = np.repeat(np.arange(len(lengths)), lengths)
    by_age = np.ones(len(items))
    if settings.transition_half_life_days:
        days = (newest - seconds) / _SECONDS_A_DAY
        by_age = np.exp2(-days / settings.transition_half_life_days)
    stretch = max(_PAIRS_AT_ONCE // settings.transition_window, 1)  # of later events
    for begin in range(0, len(items), stretch):
        end = min(begin + stretch, len(items))
        parts = []
        for steps in range(1, settings.transition_window + 1):
            later = np.arange(max(begin, steps), end)
            earlier = later - steps
            by_steps = 2.0 ** (-(steps - 1) / settings.transition_half_life)
            units = np.rint(by_steps * by_age[later] / UNIT).astype(np.int64)
            paired = (owners[earlier] == owners[later]) & (items[earlier] != items[later])
            paired &= units > 0
            parts.append((items[earlier[paired]], items[later[paired]], units[paired]))
        earlier, later, units = (np.concatenate(column) for column in zip(*parts, strict=True))
        yield earlier, later, units


def sums_of(earlier: np.ndarray, later: np.ndarray, units: np.ndarray, size: int) -> PairSums:
    """Adds up `[n]` pairs, as `pairs_of` gives them."""
    none = np.zeros_like(units)
    return _summed(
        np.concatenate([earlier * size + later, later * size + earlier]),
        np.concatenate([units, none]),
        np.concatenate([none, units]),
    )


class AddPairs(beam.CombineFn):
    """Sums of pairs to those of all.

    Tables wait until they weigh as much as the first one together, so that a pair is moved a
    logarithmic number of times.
    """

    def create_accumulator(self) -> list[PairSums]:
        return []

    def add_input(self, accumulator: list[PairSums], sums: PairSums) -> list[PairSums]:
        tables = [*accumulator, sums]
        waiting = sum(len(table.keys) for table in tables[1:])
        return self.compact(tables) if waiting >= len(tables[0].keys) else tables

    def merge_accumulators(self, accumulators: Iterable[list[PairSums]]) -> list[PairSums]:
        return self.compact([table for accumulator in accumulators for table in accumulator])

    def compact(self, accumulator: list[PairSums]) -> list[PairSums]:
        if len(accumulator) < 2:
            return accumulator
        columns = (
            np.concatenate([getattr(table, field.name) for table in accumulator])
            for field in dataclasses.fields(PairSums)
        )
        return [_summed(*columns)]

    def extract_output(self, accumulator: list[PairSums]) -> PairSums:
        none = np.zeros(0, np.int64)
        return self.compact([PairSums(none, none, none), *accumulator])[0]


def _summed(keys: np.ndarray, forward: np.ndarray, backward: np.ndarray) -> PairSums:
    """Adds up what stands under equal keys."""
    order = np.argsort(keys, kind="stable")  # which merges sorted tables in linear time
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return PairSums(
        keys[first],
        np.add.reduceat(forward[order], first),
        np.add.reduceat(backward[order], first),
    )
