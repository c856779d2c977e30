import csv

import pytest

from tfrs_mm.cli import main


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,7\n1,1,x,7\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,Toy Story (1995),Comedy\n")
    return folder


def test_convert_writes_tables_and_prints_what_it_counted(films, tmp_path, capsys):
    output = tmp_path / "films"
    arguments = ["convert", "--from", "movielens", "--input", str(films), "--output", str(output)]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "events written: 1\n" in text and "rejected, events: rating is no number: 1\n" in text
    assert next(csv.DictReader((output / "items.csv").open()))["title"] == "Toy Story"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--from", "microlens"], "Expected MicroLens"),
        (["--from", "amazon-reviews"], "Expected CATEGORY.jsonl"),
        (["--from", "microlens", "--tags"], "--tags is for --from movielens"),
        (["--from", "movielens", "--media", "none"], "--media must be a folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_two(films, tmp_path, capsys, more, message):
    output = tmp_path / "films"
    assert main(["convert", "--input", str(films), "--output", str(output), *more]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not output.exists()
