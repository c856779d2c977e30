"""What holds for tables of every format: the same cells, whoever wrote them."""

import bz2
import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipelines import table_blocks
from pipelines.input_folder import InputFolder
from pipelines.tables import OUR_NAMES, Dialect, catalogue_dialect, column_names, read_table
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError


def names_of(path, *arguments, **options):
    folder = InputFolder.of(path.parent)
    return column_names(folder.file(path.name, "data.items"), *arguments, **options)


COLUMNS = ("a", "b", "c")
FIRST_ROW = {".csv": 2, ".jsonl": 1, ".parquet": 1}
PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstandard.compress}


def write(folder, rows: list[tuple], suffix: str):
    """A table of three columns of texts, compressed as the suffix says."""
    kind, _, packing = suffix[1:].partition(".")
    path = folder / f"table{suffix}"
    if kind == "parquet":
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
        pq.write_table(pa.table(columns, names=COLUMNS), path, row_group_size=7)
        return path
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *rows])
        content = text.getvalue()
    else:
        content = "".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows)
    path.write_bytes(PACKED["." + packing if packing else ""](content.encode()))
    return path


def read(path, columns=COLUMNS, dialect=OUR_NAMES) -> tuple[list[tuple], list[int]]:
    """The cells of all rows, and their numbers."""
    batches = [batch for batch, _ in read_table(str(path), columns, dialect)]
    rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return [row[:-1] for row in rows], [row[-1] for row in rows]


# Arrow's CSV reader ends a record at a lone carriage return, even a quoted one keeps it.
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=6)


@given(st.lists(st.tuples(cells, cells, cells), max_size=30))
def test_every_format_gives_the_same_cells(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("round-trip")
    for suffix, first in FIRST_ROW.items():
        path = write(folder, rows, suffix)
        assert read(path) == (rows, list(range(first, first + len(rows)))), suffix


@pytest.mark.parametrize("suffix", [kind + end for kind in (".csv", ".jsonl") for end in PACKED])
def test_compression_is_recognised_by_the_name(tmp_path, suffix):
    path = write(tmp_path, [("1", "é", "")] * 5, suffix)
    assert names_of(path, COLUMNS) == list(COLUMNS)
    assert read(path)[0] == [("1", "é", "")] * 5
    upper = path.rename(tmp_path / path.name.upper())
    assert read(upper)[0] == [("1", "é", "")] * 5


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_a_file_that_was_cut_off_is_no_shorter_table(tmp_path, suffix):
    path = write(tmp_path, [(str(n), str(n * n), "x") for n in range(5000)], suffix)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=rf"table\{suffix} cannot be read behind row \d+"):
        read(path)


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_parts_that_were_compressed_one_by_one_are_all_read(tmp_path, suffix):
    pack = PACKED["." + suffix.split(".")[-1]]
    path = tmp_path / f"table{suffix}"
    path.write_bytes(pack(b"a,b,c\n1,2,3\n") + pack(b"4,5,6\n"))
    assert read(path)[0] == [("1", "2", "3"), ("4", "5", "6")]


@pytest.mark.parametrize("suffix", FIRST_ROW)
def test_blocks_change_nothing(tmp_path, monkeypatch, suffix):
    rows = [(str(n), "x" * (n % 9), "é€😀"[: n % 4]) for n in range(300)]
    path = write(tmp_path, rows, suffix)
    whole = read(path)
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr("pipelines.parquet_tables._ROWS_OF_A_BLOCK", 11)
    assert read(path) == whole == (rows, whole[1])


@pytest.mark.parametrize("suffix", FIRST_ROW)
def test_columns_of_other_names_go_by_ours(tmp_path, suffix):
    path = write(tmp_path, [("1", "2", "3")], suffix)
    # Their c is our a, and their a, which goes by no name of ours, is not read; b is b.
    dialect = Dialect({"a": "c", "title": "b"})
    assert names_of(path, ("a", "title"), dialect) == ["a", "title"]
    assert read(path, ("title", "a"), dialect)[0] == [("2", "3")]
    # One of their columns may be two of ours.
    assert read(path, ("a", "b", "title"), dialect)[0] == [("3", "2", "2")]
    with pytest.raises(UserError, match=r"no column \['title of the film'\]; it has \['a'"):
        names_of(path, ("x",), Dialect({"x": "title of the film"}))


def test_the_dialect_of_the_catalogue_is_a_setting():
    settings = DataConfig(item_columns=("item_id=asin",), category_separator=";")
    assert catalogue_dialect(settings) == Dialect({"item_id": "asin"}, ";")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("table.jsonl", "is no table of JSON lines: none of its lines is a JSON object"),
        ("table.parquet", "is no Parquet file"),
        ("table.csv.zst", "is no CSV"),
    ],
)
def test_a_file_of_another_format_is_named(tmp_path, name, fault):
    path = tmp_path / name
    path.write_bytes(b"a,b,c\n1,2,3\n")
    with pytest.raises(UserError, match=fault) as caught:
        names_of(path, ())
    assert str(path) in str(caught.value)
