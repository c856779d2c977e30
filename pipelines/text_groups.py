"""Texts gathered for the encoder in groups that depend on the texts alone.

A batch of texts is as long as its longest, and the last bits of an embedding depend on that length.
A runner's bundles would decide it; the digests of the texts and how many there are do not.
"""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

Text = tuple[Any, Any]  # what has a digest, and the arrays


class GroupTexts(beam.PTransform):
    """`(Content, arrays)` to lists of them, each of about `size`, ordered by digest."""

    def __init__(self, size: int) -> None:
        """Says how many texts a list has on average."""
        super().__init__()
        self._size = size

    def expand(self, texts: beam.PCollection) -> beam.PCollection:
        """See the class."""
        count = texts | "CountTexts" >> beam.combiners.Count.Globally()
        return (
            texts
            | "NumberGroups" >> beam.Map(_numbered, AsSingleton(count), self._size)
            | "GatherGroups" >> beam.GroupByKey()
            | "OrderGroups" >> beam.MapTuple(_ordered)
        )


def _numbered(text: Text, count: int, size: int) -> tuple[int, Text]:
    groups = max(1, count // size)
    return int.from_bytes(text[0].digest[:8], "big") % groups, text


def _ordered(_: int, texts: Iterable[Text]) -> list[Text]:
    return sorted(texts, key=lambda text: text[0].digest)
