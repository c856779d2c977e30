"""Reads weights from a legacy torch file without torch, and without running what a pickle can run.

The file is a row of pickles: a magic number, a protocol, the byte order, the object, the list of
storage keys; then for each storage its length and its raw values.
"""

import collections
import os
import pickle
from typing import Any, BinaryIO

import numpy as np

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGE_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip
_REBUILD = ("_rebuild_tensor", "_rebuild_tensor_v2")


class _Storage:
    """The values behind one or more tensors; filled when the whole object was read."""

    def __init__(self, dtype: np.dtype, size: int) -> None:
        self.dtype, self.size = dtype, size
        self.values: np.ndarray | None = None


class _TensorView:
    """Which part of a storage a tensor is; strides and offset count values, not bytes."""

    def __init__(
        self, storage: Any, offset: int, size: tuple, stride: tuple, *rest: object
    ) -> None:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        self.storage, self.offset, self.size, self.stride = (
            storage,
            offset,
            tuple(size),
            tuple(stride),
        )

    def to_numpy(self) -> np.ndarray:
        values = self.storage.values
        last = self.offset + sum(
            (n - 1) * step for n, step in zip(self.size, self.stride, strict=True)
        )
        negative = (
            self.offset < 0 or any(n < 0 for n in self.size) or any(s < 0 for s in self.stride)
        )
        if values is None or negative or (0 not in self.size and last >= len(values)):
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        byte_steps = tuple(step * values.itemsize for step in self.stride)
        view = np.lib.stride_tricks.as_strided(
            values[self.offset :], self.size, byte_steps, writeable=False
        )
        return view.copy()


class _RestrictedUnpickler(pickle.Unpickler):
    """Admits ordered dicts, tensors and storages; every other name in the pickle is refused."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in _REBUILD:
            return _TensorView
        if module == "torch" and name in _STORAGE_DTYPES:
            return np.dtype(_STORAGE_DTYPES[name])
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")

    def persistent_load(self, pid: Any) -> _Storage:
        is_storage = isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"
        if not is_storage or not isinstance(pid[1], np.dtype):
            raise pickle.UnpicklingError("a persistent id that is no storage")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("a storage that is part of another")
        return self.storages.setdefault(str(pid[2]), _Storage(pid[1], int(pid[4])))


def read_torch_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, in its order.

    Raises:
        pickle.UnpicklingError: the file is no legacy torch file of weights, or names anything else.
    """
    with open(path, "rb") as file:
        for what, expected in (("magic number", _MAGIC), ("protocol", _PROTOCOL)):
            if _RestrictedUnpickler(file).load() != expected:
                raise pickle.UnpicklingError(f"{path} has another {what} than a legacy torch file")
        system = _RestrictedUnpickler(file).load()
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise pickle.UnpicklingError(f"{path} was not written on a little-endian machine")
        unpickler = _RestrictedUnpickler(file)
        state = unpickler.load()
        for key in _RestrictedUnpickler(file).load():
            storage = unpickler.storages.get(str(key))
            count = int.from_bytes(file.read(8), "little", signed=True)
            if storage is None or count != storage.size:
                raise pickle.UnpicklingError(f"{path}: storage {key!r} has not the size it says")
            data = file.read(count * storage.dtype.itemsize)
            if len(data) != count * storage.dtype.itemsize:
                raise pickle.UnpicklingError(f"{path} ends within storage {key!r}")
            storage.values = np.frombuffer(data, storage.dtype)
    if not isinstance(state, dict) or not all(
        isinstance(value, _TensorView) for value in state.values()
    ):
        raise pickle.UnpicklingError(f"{path} holds more than a dict of tensors")
    return {name: view.to_numpy() for name, view in state.items()}
