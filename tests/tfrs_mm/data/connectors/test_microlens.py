import csv
import io
import pathlib
import tempfile

import connector_downloads as downloads
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfrs_mm.data.connectors.base import find_download
from tfrs_mm.data.connectors.convert import convert
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.errors import UserError


def converted(tmp_path, write, **options):
    report = convert("microlens", write(tmp_path / "in"), tmp_path / "out", **options)
    tables = [downloads.read_csv(tmp_path / "out" / f"{n}.csv") for n in ("interactions", "items")]
    return report, *tables


def test_pairs_with_times_are_events(tmp_path):
    _, events, _ = converted(tmp_path, downloads.microlens_50k)
    assert events == [
        {"user_id": str(u), "item_id": str(i), "event": "comment", "timestamp": str(t)}
        for u, i, t in downloads.PAIRS
    ]


def test_pairs_without_times_keep_the_order_of_each_user(tmp_path):
    report, events, _ = converted(tmp_path, downloads.microlens_100k)
    assert [tuple(row[name] for name in ("user_id", "item_id", "order")) for row in events] == [
        ("1", "3", "0"), ("1", "1", "1"), ("1", "2", "2"),
        ("2", "2", "0"), ("2", "1", "1"), ("2", "9", "2"),
    ]  # fmt: skip
    assert {row["timestamp"] for row in events} == {""}
    assert report["notes"] == ["events have an order but no time"]


def test_covers_and_videos_of_the_download_are_taken_and_frames_are_not(tmp_path):
    report, _, items = converted(tmp_path, downloads.microlens_50k)
    names = ("item_id", "title", "image_path", "video_path")
    assert [tuple(row[name] for name in names) for row in items] == [
        ("1", "Gu long, bad. # comic", "images/1.jpg", "video/1.mp4"),
        ("2", "plain title", "images/2.jpg", ""),
        ("3", 'a "big" one', "", ""),
        ("9", "", "", ""),  # it has a comment but no title
    ]
    assert (report["image files taken"], report["video files taken"]) == (2, 1)


def test_titles_without_header_and_with_odd_quotes_are_whole(tmp_path):
    _, _, items = converted(tmp_path, downloads.microlens_100k)
    assert [tuple(row[name] for name in ("item_id", "title", "categories")) for row in items] == [
        ("1", '"never closed', "Comics"),
        ("2", 'half "quoted, title', "Food"),
        ("3", "first line second line", ""),
        ("9", "", ""),
    ]


def test_lines_without_a_number_and_pairs_without_an_item_are_rejected(tmp_path):
    def write(folder):
        downloads.microlens_100k(folder)
        with open(folder / "MicroLens-100k_title_en.csv", "a") as file:
            file.write("no number\n4,fine\n")
        with open(folder / "MicroLens-100k_pairs.tsv", "a") as file:
            file.write("3\n4\t1  2\n\t1\n")
        return folder

    report, events, items = converted(tmp_path, write)
    # User 4 has an empty id between two blanks; the line of user 3 has no videos.
    assert report["reasons"] == {
        "events: item_id is empty": 1,
        "events: the line has not as many cells as the table": 1,
        "events: user_id is empty": 1,
        "items: the line does not begin with the number of a video": 1,
    }
    assert len(events) == 8 and [row["item_id"] for row in items] == ["1", "2", "3", "4", "9"]


def test_columns_go_by_the_names_of_the_readme_too(tmp_path):
    def write(folder):
        downloads.microlens_50k(folder)
        (folder / "MicroLens-50k_pairs.csv").write_text("userID,videoID,timestamp\n7,1,99\n")
        return folder

    assert converted(tmp_path, write)[1][0]["user_id"] == "7"


def test_several_editions_or_none_are_refused(tmp_path):
    with pytest.raises(UserError, match="Expected MicroLens"):
        converted(tmp_path, lambda f: downloads.write_files(f, {"pairs.csv": ""}))

    def both(folder):
        downloads.write_files(folder, {"MicroLens-1M_pairs.csv": "user,item,timestamp\n"})
        return downloads.microlens_50k(folder)

    with pytest.raises(UserError, match="several editions"):
        converted(tmp_path, both)


@given(st.lists(st.text(st.sampled_from('ab1,"é #\n'), max_size=12), max_size=6), st.booleans())
@example(['"', '""', '"a"', "1,b", ',"'], True)
@settings(max_examples=100, deadline=None)
def test_titles_that_csv_wrote_come_back_on_one_line(titles, header):
    # A line that begins with a number and a comma begins a record, even inside quotes.
    titles = [title.replace("\n1", "\na") for title in titles]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([["item", "title"]] if header else [])
    writer.writerows(enumerate(titles, 1))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = {"M_pairs.csv": "user,item,timestamp\n", "M_titles.csv": file.getvalue()}
        rejects = io.StringIO()
        items = list(
            find_download("microlens", downloads.write_files(folder, files)).items(Rejects(rejects))
        )
    expected = [" ".join(title.split()) for title in titles]
    assert [item["title"] for item in items] == expected and not rejects.getvalue()
