import json

import numpy as np
import pytest

from tfrs_mm.encoders.safetensors import read_safetensors


def written(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_tensors_come_back_with_their_shapes(tmp_path):
    first = np.arange(6, dtype="<f4").reshape(2, 3)
    second = np.array([7, -1], "<i8")
    header = {
        "__metadata__": {"a": "b"},
        "x": entry("F32", [2, 3], 0, 24),
        "y": entry("I64", [2], 24, 40),
    }
    tensors = read_safetensors(written(tmp_path / "a", header, first.tobytes() + second.tobytes()))
    assert list(tensors) == ["x", "y"]
    np.testing.assert_array_equal(tensors["x"], first)
    np.testing.assert_array_equal(tensors["y"], second)


@pytest.mark.parametrize(
    "bad",
    [
        entry("F32", [3], 0, 8),
        entry("F32", [2], 4, 12),
        entry("F32", [2], -4, 4),
        entry("F99", [2], 0, 8),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="tensor 'x'"):
        read_safetensors(written(tmp_path / "a", {"x": bad}, bytes(8)))


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    (tmp_path / "a").write_bytes((10**6).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match="longer than the file"):
        read_safetensors(tmp_path / "a")
