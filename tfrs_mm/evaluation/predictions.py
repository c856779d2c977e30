"""Lists as the neutral evaluator reads them: `user_id,rank,item_id,score`, best first."""

import csv
import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from tfrs_mm.artefacts import whole_file
from tfrs_mm.errors import UserError
from tfrs_mm.evaluation.evaluate import TOP, Ranked

COLUMNS = ("user_id", "rank", "item_id", "score")


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
        writer.writerow(COLUMNS)
        for user_id, rows, scores in zip(user_ids, ranked.rows, ranked.scores, strict=True):
            for rank, (row, score) in enumerate(
                zip(rows[rows > 0], scores[rows > 0], strict=True), start=1
            ):
                writer.writerow([user_id, rank, item_ids[row], repr(float(score))])
                lines += 1
    return lines


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Lists of another recommender, for those of the queries that it has lists for.

    Attributes:
        places: `[users]` of the queries, ascending.
        ranked: the lists, in that order.
        strangers: users with a list whom no query asks for.
    """

    places: np.ndarray
    ranked: Ranked
    strangers: int


@dataclasses.dataclass(frozen=True)
class _Line:
    number: int
    rank: int
    row: int
    score: float


def read_predictions(
    path: str | os.PathLike[str],
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    seen: Sequence[np.ndarray],
    k: int = TOP,
) -> Predictions:
    """Reads what `write_predictions` or another program wrote; lines may have any order.

    Args:
        path: the CSV file, with a header; further columns are not looked at.
        user_ids: of each query.
        item_ids: by row; row 0 is the empty place.
        seen: rows that each user has had, which may not be in the lists.
        k: items of a list at most.

    Raises:
        UserError: there is no such file, or a line breaks a rule; it names the line.
    """
    place_of = {str(user_id): place for place, user_id in enumerate(user_ids)}
    row_of = {str(item_id): row for row, item_id in enumerate(item_ids) if row > 0}
    lists: dict[int, list[_Line]] = {}
    strangers: set[str] = set()
    for number, user_id, cells in _read_lines(path):
        line = _parse(path, number, cells, row_of)
        if user_id not in place_of:
            strangers.add(user_id)
            continue
        place = place_of[user_id]
        if line.row in seen[place]:
            raise _refused(
                path, number, f"user {user_id!r} has had item {cells['item_id']!r} before",
                "Leave out what the user has had.",
            )  # fmt: skip
        lists.setdefault(place, []).append(line)
    places = sorted(lists)
    rows = np.zeros((len(places), k), np.int32)
    scores = np.full((len(places), k), -np.inf, np.float32)
    for at, place in enumerate(places):
        lines = sorted(lists[place], key=lambda line: (line.rank, line.number))
        _check_list(path, str(user_ids[place]), lines, k)
        rows[at, : len(lines)] = [line.row for line in lines]
        scores[at, : len(lines)] = [line.score for line in lines]
    return Predictions(np.array(places, int), Ranked(rows, scores), len(strangers))


def _read_lines(
    path: str | os.PathLike[str],
) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Number, user id and cells of every line but the header."""
    if not os.path.isfile(path):
        raise UserError(f"predictions {path} do not exist. Give a file of {','.join(COLUMNS)}.")
    with open(path, "rb") as file:
        reader = csv.reader(_decoded(path, file), strict=True)
        try:
            header = next(reader, [])
            if len(set(header)) < len(header) or not set(COLUMNS) <= set(header):
                raise _refused(
                    path, 1, f"the header must have {','.join(COLUMNS)} once each, but is {header}",
                    "Write that header.",
                )  # fmt: skip
            for cells in reader:
                if len(cells) != len(header):
                    raise _refused(
                        path, reader.line_num, f"{len(cells)} cells, but the header has "
                        f"{len(header)}", "Quote cells that hold commas.",
                    )  # fmt: skip
                named = dict(zip(header, cells, strict=True))
                yield reader.line_num, named["user_id"], named
        except csv.Error as error:
            raise _refused(path, reader.line_num, str(error), "Write it as CSV.") from error


def _decoded(path: str | os.PathLike[str], file: Iterator[bytes]) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _refused(path, number, "it is no UTF-8", "Write the file as UTF-8.") from error


def _parse(
    path: str | os.PathLike[str], number: int, cells: dict[str, str], row_of: dict[str, int]
) -> _Line:
    try:
        rank, score = int(cells["rank"]), float(cells["score"])
    except ValueError as error:
        raise _refused(
            path, number, f"rank {cells['rank']!r} must be a whole number and score "
            f"{cells['score']!r} a number", "Correct it.",
        ) from error  # fmt: skip
    if math.isnan(score):
        raise _refused(path, number, "the score is NaN", "Give every item a score.")
    if cells["item_id"] not in row_of:
        raise _refused(
            path, number, f"item {cells['item_id']!r} is not in the catalogue",
            "Compare recommenders of one catalogue.",
        )  # fmt: skip
    return _Line(number, rank, row_of[cells["item_id"]], score)


def _check_list(path: str | os.PathLike[str], user_id: str, lines: Sequence[_Line], k: int) -> None:
    """Ranks are 1, 2, ... up to k, items distinct, and scores never rise."""
    met: set[int] = set()
    best = math.inf
    for expected, line in enumerate(lines, start=1):
        who = f"user {user_id!r}"
        if line.rank != expected:
            raise _refused(
                path, line.number, f"rank {line.rank} of {who} where {expected} must be",
                "Number each user's items 1, 2, 3 and so on.",
            )  # fmt: skip
        if expected > k:
            raise _refused(
                path, line.number, f"more than {k} items of {who}", f"Keep the first {k}."
            )
        if line.row in met:
            raise _refused(path, line.number, f"an item of {who} for the second time", "Drop it.")
        if line.score > best:
            raise _refused(
                path, line.number, f"the score of {who} rises from rank {expected - 1} to "
                f"{expected}", "Order each list by score.",
            )  # fmt: skip
        met.add(line.row)
        best = line.score


def _refused(path: str | os.PathLike[str], number: int, what: str, remedy: str) -> UserError:
    return UserError(f"{path}, line {number}: {what}. {remedy}")
