"""What a conversion leaves out: one JSON object a line, written as it is met, and counted."""

import collections
import json
from collections.abc import Sequence
from typing import TextIO

import numpy as np
import pyarrow as pa

_TEXT_SHOWN = 500  # characters of a broken line that are kept


class Rejects:
    """An open file of rejects."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()

    def add(self, table: str, reason: str, where: str, record: dict[str, str]) -> None:
        """Keeps one record of a table with its reason and its place in the source."""
        self._counts[table, reason] += 1
        reject = {"table": table, "reason": reason, "where": where, "record": record}
        # Escaped, since what is rejected may hold what has no UTF-8 form.
        self._file.write(json.dumps(reject) + "\n")

    def add_line(self, table: str, reason: str, where: str, text: str) -> None:
        """Keeps the beginning of a line that is no record."""
        shown = text[:_TEXT_SHOWN] + ("..." if len(text) > _TEXT_SHOWN else "")
        self.add(table, reason, where, {"row": shown})

    def count(self, table: str) -> int:
        """How many records of a table were rejected."""
        return sum(count for (of, _), count in self._counts.items() if of == table)

    def reasons(self) -> dict[str, int]:
        """How many were rejected for what, by table and reason."""
        return {f"{of}: {reason}": n for (of, reason), n in sorted(self._counts.items())}


def keep_good(
    columns: dict[str, pa.Array],
    numbers: np.ndarray,
    faults: Sequence[tuple[str, pa.BooleanArray]],
    table: str,
    source: str,
    rejects: Rejects,
) -> dict[str, pa.Array]:
    """The rows without a fault; the others go to the rejects with the first fault they have.

    Args:
        columns: `[rows]` strings each.
        numbers: `[rows]`, of the lines in the source.
        faults: reasons, and `[rows]` whether it holds.
        table: the rejects' name for it.
        source: the name of the file.
        rejects: takes the others.
    """
    fault = np.full(len(numbers), -1)
    for place, (_, holds) in reversed(list(enumerate(faults))):
        fault[holds.to_numpy(zero_copy_only=False)] = place
    bad = np.flatnonzero(fault >= 0)
    if not len(bad):
        return columns
    records = pa.table(columns).take(pa.array(bad)).to_pylist()
    for row, record in zip(bad.tolist(), records, strict=True):
        record = {name: value or "" for name, value in record.items()}
        rejects.add(table, faults[fault[row]][0], f"{source}:{numbers[row]}", record)
    good = pa.array(fault < 0)
    return {name: column.filter(good) for name, column in columns.items()}
