import json
import pathlib

import connector_downloads as downloads
import pytest

from tfrs_mm.data.connectors import lines
from tfrs_mm.data.connectors.base import CONNECTORS, find_download
from tfrs_mm.data.connectors.convert import convert
from tfrs_mm.errors import UserError

EDITIONS = sorted(downloads.EDITIONS)


def convert_edition(edition: str, folder: pathlib.Path, **options: object) -> dict:
    name, write = downloads.EDITIONS[edition]
    return convert(name, write(folder / "in"), folder / "out", **options)


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("edition", EDITIONS)
def test_converting_twice_gives_the_same_bytes(edition, tmp_path):
    convert_edition(edition, tmp_path / "first")
    convert_edition(edition, tmp_path / "second")
    assert contents(tmp_path / "first" / "out") == contents(tmp_path / "second" / "out")


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_size_of_blocks_does_not_show(edition, tmp_path, monkeypatch):
    convert_edition(edition, tmp_path / "large")
    monkeypatch.setattr(lines, "BLOCK_BYTES", 700)  # the longest line has fewer
    convert_edition(edition, tmp_path / "small")
    assert contents(tmp_path / "large" / "out") == contents(tmp_path / "small" / "out")


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_report_adds_up_and_is_the_file(edition, tmp_path):
    report = convert_edition(edition, tmp_path)
    assert json.loads((tmp_path / "out" / "convert.json").read_text()) == report
    for table, name in (("events", "interactions"), ("items", "items")):
        assert report[f"{table} written"] == len(downloads.read_csv(tmp_path / f"out/{name}.csv"))
        assert report[f"{table} read"] == report[f"{table} written"] + report[f"{table} rejected"]


def test_commas_quotes_and_breaks_in_ids_come_back(tmp_path):
    odd = ['a,"b"', "c\\nd", "é"]
    reviews = [downloads.review(user, "B002", 4.5, 10**12) for user in odd]
    downloads.write_files(
        tmp_path / "in",
        {"X.jsonl": downloads.json_lines(reviews), "meta_X.jsonl": '{"parent_asin": "B002"}\n'},
    )
    convert("amazon-reviews", tmp_path / "in", tmp_path / "out")
    events = downloads.read_csv(tmp_path / "out" / "interactions.csv")
    assert [event["user_id"] for event in events] == odd
    assert {event["rating"] for event in events} == {"4.5"}


def test_nothing_appears_where_nothing_can_be_used(tmp_path):
    log = "userId,movieId,rating,timestamp\n1,1,good,7\n"
    folder = downloads.movielens_csv(tmp_path / "in", **{"ratings.csv": log})
    with pytest.raises(UserError, match=r"none of its 1 events can be used: .*rating is no number"):
        convert("movielens", folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_was_there_is_replaced_only_if_asked_and_whole(tmp_path):
    convert_edition("ml-1m", tmp_path)
    before = contents(tmp_path / "out")
    with pytest.raises(UserError, match="--overwrite"):
        convert_edition("ml-1m", tmp_path)
    (tmp_path / "in" / "movies.dat").write_bytes(b"")
    with pytest.raises(UserError, match="none of its 0 items"):
        convert("movielens", tmp_path / "in", tmp_path / "out", overwrite=True)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("output", ["in", "."])
def test_a_download_is_never_replaced_by_its_conversion(output, tmp_path):
    folder = downloads.movielens_1m(tmp_path / "in")
    with pytest.raises(UserError, match="which it would replace"):
        convert("movielens", folder, tmp_path / output, overwrite=True)
    assert (folder / "ratings.dat").is_file()


def test_a_map_says_which_file_is_whose(tmp_path):
    posters = downloads.write_files(
        tmp_path / "posters",
        {"toys.jpg": b"toys", "1.jpg": b"other", "map.csv": "item_id,image_path\n1,toys.jpg\n"},
    )
    convert_edition(
        "ml-25m", tmp_path, media_dir=posters, media_map=posters / "map.csv", media_mode="copy"
    )
    assert (tmp_path / "out" / "images" / "1.jpg").read_bytes() == b"toys"
    with pytest.raises(UserError, match="Give both"):
        convert_edition("ml-25m", tmp_path, media_map=posters / "map.csv", overwrite=True)


def test_a_connector_that_does_not_exist_lists_those_that_do(tmp_path):
    with pytest.raises(UserError, match="movielens"):
        find_download("netflix", tmp_path)
    assert set(CONNECTORS) == {name for name, _ in downloads.EDITIONS.values()}
