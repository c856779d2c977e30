import pickle

import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that

from pipelines.catalogue import ReadItems, check_catalogue, read_numbered
from pipelines.runners import new_pipeline
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError


def read(tmp_path, text: str, ids: list[str], columns: list[str], check) -> None:
    """Runs the transform and hands all record batches to `check`."""
    (tmp_path / "items.csv").write_text(text, encoding="utf-8")
    Vocabulary(tuple(ids)).write(tmp_path / "items.txt")
    with new_pipeline([]) as pipeline:
        items = pipeline | ReadItems(str(tmp_path / "items.csv"), str(tmp_path / "items.txt"), columns)
        assert_that(items, check)


def test_rows_come_from_the_vocabulary_and_each_comes_once(tmp_path):
    def check(batches):
        (batch,) = batches
        assert batch.to_pydict() == {"item_id": ["a", "b"], "title": ["second", "first"], "row": [1, 2]}

    text = "item_id,title,other\nb,first,1\nx,no,1\na,second,1\nb,third,1\n"
    read(tmp_path, text, ["a", "b"], ["title"], check)


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


def test_a_line_of_another_width_is_skipped(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title\na,A\nb,B,too,many\nc,C\n")
    (batch,) = read_numbered(str(tmp_path / "items.csv"), ("item_id", "title"))
    assert batch.column("item_id").to_pylist() == ["a", "c"]


def test_line_breaks_in_cells_do_not_split_a_line_where_blocks_meet(tmp_path):
    # 3,000 lines of about 4 kB are three blocks of 4 MiB.
    ids = [f"i{n}" for n in range(3_000)]
    lines = [f'{item_id},"{"word" + chr(10) + "more "}{"x" * 4_000}"' for item_id in ids]
    (tmp_path / "items.csv").write_text("item_id,description\n" + "\n".join(lines))
    batches = list(read_numbered(str(tmp_path / "items.csv"), ("item_id", "description")))
    assert len(batches) >= 3
    assert [value for batch in batches for value in batch.column("item_id").to_pylist()] == ids
    positions = np.concatenate([batch.column("position").to_numpy() for batch in batches])
    np.testing.assert_array_equal(positions, np.arange(3_000))
    assert all(len(value) == 4_010 for value in batches[-1].column("description").to_pylist())


def test_what_is_not_utf8_costs_that_character_only(tmp_path):
    (tmp_path / "items.csv").write_bytes(b"item_id,title\na,caf\xe9\nb,th\xc3\xa9\n")
    (batch,) = read_numbered(str(tmp_path / "items.csv"), ("item_id", "title"))
    assert batch.column("title").to_pylist() == ["caf\ufffd", "thé"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "does not exist"), (b"", "no CSV table"), (b"a,b\n", "no column 'item_id'")],
)
def test_an_unusable_table_is_named(tmp_path, content, fault):
    path = tmp_path / "items.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=fault):
        check_catalogue(str(path))
