import collections
import io
import os
import pickle
import sys
import types

import numpy as np
import pytest

from tfrs_mm.encoders.torch_pickle import read_torch_weights

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """Stands for a torch storage while a file is written."""

    def __init__(self, kind, key, values):
        self.kind, self.key, self.values = kind, key, values


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.arguments = (storage, offset, size, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch_names(monkeypatch):
    """Modules with the names that torch's pickles speak of; the reader must not need them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("the reader must not call into torch")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    torch.LongStorage = type("LongStorage", (), {"__module__": "torch"})
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def written(path, state, storages, magic=MAGIC, size_of=len):
    class Writer(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return ("storage", value.kind, value.key, "cpu", len(value.values), None)
            return None

    file = io.BytesIO()
    for value in (
        magic,
        PROTOCOL,
        {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {}},
    ):
        pickle.dump(value, file, 2)
    Writer(file, 2).dump(state)
    pickle.dump([storage.key for storage in storages], file, 2)
    for storage in storages:
        file.write(size_of(storage.values).to_bytes(8, "little") + storage.values.tobytes())
    path.write_bytes(file.getvalue())
    return path


def test_tensors_of_a_shared_storage_come_back(torch_names, tmp_path):
    floats = Storage(torch_names.FloatStorage, "1", np.arange(8, dtype="<f4"))
    longs = Storage(torch_names.LongStorage, "2", np.array([5], "<i8"))
    state = collections.OrderedDict(
        b=Tensor(floats, 2, (2, 3), (3, 1)),
        a=Tensor(floats, 0, (2, 2), (1, 2)),
        n=Tensor(longs, 0, (), ()),
    )
    tensors = read_torch_weights(written(tmp_path / "a.pth", state, [floats, longs]))
    assert list(tensors) == ["b", "a", "n"]
    np.testing.assert_array_equal(tensors["b"], [[2, 3, 4], [5, 6, 7]])
    np.testing.assert_array_equal(tensors["a"], [[0, 2], [1, 3]])  # strides 1 and 2: by columns
    assert tensors["n"] == 5


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("position", ["first", "state"])
def test_a_pickle_that_would_run_something_is_refused(torch_names, tmp_path, monkeypatch, position):
    monkeypatch.chdir(tmp_path)
    if position == "first":
        (tmp_path / "a.pth").write_bytes(pickle.dumps(Malicious(), 2))
    else:
        written(tmp_path / "a.pth", {"x": Malicious()}, [])
    with pytest.raises(pickle.UnpicklingError, match="no place among weights"):
        read_torch_weights(tmp_path / "a.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "name",
    ["builtins eval", "posix system", "collections defaultdict", "torch load", "torch._utils os"],
)
def test_only_the_listed_names_are_known(tmp_path, name):
    module, attribute = name.split()
    (tmp_path / "a.pth").write_bytes(f"c{module}\n{attribute}\n.".encode())
    with pytest.raises(pickle.UnpicklingError, match="no place among weights"):
        read_torch_weights(tmp_path / "a.pth")


def test_a_tensor_beyond_its_storage_is_refused(torch_names, tmp_path):
    storage = Storage(torch_names.FloatStorage, "1", np.zeros(4, "<f4"))
    for size, stride, offset in (
        ((5,), (1,), 0),
        ((2,), (4,), 0),
        ((2,), (-1,), 0),
        ((1,), (1,), -1),
    ):
        path = written(tmp_path / "a.pth", {"x": Tensor(storage, offset, size, stride)}, [storage])
        with pytest.raises(pickle.UnpicklingError, match="beyond its storage"):
            read_torch_weights(path)


def test_another_file_is_refused(torch_names, tmp_path):
    with pytest.raises(pickle.UnpicklingError, match="magic number"):
        read_torch_weights(written(tmp_path / "a.pth", {}, [], magic=1))
    storage = Storage(torch_names.FloatStorage, "1", np.zeros(4, "<f4"))
    state = {"x": Tensor(storage, 0, (4,), (1,))}
    with pytest.raises(pickle.UnpicklingError, match="size"):
        read_torch_weights(written(tmp_path / "a.pth", state, [storage], size_of=lambda values: 3))
    whole = written(tmp_path / "a.pth", state, [storage]).read_bytes()
    (tmp_path / "a.pth").write_bytes(whole[:-3])
    with pytest.raises(pickle.UnpicklingError, match="ends within"):
        read_torch_weights(tmp_path / "a.pth")
    with pytest.raises(pickle.UnpicklingError, match="more than a dict"):
        read_torch_weights(written(tmp_path / "a.pth", {"x": 1}, []))
