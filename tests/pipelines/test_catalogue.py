import gzip
import pickle

import numpy as np
import pyarrow as pa
from apache_beam.testing.util import assert_that

from pipelines import table_blocks
from pipelines.catalogue import ReadItems
from pipelines.runners import new_pipeline
from pipelines.tables import Dialect
from tfrs_mm.data.vocabulary import Vocabulary


def read(tmp_path, text: str, ids: list[str], columns: list[str], check) -> None:
    """Runs the transform and hands all record batches to `check`."""
    (tmp_path / "items.csv").write_text(text, encoding="utf-8")
    Vocabulary(tuple(ids)).write(tmp_path / "items.txt")
    with new_pipeline([]) as pipeline:
        items = pipeline | ReadItems(
            str(tmp_path / "items.csv"), str(tmp_path / "items.txt"), columns
        )
        assert_that(items, check)


def test_rows_come_from_the_vocabulary_and_each_comes_once(tmp_path):
    def check(batches):
        (batch,) = batches
        assert batch.to_pydict() == {
            "item_id": ["a", "b"],
            "title": ["second", "first"],
            "row": [1, 2],
        }

    text = "item_id,title,other\nb,first,1\nx,no,1\na,second,1\nb,third,1\n"
    read(tmp_path, text, ["a", "b"], ["title"], check)


def test_a_table_without_any_item_of_the_vocabulary_gives_none(tmp_path):
    def check(batches):
        assert batches == []

    read(tmp_path, "item_id,title\nx,no\n", ["a"], ["title"], check)


def test_many_items_come_in_chunks_of_neighbours(tmp_path):
    ids = [f"i{n}" for n in range(1, 1001)]
    shuffled = np.random.default_rng(5).permutation(ids)

    def check(batches):
        rows = [batch.column("row").to_numpy() for batch in batches]
        assert sorted(np.concatenate(rows).tolist()) == list(range(1, 1001))
        assert all((np.diff(of_one) == 1).all() and len(of_one) <= 64 for of_one in rows)
        for batch in batches:
            wanted = [ids[row - 1] for row in batch.column("row").to_pylist()]
            assert batch.column("item_id").to_pylist() == wanted
            assert len(pickle.dumps(batch)) < 10_000  # not the whole table behind a slice

    read(tmp_path, "item_id\n" + "\n".join(shuffled) + "\n", ids, ["title"], check)


def test_cells_stay_the_strings_they_are(tmp_path):
    def check(batches):
        (batch,) = batches
        assert batch.column("title").to_pylist() == ["007", "", 'a, "b"\nc', "NULL"]
        assert batch.schema.field("title").type == pa.string()

    text = 'item_id,title\n1,007\n2,\n3,"a, ""b""\nc"\n4,NULL\n'
    read(tmp_path, text, ["1", "2", "3", "4"], ["title"], check)


def test_a_compressed_table_is_read_as_what_it_holds(tmp_path):
    def check(batches):
        (batch,) = batches
        assert batch.to_pydict() == {
            "item_id": ["a", "b"],
            "title": ["A", "caf\ufffd"],
            "row": [1, 2],
        }

    content = b"item_id,title\na,A\nx,of,another,width\nb,caf\xe9\n"
    (tmp_path / "items.csv.gz").write_bytes(gzip.compress(content))
    Vocabulary(("a", "b")).write(tmp_path / "items.txt")
    with new_pipeline([]) as pipeline:
        items = pipeline | ReadItems(
            str(tmp_path / "items.csv.gz"), str(tmp_path / "items.txt"), ["title"]
        )
        assert_that(items, check)


def test_json_lines_are_read_by_our_names_with_the_same_columns_in_every_block(
    tmp_path, monkeypatch
):
    def check(batches):
        (batch,) = batches
        assert batch.to_pydict() == {
            "item_id": ["1", "2", "3"],
            "title": ["A", "", "C"],
            "genres": ["", "x;y", ""],
            "row": [1, 2, 3],
        }

    lines = (
        '{"asin": 1, "name": "A"}\n{"asin": 2, "genres": ["x", "y"]}\n{"asin": 3, "name": "C"}\n'
    )
    (tmp_path / "items.jsonl").write_text(lines)
    Vocabulary(("1", "2", "3")).write(tmp_path / "items.txt")
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 40)  # a line each
    with new_pipeline([]) as pipeline:
        items = pipeline | ReadItems(
            str(tmp_path / "items.jsonl"),
            str(tmp_path / "items.txt"),
            ["title", "genres"],
            Dialect({"item_id": "asin", "title": "name"}, ";"),
        )
        assert_that(items, check)
