"""The ranker's tasks in the data: which kind of event each one is, and whose positive is whose."""

import pathlib
from collections.abc import Sequence

import numpy as np

from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError


def task_rows(data_dir: pathlib.Path, tasks: Sequence[str]) -> np.ndarray:
    """`[tasks]` rows of the vocabulary of kinds; none where all kinds are one task.

    Raises:
        UserError: lists the tasks that are no kind of the data.
    """
    if not tasks:
        return np.zeros(0, np.int64)
    kinds = Vocabulary.read(data_dir / "vocabulary" / "events.txt")
    strangers = [task for task in tasks if task not in kinds.ids]
    if strangers:
        raise UserError(
            f"`ranking.tasks` names {strangers}, but the events of {data_dir} are of the kinds "
            f"{list(kinds.ids)}. Name some of these, or leave `ranking.tasks` empty."
        )
    return kinds.rows_of(list(tasks))


def task_labels(events: np.ndarray, rows: np.ndarray, tasks: Sequence[str]) -> np.ndarray:
    """Of which task each positive is one, `[examples, tasks]` bool.

    Args:
        events: `[examples]`, the positives' kinds.
        rows: of `task_rows`.
        tasks: their names.

    Raises:
        UserError: a task has no positive.
    """
    labels = events[:, None] == rows[None, :]
    empty = [task for task, some in zip(tasks, labels.any(axis=0), strict=True) if not some]
    if empty:
        raise UserError(
            f"`ranking.tasks` names {empty}, but none of the ranker's {len(events)} positives is "
            "such an event. Leave them out, or raise `ranking.max_examples` or `ranking.holdout`."
        )
    return labels
