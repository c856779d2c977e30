"""Several combiners as one: each gets the inputs that bear its name."""

from collections.abc import Iterable, Mapping
from typing import Any

import apache_beam as beam


class CombineByName(beam.CombineFn):
    """`(name, input)` to a dict of every combiner's output by its name."""

    def __init__(self, combiners: Mapping[str, beam.CombineFn]) -> None:
        self._combiners = dict(combiners)

    def create_accumulator(self) -> dict[str, Any]:
        return {name: combine.create_accumulator() for name, combine in self._combiners.items()}

    def add_input(self, parts: dict[str, Any], element: tuple[str, Any]) -> dict[str, Any]:
        name, value = element
        return parts | {name: self._combiners[name].add_input(parts[name], value)}

    def merge_accumulators(self, parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
        parts = list(parts)
        return {
            name: combine.merge_accumulators([part[name] for part in parts])
            for name, combine in self._combiners.items()
        }

    def compact(self, parts: dict[str, Any]) -> dict[str, Any]:
        return {name: combine.compact(parts[name]) for name, combine in self._combiners.items()}

    def extract_output(self, parts: dict[str, Any]) -> dict[str, Any]:
        return {
            name: combine.extract_output(parts[name]) for name, combine in self._combiners.items()
        }
