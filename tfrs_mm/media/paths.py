"""Paths that a catalogue names: kept below the folder the catalogue lies in."""

import os
import pathlib
import stat

from tfrs_mm.media.errors import MediaError


def resolve_below(root: str | os.PathLike[str], relative: str) -> pathlib.Path:
    """The absolute path of `relative` below `root`, whether or not there is such a file.

    Args:
        root: the folder that may not be left.
        relative: as the catalogue gives it, parts separated by `/`.

    Raises:
        MediaError: the path is empty, absolute, has a `..` part or a zero byte, or leaves `root`
            through a symbolic link.
    """
    if not relative.strip():
        raise MediaError("path is empty")
    if "\0" in relative:
        raise MediaError("path holds a zero byte")
    path = pathlib.PurePosixPath(relative)
    if path.is_absolute():
        raise MediaError("path is absolute; paths are relative to the data folder")
    if ".." in path.parts:
        raise MediaError("path leaves the data folder")
    home = pathlib.Path(root).resolve()
    try:
        resolved = (home / path).resolve()
    except (OSError, RuntimeError) as error:  # a loop of symbolic links
        raise MediaError("path cannot be resolved") from error
    if not resolved.is_relative_to(home):
        raise MediaError("path leaves the data folder through a symbolic link")
    return resolved


def read_below(root: str | os.PathLike[str], relative: str, max_bytes: int) -> bytes:
    """The bytes of the file `relative` below `root`.

    Raises:
        MediaError: as `resolve_below`; or there is no such regular file, it cannot be read, it is
            empty, or holds more than `max_bytes`.
    """
    path = resolve_below(root, relative)
    try:
        # Asked before it is opened: opening a pipe would wait, opening a device might do anything.
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError("not a regular file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise MediaError("file is too large")
            data = file.read(size)  # not to its end, which may move meanwhile
    except FileNotFoundError as error:
        raise MediaError("file does not exist") from error
    except OSError as error:
        raise MediaError("file cannot be read") from error
    if not data:
        raise MediaError("file is empty")
    return data
