"""The folder that a job reads: on a local disk, or on any file system that Beam knows (`gs://`,
`s3://`, `hdfs://`).

No name that comes from data or configuration leads out of it. What it holds on another machine is
found, opened and read through Beam, so that a worker anywhere can do so.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, TypeAlias

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tfrs_mm.errors import UserError
from tfrs_mm.media import MediaError, read_below

_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")
# A path object makes one slash of two.
_LOST_SLASH = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+:/[^/]")


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A file of the folder.

    Attributes:
        path: what Beam opens.
        name: relative to the folder, parts separated by `/`.
        size_bytes: of the file.
    """

    path: str
    name: str
    size_bytes: int

    def sha256(self) -> bytes:
        """Of its bytes."""
        with open_bytes(self.path) as file:
            return hashlib.file_digest(_Readable(file), "sha256").digest()


AnyFolder: TypeAlias = "str | os.PathLike[str] | InputFolder"


@dataclasses.dataclass(frozen=True)
class InputFolder:
    """A folder with logs, catalogue and media; it can be pickled.

    Attributes:
        root: an absolute path, or a URL without a slash at its end.
    """

    root: str

    @classmethod
    def of(cls, folder: AnyFolder) -> "InputFolder":
        """The folder of a path or URL.

        Raises:
            UserError: it is no folder, or Beam knows no such file system.
        """
        if isinstance(folder, InputFolder):
            return folder
        text = os.fspath(folder)
        if _LOST_SLASH.match(text):
            raise UserError(
                f"the input folder {text} has lost a slash behind its scheme. Give a URL as text."
            )
        if not is_url(text):
            path = pathlib.Path(text)
            if not path.is_dir():
                raise UserError(
                    f"the input folder {text} does not exist. Give one with logs and catalogue."
                )
            return cls(str(path.resolve()))
        with _told(text):
            FileSystems.get_filesystem(text)
        return cls(text.rstrip("/"))

    @property
    def is_local(self) -> bool:
        """Whether it lies on a disk of this machine."""
        return not is_url(self.root)

    def files(self, pattern: str, argument: str) -> list[InputFile]:
        """The files that match a glob, in the order of their names.

        Args:
            pattern: below the folder; `**` stands for any folders.
            argument: where it comes from, for the error.

        Raises:
            UserError: the pattern, or a file behind a link, leads out of the folder.
        """
        check_relative(pattern, argument)
        if self.is_local:
            root = pathlib.Path(self.root)
            names = [path.relative_to(root).as_posix() for path in root.glob(pattern)]
            found = [self._local(name) for name in names if (root / name).is_file()]
        else:
            # As on a disk, `**/` stands for no folder as well.
            patterns = {f"{self.root}/{pattern}", f"{self.root}/{pattern.replace('**/', '')}"}
            with _told(self.root):
                matches = FileSystems.match(sorted(patterns))
            found = list({
                InputFile(entry.path, entry.path[len(self.root) + 1 :], entry.size_in_bytes)
                for match in matches
                for entry in match.metadata_list
            })  # fmt: skip
        return sorted(found, key=lambda file: pathlib.PurePosixPath(file.name))

    def everything(self) -> list[InputFile]:
        """All files below the folder but those behind links that lead out, in the order of their
        names."""
        if not self.is_local:
            return self.files("**", "input")
        root = pathlib.Path(self.root)
        return [
            InputFile(str(path), path.relative_to(root).as_posix(), path.stat().st_size)
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.resolve().is_relative_to(root)
        ]

    def file(self, name: str, argument: str) -> InputFile:
        """One file of the folder.

        Raises:
            UserError: the name leads out of the folder, or there is no such file.
        """
        check_relative(name, argument)
        if self.is_local:
            is_there = (pathlib.Path(self.root) / name).is_file()
        else:
            path = f"{self.root}/{name}"
            with _told(path):
                is_there = FileSystems.exists(path)
        if not is_there:
            raise UserError(
                f"`{argument}` is {name!r}, but {self.root}/{name} does not exist. "
                "Put the file there, or name another one."
            )
        if self.is_local:
            return self._local(name)
        with _told(path):
            return InputFile(path, name, FileSystems.get_filesystem(path).size(path))

    def read(self, name: str, max_bytes: int) -> bytes:
        """The bytes of a file.

        Raises:
            MediaError: the name leads out of the folder, there is no such file, it cannot be read,
                is empty, or holds more than `max_bytes`.
        """
        if self.is_local:
            return read_below(self.root, name, max_bytes)
        fault = _fault_of(name)
        if fault:
            raise MediaError(f"path {fault}")
        path = f"{self.root}/{name}"
        try:
            if not FileSystems.exists(path):
                raise MediaError("file does not exist")
            with open_bytes(path) as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise MediaError("file cannot be read") from error
        if len(data) > max_bytes:
            raise MediaError("file is too large")
        if not data:
            raise MediaError("file is empty")
        return data

    @contextlib.contextmanager
    def on_disk(self, *files: InputFile) -> Iterator[pathlib.Path]:
        """Yields the place of the first file on a local disk, the others beside it; copies of them
        where they lie elsewhere."""
        if self.is_local:
            yield pathlib.Path(files[0].path)
            return
        with tempfile.TemporaryDirectory() as folder:
            names = [pathlib.PurePosixPath(file.name).name for file in files]
            copies = [pathlib.Path(folder) / name for name in names]
            for file, copy in zip(files, copies, strict=True):
                with open_bytes(file.path) as source, open(copy, "wb") as target:
                    shutil.copyfileobj(source, target)
            yield copies[0]

    def _local(self, name: str) -> InputFile:
        path = pathlib.Path(self.root) / name
        if not path.resolve().is_relative_to(self.root):
            raise UserError(
                f"{path} leads out of the input folder {self.root}. Put the file itself there."
            )
        return InputFile(str(path.resolve()), name, path.stat().st_size)


def is_url(folder: str) -> bool:
    """Whether it names a place by a scheme, such as `gs://`."""
    return _SCHEME.match(folder) is not None


def check_relative(name: str, argument: str) -> None:
    """Looks whether a name of the configuration stays inside the folder, by its words alone.

    Raises:
        UserError: it is empty, absolute or leads out.
    """
    if _fault_of(name):
        raise UserError(
            f"`{argument}` must lie below the input folder, received {name!r}. "
            "Give a path relative to it."
        )


def open_bytes(path: str) -> Any:
    """The open file, as it lies there."""
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _fault_of(name: str) -> str | None:
    path = pathlib.PurePosixPath(name)
    if not path.parts or not name.strip():
        return "is empty"
    if "\0" in name:
        return "holds a zero byte"
    if path.is_absolute() or is_url(name):
        return "is absolute; paths are relative to the data folder"
    return "leaves the data folder" if ".." in path.parts else None


@contextlib.contextmanager
def _told(place: str) -> Iterator[None]:
    """Turns what a file system raises into a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise UserError(
            f"{place} cannot be read: {' '.join(str(error).split())}. Look at the address and at "
            "the rights; gs:// needs apache-beam[gcp], s3:// apache-beam[aws]."
        ) from error


class _Readable:
    """What `hashlib.file_digest` asks of a file, over any that can be read."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
