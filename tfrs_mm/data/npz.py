"""Named arrays as one compressed `.npz` file."""

import os
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np

from tfrs_mm.artefacts import whole_file

# What NumPy and zipfile raise over bytes that are not those that were written.
DAMAGED = (
    ValueError, KeyError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

# As np.savez_compressed, whose level is 6, but several times faster and hardly larger.
_COMPRESSION_LEVEL = 2


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a file for `np.load`, whole or not at all; the same arrays give the same bytes."""
    with (
        whole_file(path) as temporary,
        zipfile.ZipFile(
            temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL
        ) as file,
    ):
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as content:
                np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
