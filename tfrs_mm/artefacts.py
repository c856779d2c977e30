"""What every artefact folder carries: a manifest with its fingerprint and what it was made from.

An artefact appears whole or not at all: it is written under a temporary name beside its place and
renamed at the end. What a process that was killed left there is cleared away by the next one that
writes to the same place. `read_manifest` refuses an artefact of another kind or one made from
something else.
"""

import contextlib
import datetime
import fcntl
import glob
import hashlib
import json
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from tfrs_mm.errors import UserError, full_disk

MANIFEST = "manifest.json"
_PREFIX_LENGTH = 16
_TEMPORARY = ".tmp"


def fingerprint_of(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_PREFIX_LENGTH]


def fingerprint_file(path: str | os.PathLike[str]) -> str:
    """The first 16 hex digits of the SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_PREFIX_LENGTH]


def fingerprint_tree(directory: str | os.PathLike[str]) -> str:
    """The fingerprint of all files below `directory`: their relative names, sizes and contents."""
    root = pathlib.Path(directory)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != MANIFEST)
    return fingerprint_of([[str(path.relative_to(root)), fingerprint_file(path)] for path in files])


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def write_manifest(
    directory: str | os.PathLike[str], kind: str, made_from: Mapping[str, Any], **facts: Any
) -> str:
    """Writes `manifest.json` and returns the artefact's fingerprint.

    Args:
        directory: the artefact's folder.
        kind: what it is, such as "data" or "run".
        made_from: fingerprints and settings that determine it; the fingerprint is taken of these.
        **facts: anything worth reading beside them; no part of the fingerprint.
    """
    fingerprint = fingerprint_of({"kind": kind, "made_from": made_from})
    manifest = {
        "kind": kind,
        "fingerprint": fingerprint,
        "made_from": dict(made_from),
        "made_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **facts,
    }
    write_json(pathlib.Path(directory) / MANIFEST, manifest)
    return fingerprint


def read_manifest(
    directory: str | os.PathLike[str], kind: str, made_from: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The manifest of the artefact in `directory`.

    Args:
        directory: the artefact's folder.
        kind: what it must be.
        made_from: entries of the manifest's own `made_from` that must be equal.

    Raises:
        UserError: there is no such artefact, it is of another kind, or was made from something
            else.
    """
    path = pathlib.Path(directory) / MANIFEST
    if not path.is_file():
        raise UserError(
            f"{directory} is no {kind} folder: it has no {MANIFEST}. "
            f"Give the folder that the command making a {kind} wrote."
        )
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("kind") != kind:
        raise UserError(
            f"{directory} must be a {kind} folder, "
            f"but its {MANIFEST} says {manifest.get('kind')!r}."
        )
    for key, wanted in (made_from or {}).items():
        found = manifest["made_from"].get(key)
        if found != wanted:
            raise UserError(
                f"{directory} was made from {key} {found}, but {key} {wanted} is in use. "
                f"Make the {kind} again, or use the {key} it was made from."
            )
    return manifest


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a place beside `path` that takes its name if the block ends without an error.

    What had the name before is replaced; where the block fails, it stays and nothing is left over.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = os.fspath(path)  # a write does not know what it writes to
        raise


@contextlib.contextmanager
def whole_directory(
    target: str | os.PathLike[str], overwrite: bool = False
) -> Iterator[pathlib.Path]:
    """Yields a temporary folder that takes the name `target` only if the block ends without an
    error.

    Raises:
        UserError: `target` exists, is not empty, and `overwrite` is False; or the disk is full.
    """
    target = pathlib.Path(target)
    if target.exists() and not target.is_dir():
        raise UserError(
            f"{target} is a file, but a folder is to be written there. Give another name."
        )
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise UserError(
            f"{target} exists and is not empty. Give another folder, remove it, "
            "or pass --overwrite."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(target)
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}{_TEMPORARY}"
    temporary.mkdir()
    # Held until this process ends, however it ends, so that the next one can tell.
    with _locked(temporary):
        try:
            yield temporary
            if target.exists():
                retired = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.old"
                os.rename(target, retired)
                os.rename(temporary, target)
                shutil.rmtree(retired)
            else:
                os.rename(temporary, target)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if not isinstance(error, UserError) and (fault := full_disk(error)):
                raise fault from error
            raise


def _clear_abandoned(target: pathlib.Path) -> None:
    """Removes what was to become `target` and is no longer written by anyone."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{_TEMPORARY}"):
        # An empty one may not have been locked yet.
        if left.is_dir() and any(left.iterdir()):
            with _locked(left) as is_ours:
                if is_ours:
                    shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[bool]:
    """Whether the folder is locked for this process while the block lasts.

    It is not where another process has it, or where the file system knows no locks; there nothing
    is taken for abandoned.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except OSError:
            locked = False
        yield locked
    finally:
        os.close(handle)
