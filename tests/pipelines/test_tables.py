import gzip

import numpy as np
import pytest

from pipelines import table_blocks
from pipelines.input_folder import InputFolder
from pipelines.tables import column_names, read_table
from tfrs_mm.errors import UserError


def names_of(path, *arguments, **options):
    folder = InputFolder.of(path.parent)
    return column_names(folder.file(path.name, "data.items"), *arguments, **options)


def read(path, columns=("a", "b")) -> tuple[list[dict], list[tuple[int, str]]]:
    """All rows, and the number and text of all broken ones."""
    rows, broken = [], []
    for batch, found in read_table(str(path), columns):
        rows += batch.to_pylist()
        broken += [(row.number, row.text) for row in found]
    return rows, broken


def written(tmp_path, content: bytes, name: str = "table.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_cells_stay_strings_and_rows_are_numbered_from_the_header(tmp_path):
    path = written(tmp_path, b'\xef\xbb\xbfa,other,b\r\n007,x,\r\n1e3,x,"NULL, or\nnot"\r\n')
    assert read(path) == (
        [
            {"a": "007", "b": "", "row number": 2},
            {"a": "1e3", "b": "NULL, or\nnot", "row number": 3},
        ],
        [],
    )


def test_what_the_table_lacks_is_left_out(tmp_path):
    path = written(tmp_path, b"a\n1\n")
    assert read(path) == ([{"a": "1", "row number": 2}], [])
    other = written(tmp_path, b"x,y\n1,2\n3,4\n", "other.csv")
    assert read(other) == ([{"row number": 2}, {"row number": 3}], [])


def test_a_row_of_another_width_is_told_and_counted(tmp_path):
    path = written(tmp_path, b"a,b\nfirst\n1,2\nx,y,z\n\n3,4\nlast\n")
    rows, broken = read(path)
    # A blank line is no row.
    assert [row["row number"] for row in rows] == [3, 5]
    assert broken == [(2, "first"), (4, "x,y,z"), (6, "last")]


def test_a_table_of_broken_rows_alone_tells_them(tmp_path):
    assert read(written(tmp_path, b"a,b\nx\ny\n")) == ([], [(2, "x"), (3, "y")])


def test_numbers_hold_where_blocks_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 64)
    generator = np.random.default_rng(4)
    lines = [
        "broken" if generator.random() < 0.3 else f"{number},{number}" for number in range(2, 300)
    ]
    path = written(tmp_path, ("a,b\n" + "\n".join(lines) + "\n").encode())
    rows, broken = read(path)
    assert len(rows) > 150
    assert all(int(row["a"]) == row["row number"] for row in rows)
    assert [number for number, _ in broken] == [
        n for n, line in enumerate(lines, 2) if line == "broken"
    ]


def test_bytes_that_are_no_utf8_cost_nothing_else(tmp_path):
    path = written(tmp_path, b"a,b\ncaf\xe9,th\xc3\xa9\nbroken \xe9\n1,2\n")
    rows, broken = read(path)
    assert rows[0] == {"a": "caf\ufffd", "b": "thé", "row number": 2}
    assert rows[1]["row number"] == 4
    assert broken == [(3, "broken \ufffd")]


@pytest.mark.parametrize("at", range(1, 9))
def test_a_character_may_lie_across_two_reads(tmp_path, monkeypatch, at):
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 64)
    path = written(tmp_path, ("a,b\n" + "x" * at + "é€😀,2\n" * 20).encode())
    rows, broken = read(path)
    assert [row["a"].lstrip("x") for row in rows] == ["é€😀"] * 20
    assert not broken


def test_only_the_beginning_of_what_a_lost_quote_swallowed_is_kept(tmp_path):
    path = written(tmp_path, b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 1000)
    rows, ((number, text),) = read(path)
    assert len(rows) == 1
    assert number == 3
    assert text.startswith('"3,4\n5,6')
    assert len(text) < 1000


def test_compressed_tables_are_read(tmp_path):
    path = written(tmp_path, gzip.compress(b"a,b\n1,2\n"), "table.csv.gz")
    assert names_of(path, ["a"]) == ["a", "b"]
    assert read(path) == ([{"a": "1", "b": "2", "row number": 2}], [])


def test_a_compressed_table_that_was_cut_off_is_no_shorter_table(tmp_path):
    content = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(5000)))
    path = written(tmp_path, content[: len(content) // 2], "table.csv.gz")
    with pytest.raises(UserError, match=r"table\.csv\.gz cannot be read"):
        read(path)


def test_a_record_longer_than_a_block_names_the_row_before(tmp_path, monkeypatch):
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 64)
    path = written(tmp_path, b"a,b\n" + b"1,2\n" * 30 + b"3," + b"x" * 500 + b"\n5,6\n")
    with pytest.raises(UserError, match=r"cannot be read behind row \d+: .*lost quote"):
        read(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\n\n", "is no CSV"),
        (b"a,c\n1,2\n", r"no column \['b'\]; it has \['a', 'c'\]"),
        (b"a,b,a\n1,2,3\n", r"columns \['a'\] more than once"),
    ],
)
def test_an_unusable_table_is_named(tmp_path, content, fault):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=fault) as caught:
        names_of(path, ["a", "b"])
    assert str(path) in str(caught.value)


def test_a_header_without_rows_is_a_table(tmp_path):
    path = written(tmp_path, b"a,b\n")
    assert names_of(path, ["a"]) == ["a", "b"]
    assert read(path) == ([], [])


def test_a_link_must_not_lead_out_of_the_folder(tmp_path):
    written(tmp_path, b"a,b\n1,2\n", "secret.csv")
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "table.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(UserError, match="leads out of the input folder"):
        names_of(folder / "table.csv", ["a"])
