"""Several combiners as one: inputs that bear a combiner's name are combined by it.

Inputs are combined within each bundle where they arise, and only what they add up to is joined and
merged: branches that are joined before are stored whole by some runners.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

Named = tuple[str, Any]


class CombineBundles(beam.DoFn):
    """`(name, input)` to `(name, accumulator)` of a bundle."""

    def __init__(self, combiners: Mapping[str, beam.CombineFn]) -> None:
        self._combiners = dict(combiners)

    def start_bundle(self) -> None:
        """Begins anew."""
        self._parts: dict[str, Any] = {}

    def process(self, element: Named) -> None:
        """See the class."""
        name, value = element
        combine = self._combiners[name]
        part = self._parts[name] if name in self._parts else combine.create_accumulator()
        self._parts[name] = combine.add_input(part, value)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Hands over what the bundle adds up to."""
        for name, part in self._parts.items():
            compacted = (name, self._combiners[name].compact(part))
            yield WindowedValue(compacted, GlobalWindow().max_timestamp(), [GlobalWindow()])


class MergeByName(beam.CombineFn):
    """`(name, accumulator)` to a dict of every combiner's output by its name."""

    def __init__(self, combiners: Mapping[str, beam.CombineFn]) -> None:
        self._combiners = dict(combiners)

    def create_accumulator(self) -> dict[str, Any]:
        return {name: combine.create_accumulator() for name, combine in self._combiners.items()}

    def add_input(self, parts: dict[str, Any], element: Named) -> dict[str, Any]:
        name, part = element
        return parts | {name: self._combiners[name].merge_accumulators([parts[name], part])}

    def merge_accumulators(self, parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
        parts = list(parts)
        return {
            name: combine.merge_accumulators([part[name] for part in parts])
            for name, combine in self._combiners.items()
        }

    def extract_output(self, parts: dict[str, Any]) -> dict[str, Any]:
        return {
            name: combine.extract_output(parts[name]) for name, combine in self._combiners.items()
        }
