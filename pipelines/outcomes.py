"""What may become of an item's medium: each outcome counted, each fault told with its reason.

An item has a modality, lacks it, or is rejected. Where it has it and the job embeds, the embedding
was made, came from the cache, or is that of an item with the same bytes; the three add up.
"""

import dataclasses
from typing import NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.job_progress import JobProgress
from tfrs_mm.schema import Modality

MISSING = "missing"
PRESENT = "present"
REJECTED = "rejected: "  # and the reason

EMBEDDED = "embedded"
FROM_CACHE = "from cache"
REPEATED = "repeated"

REJECTS = "rejects"  # the tagged output that takes what is rejected
NOT_FINITE = "embedding is not finite"


class Medium(NamedTuple):
    """An item's row and id, and what the catalogue says of its medium: a path, or the text."""

    row: int
    item_id: str
    cell: str


class Content(NamedTuple):
    """Bytes by their digest, and the items whose medium they are, ordered by row."""

    digest: bytes
    media: tuple[Medium, ...]


@dataclasses.dataclass(frozen=True)
class Embedded:
    """What becomes of one modality.

    Attributes:
        embeddings: `(row, [dim] float32)`, one for each item that has the modality.
        rejects: dicts with `reason`, `where`, `item_id`, `modality`.
    """

    embeddings: beam.PCollection
    rejects: beam.PCollection


class CountedDoFn(beam.DoFn):
    """Counts under the modality's name."""

    def __init__(self, modality: Modality, progress: JobProgress) -> None:
        self._modality, self._progress = modality, progress

    def _count(self, name: str, amount: int = 1) -> None:
        if amount:
            Metrics.counter(self._modality.value, name).inc(amount)

    def _settle(self, outcome: str, items: int = 1) -> None:
        """Counts items whose outcome is known now."""
        self._count(outcome, items)
        self._progress.advance(items)

    def _reject(self, item_id: str, where: str, reason: str) -> beam.pvalue.TaggedOutput:
        self._settle(REJECTED + reason)
        return self._told(item_id, where, reason)

    def _told(self, item_id: str, where: str, reason: str) -> beam.pvalue.TaggedOutput:
        """A line of the rejects for what is no item's outcome."""
        reject = {
            "reason": reason, "where": where, "item_id": item_id, "modality": self._modality.value
        }  # fmt: skip
        return beam.pvalue.TaggedOutput(REJECTS, reject)


class MediaDoFn(CountedDoFn):
    """Settles media one by one."""

    def _reject_medium(self, medium: Medium, reason: str) -> beam.pvalue.TaggedOutput:
        where = "title, description" if self._modality is Modality.TEXT else medium.cell
        return self._reject(medium.item_id, where, reason)
