import json
import pathlib

import pytest

from pipelines.input_folder import InputFolder
from pipelines.item_vocabularies import write_item_vocabularies
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError


def write(tmp_path: pathlib.Path, table: bytes, **settings: object) -> tuple[dict, list[dict]]:
    """The counters and the rejects."""
    (tmp_path / "items.csv").write_bytes(table)
    found = write_item_vocabularies(
        InputFolder.of(tmp_path), tmp_path, tmp_path / "items.jsonl", DataConfig(**settings)
    )
    return found, [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]


def ids(tmp_path: pathlib.Path, name: str) -> tuple[str, ...]:
    return Vocabulary.read(tmp_path / f"{name}.txt").ids


def test_items_keep_the_order_of_the_catalogue(tmp_path):
    found, rejects = write(tmp_path, b"title,item_id\nT,b\nT,007\nT,a\n")
    assert ids(tmp_path, "items") == ("b", "007", "a")
    assert found == {
        "items": 3,
        "items rejected": 0,
        "category values rejected": 0,
        "categories": [],
    }
    assert rejects == []


def test_categories_are_ordered_by_their_items_then_by_name(tmp_path):
    table = b"item_id,genres,type,other\n1,x|z,,q\n2, z |y,t,q\n3,x|x||z,,q\n"
    found, _ = write(tmp_path, table)
    # z has three items, x two (a repetition within an item counts once), y one.
    assert ids(tmp_path, "genres") == ("z", "x", "y")
    assert ids(tmp_path, "type") == ("t",)
    assert found["categories"] == ["genres", "type"]
    assert not (tmp_path / "other.txt").exists()


def test_the_columns_and_the_separator_are_settings(tmp_path):
    write(
        tmp_path,
        b"item_id,kind,genres\n1,x;y,g\n",
        category_columns=("kind",),
        category_separator=";",
    )
    assert ids(tmp_path, "kind") == ("x", "y")
    assert not (tmp_path / "genres.txt").exists()


def test_unusable_rows_are_told_and_the_first_of_two_counts(tmp_path):
    table = b'item_id,genres\na,x\n,x\nb\na,y\n"c\nd",x\ncaf\xe9,x\nb,z\n'
    found, rejects = write(tmp_path, table)
    assert ids(tmp_path, "items") == ("a", "b")
    assert ids(tmp_path, "genres") == ("x", "z")
    assert found["items rejected"] == 5
    assert sorted((reject["where"], reject["reason"]) for reject in rejects) == [
        ("items.csv:3", "item_id is empty"),
        ("items.csv:4", "the row has not as many cells as the header"),
        ("items.csv:5", "item_id is repeated"),
        ("items.csv:6", "item_id has control characters"),
        ("items.csv:7", "item_id is not UTF-8"),
    ]


def test_an_illegal_category_costs_the_item_that_value_only(tmp_path):
    found, rejects = write(tmp_path, b"item_id,genres\na,x|y\x07z\n")
    assert ids(tmp_path, "items") == ("a",)
    assert ids(tmp_path, "genres") == ("x",)
    assert (found["items rejected"], found["category values rejected"]) == (0, 1)
    assert rejects[0]["reason"] == "a value of genres has control characters"
    assert rejects[0]["record"] == {"item_id": "a", "genres": "y\x07z"}


@pytest.mark.parametrize(
    ("table", "fault"),
    [(b"item_id,title\n", "holds no item"), (b"id\n1\n", "no column"), (b"", "is empty")],
)
def test_a_catalogue_without_items_is_refused(tmp_path, table, fault):
    with pytest.raises(UserError, match=fault):
        write(tmp_path, table)


def test_a_catalogue_elsewhere_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"`data\.items` must lie below"):
        write(tmp_path, b"item_id\na\n", items="../items.csv")


def test_lists_of_json_lines_are_categories_and_late_columns_are_found(tmp_path):
    table = b'{"asin": 7}\n\n["asin"]\n{"asin": "b", "kinds": ["x", "y"]}\n{"asin": "7"}\n'
    (tmp_path / "items.jsonl").write_bytes(table)
    found, rejects = write(
        tmp_path,
        b"",
        items="items.jsonl",
        item_columns=("item_id=asin", "genres=kinds"),
        category_separator=";",
    )
    assert ids(tmp_path, "items") == ("7", "b")
    assert ids(tmp_path, "genres") == ("x", "y")
    assert found["categories"] == ["genres"]
    assert rejects == [
        {
            "reason": "the line is no JSON object",
            "where": "items.jsonl:3",
            "record": {"row": '["asin"]'},
        },
        {"reason": "item_id is repeated", "where": "items.jsonl:5", "record": {"item_id": "7"}},
    ]
