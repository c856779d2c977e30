"""Embeddings on disk by what was embedded, so that the same bytes are embedded once and for all.

    CACHE/<encoder's fingerprint>/<fingerprint of the decoding>/<SHA-256 of the file>.arrow

A file is written whole and never changed: a worker adds one of its own, named by its content, so
that workers and jobs may write at once and whoever reads can tell a damaged file from a good one.
A worker that is killed may leave a name that begins with a dot, which nobody reads. Rows are the
SHA-256 of a medium's bytes and its embedding; a reader maps them into memory and holds the digests
only. Where the encoder or the decoding differs, nothing is found.
"""

import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from tfrs_mm.artefacts import whole_file
from tfrs_mm.errors import UserError

DIGEST_BYTES = 32
SUFFIX = ".arrow"

_DIGEST, _EMBEDDING = "digest", "embedding"


def digest_of(data: bytes) -> bytes:
    """What a medium is known by: 32 bytes."""
    return hashlib.sha256(data).digest()


def make_cache_dir(cache_dir: str) -> pathlib.Path | None:
    """The folder `encoders.cache_dir`, made where it is missing; None where no cache is wanted.

    Raises:
        UserError: it cannot be made.
    """
    if not cache_dir:
        return None
    path = pathlib.Path(cache_dir).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"`encoders.cache_dir` must be a folder or a place for one; received {cache_dir!r}: "
            f"{error}. Name another, or leave it empty to keep nothing."
        ) from error
    return path


def write_entries(
    directory: str | os.PathLike[str], digests: Sequence[bytes], embeddings: np.ndarray
) -> pathlib.Path:
    """Adds one file, whole or not at all; the same entries in any order give the same file.

    Args:
        directory: of one encoder and decoding; made where it is missing.
        digests: distinct.
        embeddings: `[n, dim]` float32, finite.
    """
    order = sorted(range(len(digests)), key=digests.__getitem__)
    values = np.ascontiguousarray(embeddings[order], np.float32)
    entries = pa.RecordBatch.from_pydict(
        {
            _DIGEST: pa.array([digests[place] for place in order], pa.binary(DIGEST_BYTES)),
            _EMBEDDING: pa.FixedSizeListArray.from_arrays(
                pa.array(values.reshape(-1)), values.shape[1]
            ),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, entries.schema) as writer:
        writer.write_batch(entries)
    content = sink.getvalue()
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{hashlib.sha256(content).hexdigest()}{SUFFIX}"
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
    return path


def files_of(directory: str | os.PathLike[str]) -> list[str]:
    """The paths of all files of one encoder and decoding, sorted."""
    return sorted(str(path) for path in pathlib.Path(directory).glob(f"[!.]*{SUFFIX}"))


def is_whole(path: str, dim: int) -> bool:
    """Whether the file holds what was written, embeddings of `dim` numbers."""
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return found == pathlib.Path(path).stem and _mapped(path)[1].shape[1] == dim
    except (OSError, pa.ArrowInvalid, KeyError):
        return False


class EmbeddingCache:
    """The entries of some files, looked up by digest."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Maps the files.

        Args:
            paths: of files that are whole; of an entry in several the first file's counts.

        `unreadable` says how many are gone by now.
        """
        self.unreadable = 0
        self._blocks: list[np.ndarray] = []
        digests = [np.zeros(0, f"S{DIGEST_BYTES}")]
        for path in paths:
            try:
                found, embeddings = _mapped(path)
            except OSError:
                self.unreadable += 1
                continue
            digests.append(found)
            self._blocks.append(embeddings)
        joined = np.concatenate(digests)
        self._order = np.argsort(joined, kind="stable")
        self._digests = joined[self._order]
        self._starts = np.cumsum([0, *map(len, self._blocks)])

    def __len__(self) -> int:
        return len(self._digests)

    def get(self, digest: bytes) -> np.ndarray | None:
        """`[dim]` float32, or None where these bytes are not known."""
        wanted = np.array(digest, self._digests.dtype)
        place = int(np.searchsorted(self._digests, wanted))
        if place == len(self._digests) or self._digests[place] != wanted:
            return None
        position = int(self._order[place])
        block = int(np.searchsorted(self._starts, position, side="right")) - 1
        return self._blocks[block][position - self._starts[block]].copy()


def _mapped(path: str) -> tuple[np.ndarray, np.ndarray]:
    """`[n]` digests, and `[n, dim]` embeddings that stay in the file until they are asked for."""
    with pa.memory_map(path) as source:
        entries = pa.ipc.open_file(source).get_batch(0)
    digests, embeddings = entries.column(_DIGEST), entries.column(_EMBEDDING)
    found = np.frombuffer(digests.buffers()[1], f"S{DIGEST_BYTES}", len(digests))
    return found, embeddings.flatten().to_numpy().reshape(len(found), embeddings.type.list_size)
