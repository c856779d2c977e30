"""A uniform sample of a table's rows that does not depend on their order.

Every row has a number of its own; the rows whose numbers have the smallest hashes are the sample.
"""

import dataclasses

import numpy as np
import pyarrow as pa

from pipelines.text_hashes import mixed

SAMPLED_ROWS = 4096
# Of a share that is estimated from the sample: sqrt(0.5 * 0.5 / 4096), less for smaller shares.
STANDARD_ERROR = 0.5 / SAMPLED_ROWS**0.5


@dataclasses.dataclass(frozen=True)
class RowSample:
    """Rows of a table.

    Attributes:
        hashes: `[rows]` uint64 of the rows' numbers, ascending.
        rows: the rows themselves, in the same order.
    """

    hashes: np.ndarray
    rows: pa.Table

    @classmethod
    def of(cls, table: pa.Table, numbers: np.ndarray) -> "RowSample":
        """Draws from a table whose rows have these numbers, `[rows]` int64."""
        return _fitted(mixed(numbers), table)

    def merged(self, other: "RowSample") -> "RowSample":
        """A sample of both tables."""
        return _fitted(
            np.concatenate([self.hashes, other.hashes]), pa.concat_tables([self.rows, other.rows])
        )


def _fitted(hashes: np.ndarray, table: pa.Table) -> RowSample:
    kept = np.argsort(hashes)[:SAMPLED_ROWS]
    # Taken, not sliced: a slice would be pickled with all the buffers behind it.
    return RowSample(hashes[kept], table.take(pa.array(kept)).combine_chunks())
