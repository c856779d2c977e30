"""Media gathered in groups that depend on their bytes alone.

The last bits of an embedding depend on its place in a batch, and those of a text's on the longest
text beside it. A runner's bundles would decide both; the digests of the media and how many there
are do not. Groups are of what names the media, before anything is decoded.
"""

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from pipelines.outcomes import Content


class GroupMedia(beam.PTransform):
    """`Content`s to lists of them, each of about `size`, ordered by digest."""

    def __init__(self, size: int) -> None:
        """Says how many media a list has on average."""
        super().__init__()
        self._size = size

    def expand(self, contents: beam.PCollection) -> beam.PCollection:
        """See the class."""
        count = contents | "CountMedia" >> beam.combiners.Count.Globally()
        return (
            contents
            | "NumberGroups" >> beam.Map(_numbered, AsSingleton(count), self._size)
            | "GatherGroups" >> beam.GroupByKey()
            | "OrderGroups" >> beam.MapTuple(_ordered)
        )


def _numbered(content: Content, count: int, size: int) -> tuple[int, Content]:
    groups = max(1, count // size)
    return int.from_bytes(content.digest[:8], "big") % groups, content


def _ordered(_: int, contents: Iterable[Content]) -> list[Content]:
    return sorted(contents)
