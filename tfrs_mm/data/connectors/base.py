"""What a connector gives, and which connectors there are.

A connector is a module with a function `find`, which looks at the files of a folder and says how
that download is read, or else what it expected there. It reads; `convert.py` writes.
"""

import dataclasses
import importlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tfrs_mm.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

    from tfrs_mm.data.connectors.rejects import Rejects

USER_ID, ITEM_ID, EVENT, RATING = "user_id", "item_id", "event", "rating"
TIMESTAMP, ORDER = "timestamp", "order"
TITLE, DESCRIPTION = "title", "description"

# The tables of a connector, as the rejects call them.
EVENTS, ITEMS, USERS, TAGS, LINKS, MEDIA = "events", "items", "users", "tags", "links", "media"

CONNECTORS = {
    "movielens": "tfrs_mm.data.connectors.movielens",
    "amazon-reviews": "tfrs_mm.data.connectors.amazon_reviews",
    "microlens": "tfrs_mm.data.connectors.microlens",
}


def item_id_alone(item: dict[str, str]) -> tuple[str, ...]:
    """The only name that an item's media files go by, unless a connector knows more."""
    return (item[ITEM_ID],)


@dataclasses.dataclass(frozen=True)
class Download:
    """A download that was recognised, and how it is read. Nothing is read before it is asked for.

    Attributes:
        edition: what it is, for people.
        sources: the files that are read.
        event_columns: of `events`.
        events: record batches of strings, in the order of the source; what is no event goes to the
            rejects.
        item_columns: of `items`.
        items: one dict of strings for each item; an item may come twice.
        user_columns: of `users`, empty where the source tells nothing of its users.
        users: as `items`.
        media_dirs: folders of the download that hold media, searched where none is named.
        media_names: an item to the names, without suffix, that its media files may go by.
        notes: what the user should know about this edition.
    """

    edition: str
    sources: tuple[pathlib.Path, ...]
    event_columns: tuple[str, ...]
    events: "Callable[[Rejects], Iterator[pa.RecordBatch]]"
    item_columns: tuple[str, ...]
    items: "Callable[[Rejects], Iterator[dict[str, str]]]"
    user_columns: tuple[str, ...] = ()
    users: "Callable[[Rejects], Iterator[dict[str, str]]] | None" = None
    media_dirs: tuple[pathlib.Path, ...] = ()
    media_names: Callable[[dict[str, str]], tuple[str, ...]] = item_id_alone
    notes: tuple[str, ...] = ()


def find_download(name: str, input_dir: pathlib.Path, tags: bool = False) -> Download:
    """The download in a folder.

    Args:
        name: of the connector.
        input_dir: the unpacked download.
        tags: whether tags of users become descriptions, which only MovieLens has.

    Raises:
        UserError: there is no such connector or folder, or it does not hold what is expected.
    """
    if name not in CONNECTORS:
        raise UserError(f"--from must be one of {sorted(CONNECTORS)}, received {name!r}.")
    if not input_dir.is_dir():
        raise UserError(
            f"--input must be a folder with an unpacked download; {input_dir} is none. "
            "Unpack it first, or correct the path."
        )
    if tags and name != "movielens":
        raise UserError(f"--tags is for --from movielens, received --from {name}. Leave it out.")
    module = importlib.import_module(CONNECTORS[name])
    return module.find(input_dir, tags) if name == "movielens" else module.find(input_dir)


def find_file(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The file of that name, or the one with `.gz` behind it."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def nothing_found(input_dir: pathlib.Path, expected: str) -> UserError:
    """The error for a folder that no edition fits."""
    names = sorted(path.name for path in input_dir.iterdir())
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return UserError(
        f"{input_dir} holds no download that is known here. Expected {expected}; "
        f"found {shown or 'nothing'}. Give the folder that the files lie in."
    )


def check_columns(path: pathlib.Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Looks whether a table has the columns of its kind.

    Raises:
        UserError: it lacks some, or has one twice.
    """
    absent = [name for name in wanted if found.count(name) != 1]
    if absent:
        raise UserError(
            f"the header of {path} must name {list(wanted)} once each; it lacks or repeats "
            f"{absent}, received {list(found)}. Give the file as it was downloaded."
        )


_SHOWN = 8
