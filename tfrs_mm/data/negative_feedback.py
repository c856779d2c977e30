"""What users disliked, as the behaviour job keeps it: no part of histories and targets."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from tfrs_mm.data.input_pipeline import BEHAVIOUR_DIR

NEGATIVES_FILE = "negatives.parquet"


class NegativeFeedback(NamedTuple):
    """Events, ordered by user and time; of the whole log, whatever its split.

    Attributes:
        user_ids: `[n]` objects, `str`.
        items: `[n]` int64 rows.
        times: `[n]` float64 seconds.
    """

    user_ids: np.ndarray
    items: np.ndarray
    times: np.ndarray


def read_negative_feedback(data_dir: str | os.PathLike[str]) -> NegativeFeedback:
    """The negative feedback of a data folder; nothing where its settings know of none."""
    import pyarrow.parquet as pq

    path = pathlib.Path(data_dir) / BEHAVIOUR_DIR / NEGATIVES_FILE
    if not path.is_file():
        return NegativeFeedback(np.array([], object), np.array([], np.int64), np.array([], float))
    table = pq.read_table(path, columns=["user_id", "item", "time"])
    return NegativeFeedback(
        np.array(table["user_id"].to_pylist(), object),
        table["item"].to_numpy().astype(np.int64),
        table["time"].to_numpy().astype(np.float64),
    )
