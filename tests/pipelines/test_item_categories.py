import pytest

from pipelines.input_folder import InputFolder
from pipelines.item_categories import (
    profile_column,
    read_item_categories,
    write_item_categories,
)
from pipelines.item_vocabularies import write_item_vocabularies
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError

CATALOGUE = (
    "item_id,genres,type\n"
    "a, x | y |x,film\n"
    "b,,film\n"
    "a,z,book\n"
    ",x,film\n"
    "c,y|z|x,\n"
)  # fmt: skip


def categories_of(tmp_path, text: str = CATALOGUE, **data: object) -> list[list[int]] | None:
    (tmp_path / "items.csv").write_text(text)
    settings = DataConfig(profiles=True, **data)
    folder = InputFolder.of(tmp_path)
    write_item_vocabularies(folder, tmp_path, tmp_path / "rejects.jsonl", settings)
    write_item_categories(folder, tmp_path, settings)
    found = read_item_categories(tmp_path)
    return None if found is None else [rows.tolist() for rows in found]


def test_each_item_has_the_rows_of_its_cell_in_order(tmp_path):
    # Genres by how many items have them, then by name: x and y (2 of a and c), then z.
    # The second row of "a" and the one without an id do not count.
    assert categories_of(tmp_path) == [[], [1, 2], [], [2, 3, 1]]


def test_as_many_values_are_kept_as_in_the_item_records(tmp_path):
    assert categories_of(tmp_path, max_categories=2) == [[], [1, 2], [], [2, 3]]


def test_another_column_may_be_named(tmp_path):
    assert categories_of(tmp_path, profile_category="type") == [[], [1], [1], []]


def test_a_catalogue_without_categories_has_none(tmp_path):
    assert categories_of(tmp_path, "item_id\na\n") is None
    with pytest.raises(UserError, match=r"`data\.profile_category` is 'genres', but items\.csv"):
        profile_column(tmp_path, DataConfig(profile_category="genres"))
