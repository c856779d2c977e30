"""A backbone's weights from a local HDF5 file, in which nothing but numbers is touched.

A file may be of Keras' present form (`NAME.weights.h5`) or of its former one (`NAME.h5`). It is
looked through before Keras opens it: HDF5 can point into other files and claim any size, and Keras
leaves out what does not fit in silence, so that part of a network would stay random.
"""

import collections
import hashlib
import pathlib
import warnings
from collections.abc import Iterator

import h5py
import numpy as np
import tensorflow as tf

from tfrs_mm.errors import UserError

_ENDING, _PRESENT_ENDING = ".h5", ".weights.h5"
_NUMBERS = "fiu"
_MAX_ARRAYS = 100_000


def load_backbone_weights(backbone: tf.keras.Model, path: pathlib.Path, setting: str) -> None:
    """Puts the weights of a file into a backbone, all of them.

    Args:
        backbone: built.
        path: of the file.
        setting: the dotted path of the modality's settings, for errors.

    Raises:
        UserError: there is no such file, it is none of weights, or of another network.
    """
    where = f"{setting}.file"
    if not path.name.endswith(_ENDING) or not path.is_file():
        raise UserError(
            f"{where} must be a local file of weights, {_ENDING} or {_PRESENT_ENDING}, or the "
            f"folder of a preset; received {str(path)!r}. Nothing is downloaded; put it there."
        )
    try:
        shapes, present = _looked_through(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{where} is {str(path)!r}, which holds no weights: {error}.") from error
    if present != path.name.endswith(_PRESENT_ENDING):
        ending = _PRESENT_ENDING if present else f"{_ENDING} without .weights"
        raise UserError(
            f"{where} is {str(path)!r}, whose name must end in {ending} for what it holds. "
            "Rename it."
        )
    wanted = collections.Counter(tuple(weight.shape.as_list()) for weight in backbone.weights)
    if shapes != wanted:
        lacking, left = wanted - shapes, shapes - wanted
        raise UserError(
            f"{where} is {str(path)!r}, whose weights do not fit the backbone: it has "
            f"{shapes.total()} arrays instead of {wanted.total()}; lacking are {_told(lacking)}, "
            f"left over are {_told(left)}. Give the arguments that it was trained with."
        )
    try:
        with warnings.catch_warnings():
            # Keras walks over all attributes, and KerasCV's backbones warn of two as they are read.
            warnings.filterwarnings("ignore", message=".*updates` will be removed")
            backbone.load_weights(str(path))
    except Exception as error:  # of a foreign file any type
        raise UserError(
            f"{where} is {str(path)!r}, whose weights do not fit the backbone: "
            f"{' '.join(str(error).split())[:300]}."
        ) from error
    _check_loaded(backbone, path, where)


def _looked_through(path: pathlib.Path) -> tuple["collections.Counter[tuple[int, ...]]", bool]:
    """The shapes of all weights, and whether the file is of Keras' present form.

    Raises:
        ValueError: there is something else than numbers that lie in the file itself.
    """
    with h5py.File(path, "r") as file:
        former = "layer_names" in file.attrs or "model_weights" in file
        shapes = collections.Counter(array.shape for array in _arrays_of(file))
    return shapes, not former


def _arrays_of(file: h5py.File) -> Iterator[h5py.Dataset]:
    """Every array that is a weight of the model."""
    waiting, seen = [file], 0
    while waiting:
        group = waiting.pop()
        for name in group:
            seen += 1
            if seen > _MAX_ARRAYS:
                raise ValueError(f"it holds more than {_MAX_ARRAYS} things")
            if group.name == "/" and name.startswith("optimizer"):
                continue
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{group.name}{name} points elsewhere")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                waiting.append(entry)
                continue
            if not isinstance(entry, h5py.Dataset) or entry.dtype.kind not in _NUMBERS:
                raise ValueError(f"{entry.name} holds no numbers")
            if entry.external or entry.is_virtual:
                raise ValueError(f"the numbers of {entry.name} lie in another file")
            yield entry


def _check_loaded(backbone: tf.keras.Model, path: pathlib.Path, where: str) -> None:
    """Looks whether every weight of the backbone is one of the file's."""
    with h5py.File(path, "r") as file:
        stored = {_digest(array[()]) for array in _arrays_of(file)}
    lost = [weight.name for weight in backbone.weights if _digest(weight.numpy()) not in stored]
    if lost:
        raise UserError(
            f"{where} is {str(path)!r}, from which Keras did not load {len(lost)} of "
            f"{len(backbone.weights)} weights, such as {lost[0]}. Save them again with "
            "`backbone.save_weights`."
        )


def _digest(array: np.ndarray) -> bytes:
    values = np.ascontiguousarray(array, np.float32)
    return hashlib.sha256(f"{values.shape}".encode() + values.tobytes()).digest()


def _told(shapes: "collections.Counter[tuple[int, ...]]") -> str:
    some = [f"{list(shape)}" for shape in sorted(shapes)[:3]]
    return ", ".join(some) + (" and others" if len(shapes) > len(some) else "") if some else "none"
