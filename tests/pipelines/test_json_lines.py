import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import table_blocks
from pipelines.input_folder import InputFolder
from pipelines.tables import Dialect, column_names, read_table
from tfrs_mm.errors import UserError


def names_of(path, *arguments, **options):
    folder = InputFolder.of(path.parent)
    return column_names(folder.file(path.name, "data.items"), *arguments, **options)


def read(folder, content: bytes, columns=("a",), separator="|") -> tuple[list[dict], list[tuple]]:
    """All rows, and number, reason and text of all broken ones."""
    (folder / "table.jsonl").write_bytes(content)
    dialect = Dialect(list_separator=separator)
    rows, broken = [], []
    for batch, found in read_table(str(folder / "table.jsonl"), columns, dialect):
        rows += batch.to_pylist()
        broken += [(row.number, row.reason, row.text) for row in found]
    return rows, broken


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('"x y"', "x y"),
        ('"007"', "007"),
        ("7", "7"),
        # Digits stay as they are written.
        ("1700000000123456789", "1700000000123456789"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("NaN", "NaN"),
        ("true", "true"),
        ("false", "false"),
        ("null", ""),
        ('["x", "y z"]', "x|y z"),
        ('[["x", "y"], ["z"]]', "x|y|z"),
        ("[1, 2.50, true, null]", "1|2.50|true|"),
        ("[]", ""),
        ('{"x": "é"}', '{"x": "é"}'),
        (r'"\u00e9\ud83d\ude00"', "é😀"),
        (r'"\ud83d!"', "\ufffd!"),  # half a character
    ],
)
def test_a_value_is_a_text(tmp_path, value, cell):
    rows, broken = read(tmp_path, f'{{"a": {value}}}\n'.encode())
    assert (rows, broken) == ([{"a": cell, "row number": 1}], [])


def test_lists_are_joined_by_the_separator_that_is_given(tmp_path):
    assert read(tmp_path, b'{"a": ["x|y", "z"]}\n', separator=";")[0][0]["a"] == "x|y;z"


def test_a_missing_key_is_an_empty_cell_and_numbers_are_those_of_lines(tmp_path):
    content = b'\xef\xbb\xbf{"a": "1"}\r\n\n  \n{"b": "2", "other": {}}\n{"a": "3", "b": null}'
    assert read(tmp_path, content, ("a", "b", "c")) == (
        [
            {"a": "1", "b": "", "c": "", "row number": 1},
            {"a": "", "b": "2", "c": "", "row number": 4},
            {"a": "3", "b": "", "c": "", "row number": 5},
        ],
        [],
    )


def test_bytes_that_are_no_utf8_cost_nothing_else(tmp_path):
    rows, broken = read(tmp_path, b'{"a": "caf\xe9"}\n{"a": "2"}\n')
    assert [row["a"] for row in rows] == ["caf\ufffd", "2"]
    assert not broken


@pytest.mark.parametrize(
    "line",
    [
        "x", '["a"]', '"a"', "1", "null", '{"a": 1', '{"a": 1}{"a": 2}', "{'a': 1}",
        "[" * 100_000, '{"a": ' + "[" * 700 + "]" * 700 + "}", '{"a": {"b": ' * 5000,
    ],
)  # fmt: skip
def test_a_line_that_is_no_object_is_told_and_the_others_go_on(tmp_path, line):
    rows, broken = read(tmp_path, f'{{"a": "1"}}\n{line}\n{{"a": "3"}}\n'.encode())
    assert [(row["a"], row["row number"]) for row in rows] == [("1", 1), ("3", 3)]
    shown = line if len(line) <= 500 else line[:500] + "..."
    assert broken == [(2, "the line is no JSON object", shown)]


def test_a_line_longer_than_a_block_is_told_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 64)
    fitting = '{"a": "' + "y" * 55 + '"}'
    assert len(fitting) == 64
    content = '{"a": "1"}\n{"a": "' + "x" * 300 + '"}\n' + fitting + '\n{"a": "4"}\n'
    rows, ((number, reason, text),) = read(tmp_path, content.encode())
    assert [row["row number"] for row in rows] == [1, 3, 4]
    assert (number, reason) == (2, "the line is longer than a block")
    assert text.startswith('{"a": "xxx')


def test_a_table_is_read_until_its_columns_were_met(tmp_path):
    path = tmp_path / "table.jsonl"
    path.write_text('{"a": 1}\n{"b": 2}\nbroken\n{"c": 3}\n{"d": 4}\n')
    assert names_of(path, ("a",)) == ["a"]
    assert names_of(path, ("b",)) == ["a", "b"]
    assert names_of(path, ("a",), wanted=("c",)) == ["a", "b", "c"]
    assert names_of(path, ("a",), wanted=("e",)) == ["a", "b", "c", "d"]
    with pytest.raises(UserError, match=r"no column \['e'\]; it has \['a', 'b', 'c', 'd'\]"):
        names_of(path, ("e",))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.lists(
        st.binary(max_size=30)
        | st.dictionaries(st.sampled_from("abc"), json_values).map(lambda v: json.dumps(v).encode())
        | json_values.map(lambda value: json.dumps(value).encode()),
        max_size=8,
    )
)
def test_each_line_is_a_row_a_broken_row_or_blank(tmp_path_factory, lines):
    lines = [line.replace(b"\n", b"") for line in lines]
    folder = tmp_path_factory.mktemp("lines")
    rows, broken = read(folder, b"".join(line + b"\n" for line in lines), ("a", "b"))
    numbers = [row["row number"] for row in rows] + [number for number, _, _ in broken]
    texts = [line.removeprefix(b"\xef\xbb\xbf" if not place else b"") for place, line in
             enumerate(lines)]  # fmt: skip
    assert sorted(numbers) == [n for n, line in enumerate(texts, 1) if line.strip(b" \t\r\n")]
    for row in rows:
        said = json.loads(texts[row["row number"] - 1].decode("utf-8", "replace"))
        for name in ("a", "b"):
            if isinstance(said.get(name), int) and not isinstance(said.get(name), bool):
                assert int(row[name]) == said[name]
            if said.get(name) is None:
                assert row[name] == ""
