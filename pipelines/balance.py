"""Where the events that were read have gone: every one of them is counted once."""

from collections.abc import Mapping

from pipelines import cleaning, cores, shards
from pipelines.records import READ, REJECTED
from pipelines.splitting import COLD_ITEMS, COLD_USERS, GAPS, LEFT_OUT

UNACCOUNTED = "unaccounted"
# In the order in which they leave the job.
PARTS = (
    REJECTED, cleaning.NEGATIVES, cleaning.OF_ROBOTS, shards.EXACT, shards.NEAR, shards.REPEATS,
    cores.EVENTS_OUTSIDE, GAPS, COLD_ITEMS, COLD_USERS, LEFT_OUT, shards.TRAINED,
    shards.VALID, shards.TEST,
)  # fmt: skip


def balance_of(report: Mapping[str, int]) -> dict[str, int]:
    """The events read, where they went, and how many of them are `unaccounted` for.

    These are 0, but on a runner that counts a bundle twice which it had to repeat.

    Args:
        report: counters by name.
    """
    parts = {name: report[name] for name in PARTS}
    return {READ: report[READ], **parts, UNACCOUNTED: report[READ] - sum(parts.values())}
