"""MovieLens as it is downloaded: ml-latest-small, ml-20m, ml-25m and ml-32m, ml-1m and ml-10m.

The newer editions are CSV in UTF-8 with a header, the older ones have `::` between their cells, no
header, and ml-1m is Latin-1. A title loses the year at its end, which becomes a category. Posters
go by the film's `movieId`, or by `tt` and its number at IMDb.
"""

import pathlib
import re
from collections.abc import Iterator

import pyarrow as pa

from tfrs_mm.data.connectors.base import (
    DESCRIPTION,
    EVENT,
    EVENTS,
    ITEM_ID,
    ITEMS,
    LINKS,
    RATING,
    TIMESTAMP,
    TITLE,
    USER_ID,
    USERS,
    Download,
    check_columns,
    find_file,
    nothing_found,
)
from tfrs_mm.data.connectors.checks import keep_events
from tfrs_mm.data.connectors.lines import encoding_of, read_lines
from tfrs_mm.data.connectors.movielens_tags import descriptions_of
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.data.connectors.separated import NOT_AS_WIDE, header_cells, read_rows
from tfrs_mm.data.connectors.texts import joined_categories, one_line
from tfrs_mm.errors import UserError

EXPECTED = (
    "ratings.csv and movies.csv (ml-latest-small, ml-20m, ml-25m, ml-32m; tags.csv and links.csv "
    "if there) or ratings.dat and movies.dat (ml-1m with users.dat, ml-10m with tags.dat)"
)
RATE = "rate"  # the only kind of event there is

_RATINGS = ("userId", "movieId", "rating", "timestamp")
_MOVIES = ("movieId", "title", "genres")
_LINKS = ("movieId", "imdbId", "tmdbId")
_TAGS = ("userId", "movieId", "tag", "timestamp")
_USERS = (USER_ID, "gender", "age", "occupation", "zip_code")
_OURS = {"userId": USER_ID, "movieId": ITEM_ID}
_DOUBLE_COLON = "::"
_EVENT_COLUMNS = (USER_ID, ITEM_ID, EVENT, RATING, TIMESTAMP)
_ITEM_COLUMNS = (ITEM_ID, TITLE, DESCRIPTION, "genres", "year")
_LINK_COLUMNS = ("imdb_id", "tmdb_id")
_NO_GENRES = "(no genres listed)"
# "Matrix, The (1999)", "Fawlty Towers (1975-1979)"
_TITLE_YEAR = re.compile(r"^(.*\S)\s*\((\d{4})(?:[-–]\d{0,4})?\s*\)$")


def find(input_dir: pathlib.Path, tags: bool) -> Download:
    """The edition in a folder; see `find_download`."""
    commas = [find_file(input_dir, name) for name in ("ratings.csv", "movies.csv")]
    colons = [find_file(input_dir, name) for name in ("ratings.dat", "movies.dat")]
    if all(commas) and all(colons):
        raise UserError(
            f"{input_dir} holds two editions of MovieLens, ratings.csv and ratings.dat. "
            "Give a folder with one of them."
        )
    if all(commas):
        return _comma_edition(input_dir, commas[0], commas[1], tags)
    if all(colons):
        return _colon_edition(input_dir, colons[0], colons[1], tags)
    raise nothing_found(input_dir, EXPECTED)


def split_title(title: str) -> tuple[str, str]:
    """A title without the year at its end, and that year; both as they are where it has none."""
    match = _TITLE_YEAR.match(title)
    return (match[1], match[2]) if match else (title, "")


def _comma_edition(
    folder: pathlib.Path, ratings: pathlib.Path, movies: pathlib.Path, tags: bool
) -> Download:
    links, tag_file = find_file(folder, "links.csv"), find_file(folder, "tags.csv")
    tag_file = _tags_of(tags, tag_file, folder)
    wanted = {ratings: _RATINGS, movies: _MOVIES, links: _LINKS, tag_file: _TAGS}
    headers = {path: header_cells(path) for path in wanted if path is not None}
    for path, header in headers.items():
        check_columns(path, header, wanted[path])

    def events(rejects: Rejects) -> Iterator[pa.RecordBatch]:
        for rows in read_rows(ratings, headers[ratings], EVENTS, rejects):
            columns = {_OURS.get(name, name): rows.columns[name] for name in _RATINGS}
            yield _event_batch(keep_events(columns, rows.numbers, ratings.name, rejects))

    def items(rejects: Rejects) -> Iterator[dict[str, str]]:
        numbers_of = {}
        if links is not None:
            for rows in read_rows(links, headers[links], LINKS, rejects):
                cells = [rows.columns[name].to_pylist() for name in _LINKS]
                numbers_of.update(
                    (film, (one_line(imdb), one_line(tmdb)))
                    for film, imdb, tmdb in zip(*cells, strict=True)
                )
        descriptions = {}
        if tag_file is not None:
            descriptions = descriptions_of(read_rows(tag_file, headers[tag_file], "tags", rejects))
        for rows in read_rows(movies, headers[movies], ITEMS, rejects):
            cells = [rows.columns[name].to_pylist() for name in _MOVIES]
            for film, title, genres in zip(*cells, strict=True):
                item = _item(film, title, genres, descriptions)
                if links is not None:
                    item |= zip(_LINK_COLUMNS, numbers_of.get(film, ("", "")), strict=True)
                yield item

    return Download(
        "MovieLens in CSV (ml-latest-small, ml-20m, ml-25m, ml-32m)",
        tuple(headers),
        _EVENT_COLUMNS,
        events,
        (*_ITEM_COLUMNS, *(_LINK_COLUMNS if links is not None else ())),
        items,
        media_names=_poster_names,
        notes=_notes(tag_file),
    )


def _colon_edition(
    folder: pathlib.Path, ratings: pathlib.Path, movies: pathlib.Path, tags: bool
) -> Download:
    users, tag_file = find_file(folder, "users.dat"), find_file(folder, "tags.dat")
    tag_file = _tags_of(tags, tag_file, folder)
    colons = {"separator": _DOUBLE_COLON, "quotes": False, "header": False}

    def events(rejects: Rejects) -> Iterator[pa.RecordBatch]:
        for rows in read_rows(ratings, _RATINGS, EVENTS, rejects, **colons):
            columns = {_OURS.get(name, name): rows.columns[name] for name in _RATINGS}
            yield _event_batch(keep_events(columns, rows.numbers, ratings.name, rejects))

    def items(rejects: Rejects) -> Iterator[dict[str, str]]:
        descriptions = {}
        if tag_file is not None:
            encoding = encoding_of(tag_file)
            rows = read_rows(tag_file, _TAGS, "tags", rejects, **colons, encoding=encoding)
            descriptions = descriptions_of(rows)
        for lines in read_lines(movies, ITEMS, rejects, encoding_of(movies)):
            for number, line in enumerate(lines.split(), lines.first):
                # What lies between the first and the last `::` is the title, whatever it holds.
                film, after_id, rest = line.partition(_DOUBLE_COLON)
                title, before_genres, genres = rest.rpartition(_DOUBLE_COLON)
                if after_id and before_genres:
                    yield _item(film, title, genres, descriptions)
                elif line.strip():
                    rejects.add_line(ITEMS, NOT_AS_WIDE, f"{movies.name}:{number}", line)

    def read_users(rejects: Rejects) -> Iterator[dict[str, str]]:
        for rows in read_rows(users, _USERS, USERS, rejects, **colons):
            for user in pa.table(rows.columns).to_pylist():
                yield {name: one_line(cell) for name, cell in user.items()}

    edition = "ml-1m" if users is not None else "ml-10m"
    return Download(
        f"MovieLens with :: between cells ({edition}), titles in {encoding_of(movies)}",
        tuple(path for path in (ratings, movies, users, tag_file) if path is not None),
        _EVENT_COLUMNS,
        events,
        _ITEM_COLUMNS,
        items,
        user_columns=_USERS if users is not None else (),
        users=read_users if users is not None else None,
        media_names=_poster_names,
        notes=_notes(tag_file),
    )


def _tags_of(tags: bool, path: pathlib.Path | None, folder: pathlib.Path) -> pathlib.Path | None:
    if tags and path is None:
        raise UserError(f"--tags: {folder} has neither tags.csv nor tags.dat. Leave it out.")
    return path if tags else None


def _notes(tag_file: pathlib.Path | None) -> tuple[str, ...]:
    if tag_file is None:
        return ()
    return (
        "tags became descriptions; many were written after the ratings, so that held-out figures "
        "profit from them",
    )


def _event_batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    kinds = pa.repeat(RATE, len(columns[USER_ID]))
    return pa.RecordBatch.from_pydict(
        {
            USER_ID: columns[USER_ID],
            ITEM_ID: columns[ITEM_ID],
            EVENT: kinds,
            RATING: columns[RATING],
            TIMESTAMP: columns[TIMESTAMP],
        }
    )


def _item(film: str, title: str, genres: str, descriptions: dict[str, str]) -> dict[str, str]:
    title, year = split_title(one_line(title))
    listed = [] if genres == _NO_GENRES else genres.split("|")
    return {
        ITEM_ID: film,
        TITLE: title,
        DESCRIPTION: descriptions.get(film, ""),
        "genres": joined_categories(listed),
        "year": year,
    }


def _poster_names(item: dict[str, str]) -> tuple[str, ...]:
    imdb = item.get("imdb_id", "")
    return (item[ITEM_ID], f"tt{imdb}") if imdb else (item[ITEM_ID],)
