"""What may be wrong with the ids of a table, each distinct one looked at once."""

import numpy as np
import pyarrow as pa

from pipelines.table_blocks import REPLACEMENT
from tfrs_mm.data.vocabulary import is_legal_id

_EMPTY, _NOT_UTF8, _CONTROLS = ID_FAULTS = ("is empty", "is not UTF-8", "has control characters")


def id_faults(column: str, values: pa.Array) -> list[tuple[str, np.ndarray]]:
    """What may be wrong with `[n]` ids, and where it is; each distinct one is looked at once."""
    encoded = values.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    # All at once first, since hardly any block has a fault.
    if all(distinct) and not (distinct and id_fault("".join(distinct))):
        return [(f"{column} {fault}", np.zeros(len(values), bool)) for fault in ID_FAULTS]
    found = np.array([id_fault(value) for value in distinct], object)
    found = found[encoded.indices.to_numpy()]
    return [(f"{column} {fault}", found == fault) for fault in ID_FAULTS]


def id_fault(value: str) -> str | None:
    """Which of `ID_FAULTS` an id has, if any."""
    if is_legal_id(value):
        return _NOT_UTF8 if REPLACEMENT in value else None
    return _CONTROLS if value else _EMPTY
