"""What an event must be so that it can be written: ids that are there, numbers that are numbers.

Whether ids are known and times are likely is looked at by the behaviour job, which has the settings
for it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfrs_mm.data.connectors.base import EVENTS, ITEM_ID, RATING, TIMESTAMP, USER_ID
from tfrs_mm.data.connectors.rejects import Rejects, keep_good

_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
_WHOLE = r"^-?[0-9]+$"


def keep_events(
    columns: dict[str, pa.Array], numbers: np.ndarray, source: str, rejects: Rejects
) -> dict[str, pa.Array]:
    """The events that can be written; the others go to the rejects.

    Args:
        columns: `[rows]` strings, by our names.
        numbers: `[rows]`, of the lines in the source.
        source: the name of the file.
        rejects: takes the others.
    """
    faults = [
        (f"{name} is empty", pc.equal(pc.utf8_trim_whitespace(columns[name]), ""))
        for name in (USER_ID, ITEM_ID)
    ]
    for name, pattern, kind in ((RATING, _NUMBER, "number"), (TIMESTAMP, _WHOLE, "whole number")):
        if name in columns:
            fits = pc.match_substring_regex(columns[name], pattern)
            faults.append((f"{name} is no {kind}", pc.invert(fits)))
    return keep_good(columns, numbers, faults, EVENTS, source, rejects)
