import numpy as np
import pytest

from tfrs_mm.data.npz import write_arrays

ARRAYS = {
    "a/b": np.arange(6, dtype=np.int64).reshape(2, 3),
    "text": np.array("x"),
    "none": np.zeros(0),
}


def test_what_is_written_is_what_numpy_loads_and_has_the_same_bytes_every_time(tmp_path):
    write_arrays(tmp_path / "one.npz", ARRAYS)
    write_arrays(tmp_path / "two.npz", ARRAYS)
    with np.load(tmp_path / "one.npz", allow_pickle=False) as found:
        assert sorted(found) == sorted(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "it.npz", ARRAYS | {"objects": np.array([object()])})
    assert list(tmp_path.iterdir()) == []
