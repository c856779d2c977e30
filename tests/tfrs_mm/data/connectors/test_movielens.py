import connector_downloads as downloads
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.data.connectors.convert import convert
from tfrs_mm.data.connectors.movielens import split_title
from tfrs_mm.errors import UserError


def converted(tmp_path, write, **options):
    report = convert("movielens", write(tmp_path / "in"), tmp_path / "out", **options)
    tables = [downloads.read_csv(tmp_path / "out" / f"{n}.csv") for n in ("interactions", "items")]
    return report, *tables


def test_ratings_of_csv_keep_their_order_and_their_stars(tmp_path):
    report, events, _ = converted(tmp_path, downloads.movielens_csv)
    expected = [
        line.split(",") for line in downloads.ratings(",", (1, 2, 3, 4, 5), whole=False).split()
    ]
    assert [
        [row[name] for name in ("user_id", "item_id", "rating", "timestamp")] for row in events
    ] == expected
    assert {row["event"] for row in events} == {"rate"}
    assert report["events read"] == report["events written"] == 12


def test_titles_lose_their_year_and_genres_their_absence(tmp_path):
    _, _, items = converted(tmp_path, downloads.movielens_csv)
    names = ("item_id", "title", "genres", "year", "imdb_id", "tmdb_id")
    assert [tuple(row[name] for name in names) for row in items] == [
        ("1", "Toy Story", "Adventure|Animation|Children", "1995", "0114709", "862"),
        ("2", "City of Lost Children, The (Cité des enfants perdus, La)", "Adventure", "1995",
         "0112682", "902"),
        ("3", "Fawlty Towers", "Comedy", "1975", "0072500", ""),
        ("4", "No Year Here", "", "", "", ""),
        ("5", 'A "Quoted" Film', "Drama", "2001", "", ""),
    ]  # fmt: skip
    assert {row["description"] for row in items} == {""}


def test_tags_become_descriptions_only_if_asked_for(tmp_path):
    report, _, items = converted(tmp_path, downloads.movielens_csv, tags=True)
    # "pixar" was given twice, in two spellings, so it is the first.
    assert [row["description"] for row in items] == ["pixar, fun, for all", "dark", "", "", ""]
    assert "held-out figures" in report["notes"][0]


def test_the_oldest_edition_is_latin_one_and_has_users(tmp_path):
    report, events, items = converted(tmp_path, downloads.movielens_1m)
    assert "ml-1m" in report["edition"] and "latin-1" in report["edition"]
    assert [(row["item_id"], row["title"], row["year"]) for row in items] == [
        ("1", "Toy Story", "1995"),
        ("73", "Misérables, Les", "1995"),
        ("260", "Star Wars:: Episode IV - A New Hope", "1977"),
    ]
    assert items[0]["genres"] == "Animation|Children's|Comedy"
    assert [row["rating"] for row in events[:4]] == ["5", "3", "4", "1"]
    assert downloads.read_csv(tmp_path / "out" / "users.csv")[1] == {
        "user_id": "2", "gender": "M", "age": "56", "occupation": "16", "zip_code": "70072",
    }  # fmt: skip


def test_the_ten_million_edition_is_utf8_and_has_tags(tmp_path):
    report, _, items = converted(tmp_path, downloads.movielens_10m, tags=True)
    assert "ml-10m" in report["edition"] and "utf-8" in report["edition"]
    assert [row["title"] for row in items][1] == "Misérables, Les"
    assert [row["description"] for row in items] == ["toys", "paris, très triste", ""]
    assert not (tmp_path / "out" / "users.csv").exists()


def test_bad_ratings_and_films_are_kept_with_their_reason(tmp_path):
    def write(folder):
        downloads.movielens_1m(folder)
        with open(folder / "ratings.dat", "a") as file:
            file.write("1::1::5\n::1::5::7\n1::1::five::7\n1::1::5::7.5\n1:1::5::7\n")
        with open(folder / "movies.dat", "a") as file:
            file.write("99::No genres\n::No id::Drama\n")
        return folder

    report, events, items = converted(tmp_path, write)
    assert (len(events), len(items)) == (12, 3)
    assert report["events read"] == 17 and report["events rejected"] == 5
    assert report["reasons"] == {
        "events: rating is no number": 1,
        "events: the line has not as many cells as the table": 2,
        "events: timestamp is no whole number": 1,
        "events: user_id is empty": 1,
        "items: item_id is empty or has control characters": 1,
        "items: the line has not as many cells as the table": 1,
    }
    assert len((tmp_path / "out" / "rejects.jsonl").read_text().splitlines()) == 7


def test_posters_go_by_film_or_by_imdb_number(tmp_path):
    posters = downloads.write_files(
        tmp_path / "posters", {"1.png": b"one", "tt0112682.jpg": b"two"}
    )
    report, _, items = converted(tmp_path, downloads.movielens_csv, media_dir=posters)
    assert [row["image_path"] for row in items] == ["images/1.png", "images/2.jpg", "", "", ""]
    assert (tmp_path / "out" / "images" / "2.jpg").read_bytes() == b"two"
    assert report["image files taken"] == 2


def test_other_columns_and_another_order_make_no_difference(tmp_path):
    def write(folder):
        log = "timestamp,extra,rating,movieId,userId\n7,x,4.5,1,9\n"
        return downloads.movielens_csv(folder, **{"ratings.csv": log})

    _, events, _ = converted(tmp_path, write)
    assert events == [
        {"user_id": "9", "item_id": "1", "event": "rate", "rating": "4.5", "timestamp": "7"}
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "Expected ratings.csv and movies.csv .*found nothing"),
        ({"ratings.csv": "a"}, "found ratings.csv"),
        ({"ratings.csv": "user,movie\n", "movies.csv": "movieId,title,genres\n"}, "must name"),
    ],
)
def test_what_was_expected_is_said(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        converted(tmp_path, lambda folder: downloads.write_files(folder, files))
    assert not (tmp_path / "out").exists()


def test_two_editions_in_one_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="two editions"):
        converted(tmp_path, lambda f: downloads.movielens_1m(downloads.movielens_csv(f)))


def test_tags_that_are_not_there_cannot_be_asked_for(tmp_path):
    with pytest.raises(UserError, match=r"neither tags.csv nor tags.dat"):
        converted(tmp_path, downloads.movielens_1m, tags=True)


@given(st.text(), st.integers(1000, 9999))
def test_a_year_at_the_end_of_a_title_is_taken_off(title, year):
    title = " ".join(title.split()) or "x"
    assert split_title(f"{title} ({year})") == (title, str(year))
