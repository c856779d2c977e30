"""Media files that lie beside a download, found by their names and taken into the output folder.

A file is named after its item: `318.jpg`, `318.mp4`. Searched are a folder and the folders in it,
no deeper, so that frames cut out of videos are not taken for pictures. Or else a table says which
file belongs to which item. A path never leaves its folder, not even behind a symbolic link.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import urllib.parse
from collections.abc import Sequence
from typing import Literal

from tfrs_mm.data.connectors.base import ITEM_ID, MEDIA, check_columns
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.data.connectors.separated import header_cells, read_rows
from tfrs_mm.errors import UserError
from tfrs_mm.media.errors import MediaError
from tfrs_mm.media.paths import resolve_below
from tfrs_mm.schema import Modality

MediaMode = Literal["link", "copy"]

SUFFIXES = {
    Modality.IMAGE: (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"),
    Modality.AUDIO: (".mp3", ".m4a", ".ogg", ".opus", ".flac", ".wav"),
    Modality.VIDEO: (".mp4", ".webm", ".mkv", ".mov", ".avi"),
}
PATH_COLUMNS = {modality: f"{modality.value}_path" for modality in SUFFIXES}
_FOLDERS = {Modality.IMAGE: "images", Modality.AUDIO: "audio", Modality.VIDEO: "video"}
_MODALITY_OF = {suffix: modality for modality, known in SUFFIXES.items() for suffix in known}
_MAX_NAME = 150  # characters of a file's name; a file system takes 255 bytes
_PLAIN_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclasses.dataclass(frozen=True)
class MediaFile:
    """A file of a media folder; `relative` to it, with slashes."""

    root: pathlib.Path
    relative: str


Found = dict[Modality, dict[str, MediaFile]]


def scan_folders(folders: Sequence[pathlib.Path]) -> Found:
    """The media files in these folders and in the folders in them, by their names without suffix.

    Of two files of one name and modality the first counts, by folder and then by path.
    """
    found: Found = {modality: {} for modality in SUFFIXES}
    for root in folders:
        inner = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        for folder in ("", *(name for name in inner if not name.startswith("."))):
            for name in sorted(os.listdir(root / folder)):
                stem, suffix = os.path.splitext(name)
                modality = _MODALITY_OF.get(suffix.lower())
                if modality is not None and not name.startswith("."):
                    relative = f"{folder}/{name}" if folder else name
                    found[modality].setdefault(stem, MediaFile(root, relative))
    return found


def read_media_map(path: pathlib.Path, root: pathlib.Path, rejects: Rejects) -> Found:
    """The media files that a table names, by item.

    Args:
        path: a CSV file with a column `item_id` and any of `image_path`, `audio_path` and
            `video_path`.
        root: the folder that its paths are relative to.
        rejects: takes lines that are no rows.

    Raises:
        UserError: the table is missing or lacks these columns.
    """
    if not path.is_file():
        raise UserError(f"--media-map must be a CSV file; {path} is none. Correct the path.")
    columns = header_cells(path)
    check_columns(path, columns, [ITEM_ID])
    named = {modality: name for modality, name in PATH_COLUMNS.items() if name in columns}
    if not named:
        raise UserError(
            f"{path} must have a column out of {list(PATH_COLUMNS.values())}, received {columns}. "
            "Name one of them so."
        )
    found: Found = {modality: {} for modality in SUFFIXES}
    for rows in read_rows(path, columns, MEDIA, rejects):
        ids = rows.columns[ITEM_ID].to_pylist()
        for modality, name in named.items():
            for item_id, relative in zip(ids, rows.columns[name].to_pylist(), strict=True):
                if relative.strip():
                    found[modality].setdefault(item_id, MediaFile(root, relative.strip()))
    return found


class MediaTaker:
    """Puts the files of items into an output folder, and counts what it did."""

    def __init__(
        self, found: Found, output_dir: pathlib.Path, mode: MediaMode, rejects: Rejects
    ) -> None:
        self._found, self._output_dir, self._mode, self._rejects = found, output_dir, mode, rejects
        self._taken: dict[Modality, set[str]] = {modality: set() for modality in found}
        self._refused: set[tuple[Modality, str]] = set()

    def take(self, item_id: str, names: Sequence[str]) -> dict[str, str]:
        """The cells of the path columns of an item, whose files go by one of `names`.

        Raises:
            UserError: a file cannot be linked or copied.
        """
        cells = dict.fromkeys(PATH_COLUMNS.values(), "")
        for modality, files in self._found.items():
            name = next((name for name in names if name in files), None)
            if name is not None and (modality, name) not in self._refused:
                cells[PATH_COLUMNS[modality]] = self._take(item_id, modality, name)
        return cells

    def counts(self) -> dict[str, int]:
        """Files found and taken of every modality."""
        counts = {}
        for modality, files in self._found.items():
            counts[f"{modality.value} files found"] = len(files)
            counts[f"{modality.value} files taken"] = len(self._taken[modality])
        return counts

    def _take(self, item_id: str, modality: Modality, name: str) -> str:
        file = self._found[modality][name]
        suffix = pathlib.PurePosixPath(file.relative).suffix
        relative = f"{_FOLDERS[modality]}/{_file_name(item_id, suffix)}"
        if relative in self._taken[modality]:  # the item came before
            return relative
        try:
            source = resolve_below(file.root, file.relative)
            if not source.is_file():
                raise MediaError("file does not exist")
        except MediaError as error:
            self._refused.add((modality, name))
            record = {ITEM_ID: item_id, "path": file.relative}
            self._rejects.add(MEDIA, str(error), file.root.name, record)
            return ""
        target = self._output_dir / relative
        target.parent.mkdir(exist_ok=True)
        self._bring(source, target)
        self._taken[modality].add(relative)
        return relative

    def _bring(self, source: pathlib.Path, target: pathlib.Path) -> None:
        try:
            if self._mode == "copy":
                shutil.copyfile(source, target)
            else:
                os.link(source, target)
        except OSError as error:
            remedy = (
                "Pass --media-mode copy, or choose an --output on the file system of the media."
                if self._mode == "link"
                else "Look whether it may be read and whether the disk is full."
            )
            raise UserError(
                f"--media-mode {self._mode}: {source} cannot be brought into the output folder: "
                f"{error.strerror}. {remedy}"
            ) from error


def _file_name(item_id: str, suffix: str) -> str:
    """A file name for an item, whatever its id is; ids without odd characters stay as they are."""
    suffix = suffix.lower() if _PLAIN_SUFFIX.fullmatch(suffix) else ""
    name = urllib.parse.quote(item_id, safe="")
    if len(name) > _MAX_NAME:
        name = hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).hexdigest()
    return name + suffix
