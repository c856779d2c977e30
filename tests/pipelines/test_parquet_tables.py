import datetime
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.input_folder import InputFolder
from pipelines.tables import Dialect, column_names, read_table
from tfrs_mm.errors import UserError


def names_of(path, *arguments, **options):
    folder = InputFolder.of(path.parent)
    return column_names(folder.file(path.name, "data.items"), *arguments, **options)


UTC = datetime.UTC


def texts(folder, column: pa.Array, separator: str = "|") -> list[str]:
    """The cells that a column is read as."""
    path = folder / "table.parquet"
    pq.write_table(pa.table([column], names=["a"]), path)
    dialect = Dialect(list_separator=separator)
    return [
        row["a"] for batch, _ in read_table(str(path), ("a",), dialect) for row in batch.to_pylist()
    ]


@pytest.mark.parametrize(
    ("kind", "values", "cells"),
    [
        (pa.string(), ["x", "", None], ["x", "", ""]),
        (pa.large_string(), ["x", None], ["x", ""]),
        (pa.dictionary(pa.int32(), pa.string()), ["x", None, "x"], ["x", "", "x"]),
        (pa.int64(), [7, -(2**62), None], ["7", str(-(2**62)), ""]),
        (pa.uint8(), [255], ["255"]),
        (pa.float64(), [1.0, 1.5, None, 1714521600.25], ["1", "1.5", "", "1714521600.25"]),
        (pa.bool_(), [True, False, None], ["true", "false", ""]),
        (pa.decimal128(6, 2), [decimal.Decimal("1.50"), None], ["1.50", ""]),
        (pa.binary(), ["é".encode(), b"caf\xe9", None], ["é", "caf\ufffd", ""]),
        (pa.null(), [None, None], ["", ""]),
        # 2024-05-01T00:00:00Z is second 1714521600.
        (pa.date32(), [datetime.date(2024, 5, 1), None], ["1714521600", ""]),
        (pa.timestamp("s"), [1714521600, None, -5], ["1714521600", "", "-5"]),
        (pa.timestamp("ms"), [1714521600250, -1, -1000], ["1714521600.250", "-0.001", "-1"]),
        (pa.timestamp("us", "UTC"), [1714521600000001], ["1714521600.000001"]),
        (pa.timestamp("ns", "Europe/Rome"), [1714521600123456789], ["1714521600.123456789"]),
        (pa.list_(pa.string()), [["x", "y z"], [], None, ["w", None]], ["x|y z", "", "", "w|"]),
        (pa.list_(pa.int64()), [[1, 2]], ["1|2"]),
        (pa.list_(pa.list_(pa.string())), [[["x", "y"], ["z"]]], ["x|y|z"]),
    ],
)
def test_a_value_is_a_text(tmp_path, kind, values, cells):
    assert texts(tmp_path, pa.array(values, kind)) == cells


def test_lists_are_joined_by_the_separator_that_is_given(tmp_path):
    assert texts(tmp_path, pa.array([["x|y", "z"]]), ";") == ["x|y;z"]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.sampled_from(["ms", "us", "ns"]))
def test_no_digit_of_a_time_is_lost(tmp_path_factory, ticks, unit):
    column = pa.array(ticks, pa.int64()).cast(pa.timestamp(unit))
    scale = {"ms": 3, "us": 6, "ns": 9}[unit]
    read = texts(tmp_path_factory.mktemp("times"), column)
    assert [int(decimal.Decimal(text).scaleb(scale)) for text in read] == ticks


def test_texts_that_are_no_utf8_are_mended(tmp_path):
    # Arrow takes the writer's word that a column of strings is UTF-8.
    broken = pa.Array.from_buffers(
        pa.string(), 2, pa.array([b"caf\xe9", b"x"], pa.binary()).buffers()
    )
    assert texts(tmp_path, broken) == ["caf\ufffd", "x"]


def test_what_the_table_lacks_is_left_out_and_rows_are_numbered_on(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.parquet_tables._ROWS_OF_A_BLOCK", 4)
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": np.arange(10), "b": ["x"] * 10}), path, row_group_size=3)
    assert names_of(path, ("a",)) == ["a", "b"]
    batches = [batch for batch, _ in read_table(str(path), ("b", "absent"))]
    assert {tuple(batch.schema.names) for batch in batches} == {("b", "row number")}
    assert [n for b in batches for n in b.column("row number").to_pylist()] == list(range(1, 11))
    none = [batch for batch, _ in read_table(str(path), ("absent",))]
    assert sum(batch.num_rows for batch in none) == 10


def test_a_column_without_a_text_is_named(tmp_path):
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 2, 2)))
    with pytest.raises(UserError, match=r"column 'a' of the table .* has the type extension"):
        texts(tmp_path, column)


def test_an_object_is_its_json(tmp_path):
    column = pa.array([{"x": 1, "y": ["é", None]}, None])
    assert texts(tmp_path, column) == ['{"x": 1, "y": ["é", null]}', ""]
    pairs = pa.array([[("k", 2)]], pa.map_(pa.string(), pa.int64()))
    assert texts(tmp_path, pairs) == ['[["k", 2]]']
    several = pa.array([[{"x": 1}, {"x": 2}]])
    assert texts(tmp_path, several) == ['{"x": 1}|{"x": 2}']


def test_a_page_that_was_changed_is_noticed(tmp_path):
    path = tmp_path / "table.parquet"
    table = pa.table({"a": [f"user {n}" for n in range(1000)]})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"user 500", b"user 666"))
    with pytest.raises(UserError, match=r"table\.parquet cannot be read behind row 0"):
        list(read_table(str(path), ("a",)))
