"""Moments of embeddings inside a job, by two combiners that never hold the embeddings.

The first finds the range of each dimension, the second adds up what is rounded within it; both are
exact, so that bundles, workers and runners do not show in a bit of the result. What is held, and
sent, is two numbers a dimension, and two for each pair of dimensions with one block of rows; it
does not grow with the catalogue.
"""

from collections.abc import Iterable

import apache_beam as beam
import numpy as np

from tfrs_mm.data.exact_moments import (
    ROWS_OF_A_BLOCK,
    ExactSums,
    FixedPoint,
    Ranges,
    moments_of,
)


class FitMoments(beam.PTransform):
    """`[dim]` embeddings, finite, to their `Moments`, one element even where there is none."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self._dim = dim

    def expand(self, embeddings: beam.PCollection) -> beam.PCollection:
        """See the class."""
        frame = (
            embeddings
            | "FindRanges" >> beam.CombineGlobally(FindRanges(self._dim))
            | "FixPoint" >> beam.Map(FixedPoint.of)
        )
        sums = (
            embeddings
            | "Round" >> beam.Map(_rounded, beam.pvalue.AsSingleton(frame))
            | "AddUp" >> beam.CombineGlobally(AddUp(self._dim))
        )
        return sums | "FindMoments" >> beam.Map(moments_of, beam.pvalue.AsSingleton(frame))


def _rounded(embedding: np.ndarray, frame: FixedPoint) -> np.ndarray:
    return frame.rounded(embedding)


class FindRanges(beam.CombineFn):
    """`[dim]` embeddings to their `Ranges`."""

    def __init__(self, dim: int) -> None:
        self._dim = dim

    def create_accumulator(self) -> Ranges:
        return Ranges.none(self._dim)

    def add_input(self, accumulator: Ranges, embedding: np.ndarray) -> Ranges:
        return accumulator.including(embedding)

    def merge_accumulators(self, accumulators: Iterable[Ranges]) -> Ranges:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged = merged.merged(accumulator)
        return merged

    def extract_output(self, accumulator: Ranges) -> Ranges:
        return accumulator


Waiting = tuple[ExactSums, list[np.ndarray]]  # and less than a block of rows beside the sums


class AddUp(beam.CombineFn):
    """`[dim]` int32 to their `ExactSums`, multiplied a block at a time."""

    def __init__(self, dim: int) -> None:
        self._dim = dim

    def create_accumulator(self) -> Waiting:
        return ExactSums.none(self._dim), []

    def add_input(self, accumulator: Waiting, rounded: np.ndarray) -> Waiting:
        accumulator[1].append(rounded)
        return self.compact(accumulator) if len(accumulator[1]) == ROWS_OF_A_BLOCK else accumulator

    def merge_accumulators(self, accumulators: Iterable[Waiting]) -> Waiting:
        merged = ExactSums.none(self._dim)
        for accumulator in accumulators:
            merged = merged.merged(self.extract_output(accumulator))
        return merged, []

    def compact(self, accumulator: Waiting) -> Waiting:
        """Sums alone, which is what a worker sends."""
        return self.extract_output(accumulator), []

    def extract_output(self, accumulator: Waiting) -> ExactSums:
        sums, rows = accumulator
        return sums.merged(ExactSums.of(np.stack(rows))) if rows else sums
