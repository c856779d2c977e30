import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import given_blocks
from pipelines.given_blocks import blocks_of_column, blocks_of_file, parsed_cells
from pipelines.tables import OUR_NAMES
from tfrs_mm.errors import UserError

IDS = ["a", "b", "ä c"]
VALUES = np.array([[1, 2], [0.5, -1], [3, 4]], np.float32)


def rows_of(blocks) -> list[tuple[int, str | None, list[float] | None]]:
    """Number, id and embedding of each row; None for no embedding."""
    rows = []
    for block in blocks:
        for place in range(len(block.ids)):
            assert not (block.absent[place] and block.broken[place])
            embedding = None if block.absent[place] else block.embeddings[place].tolist()
            rows.append((int(block.numbers[place]), block.ids[place], embedding))
    return rows


EXPECTED = [(1, "a", [1, 2]), (2, "b", [0.5, -1]), (3, "ä c", [3, 4])]


@pytest.mark.parametrize("block", [1, 2, 4096])
@pytest.mark.parametrize("kind", ["parquet", "npz", "npz compressed", "npz ids beside", "npy"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path, monkeypatch, kind, block):
    monkeypatch.setattr(given_blocks, "_ROWS_OF_A_BLOCK", block)
    path = tmp_path / f"vectors.{kind.split()[0]}"
    if kind == "parquet":
        pq.write_table(pa.table({"item_id": IDS, "embedding": VALUES.tolist(), "x": IDS}), path)
    elif kind == "npy":
        np.save(path, VALUES)
    elif kind == "npz ids beside":
        np.savez(path, embeddings=VALUES)
    else:
        save = np.savez_compressed if "compressed" in kind else np.savez
        save(path, item_ids=np.array(IDS), embeddings=VALUES)
    if kind in ("npy", "npz ids beside"):
        (tmp_path / "vectors.ids.txt").write_text("a\nb\nä c\n", encoding="utf-8")
    assert rows_of(blocks_of_file(path)) == EXPECTED


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.int16()),
        pa.list_(pa.float16()),
    ],
    ids=str,
)  # fmt: skip
def test_any_list_of_numbers_is_read_from_parquet(tmp_path, kind):
    values = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32())).cast(kind)
    pq.write_table(pa.table({"item_id": [7, 8, None], "embedding": values}), tmp_path / "a.parquet")
    rows = rows_of(blocks_of_file(tmp_path / "a.parquet"))
    assert rows == [(1, "7", [1, 2]), (2, "8", None), (3, None, [3, 4])]


def test_lists_of_a_fixed_size_are_read_unless_there_are_nulls(tmp_path):
    kind, path = pa.list_(pa.float32(), 2), tmp_path / "a.parquet"
    pq.write_table(pa.table({"item_id": ["a"], "embedding": pa.array([[1, 2]], kind)}), path)
    assert rows_of(blocks_of_file(path)) == [(1, "a", [1, 2])]
    values = pa.array([[1, 2], None], kind)
    pq.write_table(pa.table({"item_id": ["a", "b"], "embedding": values}), path)
    with pytest.raises(UserError, match="has nulls among lists of a fixed size"):
        list(blocks_of_file(path))


def test_a_null_among_the_numbers_is_no_number(tmp_path):
    values = pa.array([[1.0, None], [2.0, 3.0]])
    pq.write_table(pa.table({"item_id": ["a", "b"], "embedding": values}), tmp_path / "a.parquet")
    (block,) = blocks_of_file(tmp_path / "a.parquet")
    np.testing.assert_array_equal(block.embeddings[0], [1, np.nan])
    np.testing.assert_array_equal(block.embeddings[1], [2, 3])


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f8", "<i4", "u1"])
def test_any_kind_of_number_is_read_from_numpy(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", item_ids=np.array([5, 6]), embeddings=np.array([[1], [2]], dtype))
    assert rows_of(blocks_of_file(tmp_path / "a.npz")) == [(1, "5", [1]), (2, "6", [2])]


def test_ids_of_bytes_are_utf8(tmp_path):
    ids = np.array(["ä".encode()])
    np.savez(tmp_path / "a.npz", item_ids=ids, embeddings=np.ones([1, 1]))
    assert rows_of(blocks_of_file(tmp_path / "a.npz")) == [(1, "ä", [1])]


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("it was unpickled",)

    trap = np.array([Trap()], dtype=object)
    np.savez(tmp_path / "ids.npz", item_ids=trap, embeddings=np.ones([1, 2]))
    np.savez(tmp_path / "rows.npz", item_ids=np.array(["a"]), embeddings=trap[:, None])
    for name in ("ids", "rows"):
        with pytest.raises(UserError):
            list(blocks_of_file(tmp_path / f"{name}.npz"))


@pytest.mark.parametrize(
    ("name", "write", "fault"),
    [
        ("a.csv", lambda path: path.write_text("x"), r"ends in one of \.parquet, \.npz, \.npy"),
        ("a.npz", lambda path: path.write_bytes(b"no archive"), "cannot be read"),
        ("a.npz", lambda path: np.savez(path, vectors=VALUES), "must have the array 'embeddings'"),
        ("a.npz", lambda path: np.savez(path, embeddings=VALUES), r"a\.ids\.txt beside it"),
        (
            "a.npz", lambda path: np.savez(path, item_ids=np.ones([2, 2]), embeddings=VALUES),
            "must be one row of strings",
        ),
        (
            "a.npz", lambda path: np.savez(path, item_ids=np.array(["a"]), embeddings=VALUES),
            "3 embeddings for 1 ids",
        ),
        (
            "a.npz", lambda path: np.savez(path, item_ids=np.array(IDS), embeddings=VALUES[0]),
            r"numbers \[items, dim\]",
        ),
        (
            "a.npz",
            lambda path: np.savez(path, item_ids=np.array(IDS), embeddings=VALUES.copy("F")),
            "in Fortran order",
        ),
        ("a.npy", lambda path: np.save(path, VALUES), r"a\.ids\.txt beside it"),
        ("a.npy", lambda path: path.write_bytes(b"\x93NUMPY"), "cannot be read"),
        ("a.parquet", lambda path: path.write_bytes(b"PAR1PAR1"), "cannot be read"),
        (
            "a.parquet", lambda path: pq.write_table(pa.table({"id": IDS}), path),
            "must have the columns 'item_id' and 'embedding'",
        ),
        (
            "a.parquet",
            lambda path: pq.write_table(pa.table({"item_id": IDS, "embedding": IDS}), path),
            "must hold lists of numbers, but is string",
        ),
        (
            "a.parquet",
            lambda path: pq.write_table(
                pa.table({"item_id": [{"a": 1}], "embedding": [[1.0]]}), path
            ),
            "cannot be read",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(tmp_path, name, write, fault):
    write(tmp_path / name)
    with pytest.raises(UserError, match=fault):
        list(blocks_of_file(tmp_path / name))


def test_an_array_that_is_cut_off_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones([3, 2]))
    (tmp_path / "a.ids.txt").write_text("a\nb\nc\n")
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(UserError, match="cannot be read"):
        list(blocks_of_file(tmp_path / "a.npy"))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("[1, 2.5, -3e2]", [1, 2.5, -300]),
        (" [1] ", [1]),
        ("1|2.5", [1, 2.5]),
        ("7", [7]),
        ("", "absent"),
        ("  ", "absent"),
        (None, "absent"),
        ("[]", []),
        ("[1, NaN]", [1, np.nan]),
        ("[1e400]", [np.inf]),
        ("[1e39]", [np.inf]),  # beyond float32
        ("[true]", "broken"),
        ('["1"]', "broken"),
        ("[[1]]", "broken"),
        ("[1,", "broken"),
        ("1,2", "broken"),
        ("{}", "broken"),
        ("[" * 100_000, "broken"),
        ("[1" + "0" * 400 + "]", "broken"),
    ],
)
def test_a_cell_is_a_list_of_numbers_or_is_said_to_be_none(cell, expected):
    block = parsed_cells(np.array([1]), ["a"], [cell], "|")
    outcome = "absent" if block.absent[0] else "broken" if block.broken[0] else None
    if outcome:
        assert outcome == expected and len(block.embeddings[0]) == 0
    else:
        np.testing.assert_array_equal(block.embeddings[0], np.array(expected, np.float32))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_no_cell_is_too_odd(cell):
    block = parsed_cells(np.array([1]), ["a"], [cell], "|")
    assert len(block.embeddings) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_survive_json_and_lists(values):
    for cell in (json.dumps(values), "|".join(map(repr, values))):
        block = parsed_cells(np.array([1]), ["a"], [cell], "|")
        np.testing.assert_array_equal(block.embeddings[0], np.array(values, np.float32))


def test_a_column_is_read_with_the_table_rows(tmp_path):
    (tmp_path / "items.csv").write_text('item_id,title,v\na,A,"[1, 2]"\nb,B,\nc,C,3|4\n')
    rows = rows_of(blocks_of_column(tmp_path / "items.csv", "v", OUR_NAMES))
    assert rows == [(2, "a", [1, 2]), (3, "b", None), (4, "c", [3, 4])]
