"""What an event says of how well its item was liked, besides its kind: a rating, or how long it
lasted."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.event_times import numbers_of
from pipelines.log_files import DURATION


def read_values(
    texts: pa.Array | None, count: int, column: str
) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """The values, and what is wrong where.

    Args:
        texts: `[n]`, if the log has them; an empty one says nothing.
        count: n.
        column: `rating` or `duration`, in seconds.

    Returns:
        `[n]` float32, NaN where nothing is said, and faults with their `[n]` bool.
    """
    if texts is None:
        return np.full(count, np.nan, np.float32), []
    said = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    numbers = numbers_of(pc.if_else(pa.array(said), texts, "0"))
    impossible, fault = ~np.isfinite(numbers), "rating is no number"
    if column == DURATION:
        impossible, fault = impossible | (numbers < 0), "duration is no number of seconds"
    values = np.where(said & ~impossible, numbers, np.nan).astype(np.float32)
    return values, [(fault, said & impossible)]
