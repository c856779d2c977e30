import connector_downloads as downloads
import pytest

from tfrs_mm.data.connectors.convert import convert
from tfrs_mm.errors import UserError


def converted(tmp_path, write, **options):
    report = convert("amazon-reviews", write(tmp_path / "in"), tmp_path / "out", **options)
    tables = [downloads.read_csv(tmp_path / "out" / f"{n}.csv") for n in ("interactions", "items")]
    return report, *tables


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_review_is_an_event_with_its_product(tmp_path, suffix):
    report, events, _ = converted(tmp_path, lambda folder: downloads.amazon(folder, suffix))
    assert events == [
        {
            "user_id": review["user_id"], "item_id": review["parent_asin"], "event": "review",
            "rating": f"{review['rating']:.0f}", "timestamp": str(review["timestamp"]),
            "verified_purchase": "true",
        }
        for review in downloads.REVIEWS
    ]  # fmt: skip
    assert report["events written"] == 9


def test_products_become_items_without_what_knows_the_future(tmp_path):
    _, _, items = converted(tmp_path, downloads.amazon)
    assert items[0] == {
        "item_id": "B01CUPMQZE", "title": "Leather Conditioner, 8-Ounce",
        "description": "Soft Clean For leather. Made | here.", "categories": "Beauty|Care/Leather",
        "main_category": "All Beauty", "store": "Howard Products", "price": "12.5",
        "image_url": "https://m/l.jpg", "image_path": "", "audio_path": "", "video_path": "",
    }  # fmt: skip
    assert [row["title"] for row in items] == [
        "Leather Conditioner, 8-Ounce", "Title of B002", "",
    ]  # fmt: skip
    assert items[1]["price"] == "from 4.99"


def test_ratings_alone_give_the_same_events(tmp_path):
    _, of_reviews, _ = converted(tmp_path / "a", downloads.amazon)
    _, of_ratings, _ = converted(tmp_path / "b", downloads.amazon_ratings)
    for row in of_reviews:
        del row["verified_purchase"]
    for row in of_ratings:
        row["rating"] = row["rating"].removesuffix(".0")
    assert of_ratings == of_reviews


def test_pictures_come_from_a_folder_and_else_stay_away(tmp_path):
    pictures = downloads.write_files(tmp_path / "p" / "images", {"B002.jpg": b"p", "X.jpg": b"x"})
    report, _, items = converted(tmp_path, downloads.amazon, media_dir=pictures.parent)
    assert [row["image_path"] for row in items] == ["", "images/B002.jpg", ""]
    assert (report["image files found"], report["image files taken"]) == (2, 1)
    assert "nothing is fetched" in report["notes"][0]


def test_bad_lines_are_kept_with_their_reason(tmp_path):
    bad = [
        "{not json", '["a list"]', '{"user_id": 7, "parent_asin": "B"}',
        '{"user_id": "u", "parent_asin": "B", "rating": 5.0, "timestamp": null}',
        '{"user_id": null, "parent_asin": "B", "rating": 5.0, "timestamp": 1588687728923}',
    ]  # fmt: skip

    def write(folder):
        downloads.amazon(folder)
        for name in ("All_Beauty.jsonl", "meta_All_Beauty.jsonl"):
            with open(folder / name, "a") as file:
                file.write("\n".join(bad if not name.startswith("meta") else bad[:3]))
        return folder

    report, events, items = converted(tmp_path, write)
    assert (len(events), len(items)) == (9, 4)  # an item that has an id but nothing else is one
    assert report["events read"] == 14
    assert report["reasons"] == {
        "events: the line is no JSON object": 2,
        "events: timestamp is no whole number": 1,
        "events: user_id is empty": 1,
        "events: user_id is no text in UTF-8": 1,
        "items: the line is no JSON object": 2,
    }


def test_categories_lie_in_folders_of_their_own_too(tmp_path):
    def write(folder):
        downloads.amazon(folder)
        for name, home in (("All_Beauty.jsonl", "review"), ("meta_All_Beauty.jsonl", "meta")):
            (folder / f"{home}_categories").mkdir()
            (folder / name).rename(folder / f"{home}_categories" / name)
        downloads.write_files(folder / "meta_categories", {"meta_Books.jsonl": "{}\n"})
        return folder

    report, events, _ = converted(tmp_path, write)
    assert len(events) == 9
    assert "meta_Books is left out" in report["notes"][1]


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match=r"Expected CATEGORY.jsonl with reviews"):
        converted(tmp_path, lambda f: downloads.write_files(f, {"Books.jsonl": "{}"}))
    files = {"Books.jsonl": "{}", "meta_Toys.jsonl": "{}"}
    with pytest.raises(UserError, match=r"no meta_Books.jsonl for the reviews of Books"):
        converted(tmp_path, lambda f: downloads.write_files(f, files))


def test_reviews_and_ratings_together_are_refused(tmp_path):
    with pytest.raises(UserError, match="tell of the same events"):
        converted(tmp_path, lambda f: downloads.amazon_ratings(downloads.amazon(f)))
