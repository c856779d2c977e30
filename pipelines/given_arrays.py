"""Arrays of embeddings in NumPy's .npz and .npy, read some rows at a time and never unpickled.

An .npz holds `item_ids` and `embeddings`; where it lacks the ids, and for an .npy, they stand one a
line in a file of the same name that ends in .ids.txt.
"""

import pathlib
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from tfrs_mm.errors import UserError

ITEM_IDS, EMBEDDINGS = "item_ids", "embeddings"
IDS_SUFFIX = ".ids.txt"

Rows = tuple[list[str], np.ndarray]  # ids, and [m, dim] float32


def npz_rows(path: pathlib.Path, at_once: int) -> Iterator[Rows]:
    """The rows of an archive, at most `at_once` at a time.

    Raises:
        UserError: it lacks an array, or has one of another form.
        ValueError, OSError, zipfile.BadZipFile, and others: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if f"{EMBEDDINGS}.npy" not in members:
            raise UserError(
                f"{path} must have the array {EMBEDDINGS!r}, but has {members}. Save it under "
                "that name."
            )
        ids = None
        if f"{ITEM_IDS}.npy" in members:
            with archive.open(f"{ITEM_IDS}.npy") as file:
                ids = np.lib.format.read_array(file, allow_pickle=False)
            if ids.ndim != 1 or ids.dtype.kind not in "USiu":
                raise UserError(
                    f"the array {ITEM_IDS!r} of {path} must be one row of strings or whole "
                    f"numbers, but is {ids.dtype} {list(ids.shape)}. Save it so."
                )
            ids = (np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids).astype(str)
        with archive.open(f"{EMBEDDINGS}.npy") as file:
            yield from _rows(file, path, ids, at_once)


def npy_rows(path: pathlib.Path, at_once: int) -> Iterator[Rows]:
    """The rows of one array; see `npz_rows`."""
    with open(path, "rb") as file:
        yield from _rows(file, path, None, at_once)


def _rows(
    file: IO[bytes], path: pathlib.Path, ids: Sequence[str] | None, at_once: int
) -> Iterator[Rows]:
    """The rows of an array in NumPy's own format."""
    shape, fortran_order, dtype = _array_header(file)
    if len(shape) != 2 or dtype.kind not in "fiu" or fortran_order:
        raise UserError(
            f"the embeddings of {path} must be numbers [items, dim] in C order, but are {dtype} "
            f"{list(shape)}{' in Fortran order' * fortran_order}. Save them so."
        )
    ids = _ids_beside(path) if ids is None else ids
    num_rows, dim = shape
    if len(ids) != num_rows:
        raise UserError(f"{path} has {num_rows} embeddings for {len(ids)} ids. Give one for each.")
    for start in range(0, num_rows, at_once):
        count = min(at_once, num_rows - start)
        data = file.read(count * dim * dtype.itemsize)
        with np.errstate(over="ignore"):
            values = np.frombuffer(data, dtype, count * dim).astype(np.float32)
        yield [str(item_id) for item_id in ids[start : start + count]], values.reshape(count, dim)


def _array_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"arrays of version {version} hold no plain numbers")
    return read(file)


def _ids_beside(path: pathlib.Path) -> list[str]:
    beside = path.with_name(path.stem + IDS_SUFFIX)
    if not beside.is_file():
        raise UserError(
            f"{path} needs its items' ids, one a line, in {beside.name} beside it. Write that file."
        )
    try:
        return beside.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{beside} must be UTF-8: {error}. Write the file again.") from error
