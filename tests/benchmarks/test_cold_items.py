import csv
import hashlib
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import cold_items

from tfrs_mm.errors import UserError
from tfrs_mm.media.paths import read_below

ITEMS = [f"i{number}" for number in range(60)]
TENTHS = {item: int(hashlib.sha256(item.encode()).hexdigest(), 16) % 10 for item in ITEMS}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "all"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "i0.jpg").write_bytes(b"picture")
    lines = [f'{item},"Title, {item}"' for item in ITEMS]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *lines]) + "\n")
    lines = [f"u,{item},{place}" for place, item in enumerate(ITEMS)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]))
    return folder


def ids_of(path):
    with open(path, newline="") as file:
        return [row["item_id"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(("cold", "without"), [(0, None), (1, 0)])
def test_events_of_cold_items_are_left_out_and_the_items_stay(source, tmp_path, cold, without):
    target = tmp_path / "warm"
    cold_items.prepare(source, target, cold, without)
    assert {0, 1} <= set(TENTHS.values())
    left = [item for item in ITEMS if TENTHS[item] != without]
    assert ids_of(target / "items.csv") == left
    assert ids_of(target / "interactions.csv") == [i for i in left if TENTHS[i] != cold]
    # As the media job reads it, which follows no link out of a folder.
    assert read_below(target, "images/i0.jpg", 100) == b"picture"


def test_a_folder_that_holds_something_is_not_written_over(source, tmp_path):
    target = tmp_path / "warm"
    target.mkdir()
    (target / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="exists and is not empty"):
        cold_items.prepare(source, target, 0, None)
    assert [path.name for path in target.iterdir()] == ["mine.txt"]
