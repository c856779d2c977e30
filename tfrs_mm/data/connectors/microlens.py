"""MicroLens as it is downloaded: 50k, 100k and 1M, with covers, videos and sounds where there.

Events are comments. `*_pairs.csv` has their times; `*_pairs.tsv` has for each user the videos in
their order, and is read where the other is not there. Titles are read line by line: only some
editions quote them, and one has quotes that do not match. Likes and views of a video are left out
of the catalogue, since they know the future.
"""

import pathlib
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfrs_mm.data.connectors.base import (
    DESCRIPTION,
    EVENT,
    EVENTS,
    ITEM_ID,
    ITEMS,
    ORDER,
    TIMESTAMP,
    TITLE,
    USER_ID,
    Download,
    check_columns,
    nothing_found,
)
from tfrs_mm.data.connectors.checks import keep_events
from tfrs_mm.data.connectors.lines import read_lines
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.data.connectors.separated import header_cells, read_rows
from tfrs_mm.data.connectors.texts import joined_categories, one_line
from tfrs_mm.errors import UserError

EXPECTED = (
    "MicroLens-*_pairs.csv or MicroLens-*_pairs.tsv and MicroLens-*_title_en.csv, "
    "MicroLens-*_titles.csv or MicroLens-*_title.csv (and tags_to_summary.csv, folders of covers, "
    "videos and audio if there)"
)
COMMENT = "comment"  # the only kind of event there is

_NAMES = {
    "user": USER_ID, "userID": USER_ID, "user_id": USER_ID,
    "item": ITEM_ID, "videoID": ITEM_ID, "video_id": ITEM_ID,
    "timestamp": TIMESTAMP,
}  # fmt: skip
_TITLES = ("*_title_en.csv", "*_titles.csv", "*_title.csv")  # the first that is there is read
_CATEGORIES = "tags_to_summary.csv"
_MEDIA_FOLDER = re.compile(r"(^|.*_)(covers?|videos?|audios?)", re.IGNORECASE)
_NUMBERED = re.compile(r"(\d+),(.*)", re.DOTALL)  # how a record of titles begins
_MAX_TITLE = 4_000  # characters
_NOT_NUMBERED = "the line does not begin with the number of a video"


def find(input_dir: pathlib.Path) -> Download:
    """The edition in a folder; see `find_download`."""
    timed, ordered = _one(input_dir, "*_pairs.csv"), _one(input_dir, "*_pairs.tsv")
    titles = next((path for name in _TITLES if (path := _one(input_dir, name))), None)
    pairs = timed or ordered
    if pairs is None or titles is None:
        raise nothing_found(input_dir, EXPECTED)
    categories = input_dir / _CATEGORIES if (input_dir / _CATEGORIES).is_file() else None
    if timed is not None:
        header = [_NAMES.get(name, name) for name in header_cells(timed)]
        check_columns(timed, header, (USER_ID, ITEM_ID, TIMESTAMP))

    def events(rejects: Rejects | None) -> Iterator[pa.RecordBatch]:
        if timed is None:
            yield from _ordered_events(pairs, rejects)
            return
        for rows in read_rows(timed, header, EVENTS, rejects):
            columns = {name: rows.columns[name] for name in (USER_ID, ITEM_ID, TIMESTAMP)}
            if rejects is not None:
                columns = keep_events(columns, rows.numbers, timed.name, rejects)
            kinds = pa.repeat(COMMENT, len(columns[USER_ID]))
            yield pa.RecordBatch.from_pydict(
                {
                    USER_ID: columns[USER_ID],
                    ITEM_ID: columns[ITEM_ID],
                    EVENT: kinds,
                    TIMESTAMP: columns[TIMESTAMP],
                }
            )

    def items(rejects: Rejects) -> Iterator[dict[str, str]]:
        labels = dict(_numbered_texts(categories, rejects)) if categories is not None else {}
        titled: set[str] = set()
        for video, title in _numbered_texts(titles, rejects):
            titled.add(video)
            yield _item(video, title, labels)
        # Some videos have comments but no title.
        for batch in events(None):
            for video in batch.column(ITEM_ID).unique().to_pylist():
                if video.strip() and video not in titled:
                    titled.add(video)
                    yield _item(video, "", labels)

    return Download(
        f"MicroLens, {pairs.name} and {titles.name}",
        tuple(path for path in (pairs, titles, categories) if path is not None),
        (USER_ID, ITEM_ID, EVENT, TIMESTAMP, *(() if timed is not None else (ORDER,))),
        events,
        (ITEM_ID, TITLE, DESCRIPTION, "categories"),
        items,
        media_dirs=tuple(
            folder
            for folder in sorted(input_dir.iterdir())
            if folder.is_dir() and _MEDIA_FOLDER.fullmatch(folder.name)
        ),
        notes=() if timed is not None else ("events have an order but no time",),
    )


def _one(folder: pathlib.Path, pattern: str) -> pathlib.Path | None:
    paths = sorted(folder.glob(pattern))
    if len(paths) > 1:
        raise UserError(
            f"{folder} holds several editions of MicroLens, {paths[0].name} and {paths[1].name}. "
            "Give a folder with one of them."
        )
    return paths[0] if paths else None


def _ordered_events(path: pathlib.Path, rejects: Rejects | None) -> Iterator[pa.RecordBatch]:
    """A user and the videos in their order, on each line: events with an order."""
    columns = (USER_ID, ITEM_ID)
    for rows in read_rows(
        path, columns, EVENTS, rejects, separator="\t", quotes=False, header=False
    ):
        videos = pc.split_pattern(pc.utf8_trim_whitespace(rows.columns[ITEM_ID]), " ")
        counts = pc.list_value_length(videos).to_numpy(zero_copy_only=False).astype(np.int64)
        starts = np.cumsum(counts) - counts
        place = np.arange(counts.sum()) - np.repeat(starts, counts)
        line = np.repeat(np.arange(len(counts)), counts)
        cells = {
            USER_ID: rows.columns[USER_ID].take(pa.array(line)),
            ITEM_ID: videos.flatten(),
            ORDER: pc.cast(pa.array(place), pa.string()),
        }
        if rejects is not None:
            cells = keep_events(cells, rows.numbers[line], path.name, rejects)
        texts = {EVENT: COMMENT, TIMESTAMP: ""}
        cells |= {name: pa.repeat(text, len(cells[ORDER])) for name, text in texts.items()}
        yield pa.RecordBatch.from_pydict(
            {name: cells[name] for name in (USER_ID, ITEM_ID, EVENT, TIMESTAMP, ORDER)}
        )


def _numbered_texts(path: pathlib.Path, rejects: Rejects) -> Iterator[tuple[str, str]]:
    """Number and text of each record of a table of two columns, with or without quotes.

    A record begins at a line that begins with a number and a comma; a line that does not goes on
    with the text before it, as long as that has a quote that is not closed.
    """
    number, waiting = "", ""
    for lines in read_lines(path, ITEMS, rejects):
        for place, line in enumerate(lines.split(), lines.first):
            match = _NUMBERED.fullmatch(line)
            if match is None and waiting.startswith('"') and not _closed(waiting):
                waiting = f"{waiting} {line}"[: 2 * _MAX_TITLE]
                continue
            if number:
                yield number, _unquoted(waiting)
            number, waiting = match.groups() if match is not None else ("", "")
            is_header = place == 1 and line.partition(",")[0] in _NAMES
            if match is None and line.strip() and not is_header:
                rejects.add_line(ITEMS, _NOT_NUMBERED, f"{path.name}:{place}", line)
    if number:
        yield number, _unquoted(waiting)


def _closed(text: str) -> bool:
    """Whether a cell that begins with a quote ends with its closing one."""
    return len(text) > 1 and text.endswith('"') and text[1:-1].replace('""', "").count('"') == 0


def _unquoted(text: str) -> str:
    """The value of a cell; where its quotes do not match they are part of it."""
    text = text.strip()
    return text[1:-1].replace('""', '"') if text.startswith('"') and _closed(text) else text


def _item(video: str, title: str, labels: dict[str, str]) -> dict[str, str]:
    return {
        ITEM_ID: video,
        TITLE: one_line(title, _MAX_TITLE),
        DESCRIPTION: "",
        "categories": joined_categories([labels.get(video, "")]),
    }
