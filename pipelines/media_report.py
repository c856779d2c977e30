"""What the media job counted, for people and for `items/report.json`."""

from typing import Any

from apache_beam.runners.runner import PipelineResult

from pipelines import catalogue, item_records
from pipelines.cache_steps import DAMAGED, LOST
from pipelines.outcomes import EMBEDDED, FROM_CACHE, MISSING, PRESENT, REJECTED, REPEATED
from pipelines.read_given import GIVEN_AGAIN, UNKNOWN
from pipelines.runners import counters
from tfrs_mm.schema import Schema

# Of each modality: its items by outcome, then where the embeddings of those that have it are from.
_COUNTED = (PRESENT, MISSING, EMBEDDED, FROM_CACHE, REPEATED)
# Told only where there are any.
_SELDOM = (DAMAGED, LOST, UNKNOWN, GIVEN_AGAIN)


def report_of(result: PipelineResult, schema: Schema, seconds: float) -> dict[str, Any]:
    """The counters of the finished job.

    Args:
        result: of the job.
        schema: of the item records.
        seconds: that the job took.
    """
    lines = counters(result, catalogue.NAMESPACE)
    items = lines.get(item_records.WRITTEN, 0)
    found = {modality.value: counters(result, modality.value) for modality in schema.modalities}
    report: dict[str, Any] = {
        "items": items,
        catalogue.UNKNOWN: lines.get(catalogue.UNKNOWN, 0),
        catalogue.REPEATED: lines.get(catalogue.REPEATED, 0),
        "share": {
            name: round(counts.get(PRESENT, 0) / max(items, 1), 6) for name, counts in found.items()
        },
    }
    for counter in _COUNTED:
        report[counter] = {name: counts.get(counter, 0) for name, counts in found.items()}
    for counter in _SELDOM:
        some = {name: counts[counter] for name, counts in found.items() if counts.get(counter)}
        if some:
            report[counter] = some
    report["rejected"] = {
        name: {
            reason.removeprefix(REJECTED): count
            for reason, count in sorted(counts.items())
            if reason.startswith(REJECTED)
        }
        for name, counts in found.items()
    }
    return report | {"seconds": round(seconds, 1)}
