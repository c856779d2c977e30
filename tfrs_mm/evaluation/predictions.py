"""Lists as the neutral evaluator reads them: `user_id,rank,item_id,score`, best first."""

import csv
import os
import pathlib
from collections.abc import Sequence

from tfrs_mm.artefacts import whole_file
from tfrs_mm.evaluation.evaluate import Ranked


def write_predictions(
    path: str | os.PathLike[str], user_ids: Sequence[str], item_ids: Sequence[str], ranked: Ranked
) -> int:
    """Writes one line for each filled place, whole or not at all.

    Args:
        path: the CSV file.
        user_ids: of each query.
        item_ids: by row; row 0 is the empty place.
        ranked: the lists.

    Returns:
        The number of lines.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = 0
    with whole_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["user_id", "rank", "item_id", "score"])
        for user_id, rows, scores in zip(user_ids, ranked.rows, ranked.scores, strict=True):
            for rank, (row, score) in enumerate(
                zip(rows[rows > 0], scores[rows > 0], strict=True), start=1
            ):
                writer.writerow([user_id, rank, item_ids[row], repr(float(score))])
                lines += 1
    return lines
