import csv

import numpy as np
import pytest

from tfrs_mm.errors import UserError
from tfrs_mm.evaluation import Ranked, write_predictions
from tfrs_mm.evaluation.predictions import read_predictions

HEADER = "user_id,rank,item_id,score\n"
USERS, ITEMS = ["u,1", "u2", "u3"], ["", "a", "b", "c"]
SEEN = [np.array([3]), np.array([], int), np.array([], int)]


def test_predictions_hold_filled_places_only(tmp_path):
    ranked = Ranked(np.array([[2, 1, 0]], np.int32), np.array([[0.5, 0.25, -np.inf]], np.float32))
    assert write_predictions(tmp_path / "p.csv", ["u,1"], ["", "a", "b"], ranked) == 2
    rows = list(csv.reader((tmp_path / "p.csv").open()))
    assert rows == [
        ["user_id", "rank", "item_id", "score"],
        ["u,1", "1", "b", "0.5"],
        ["u,1", "2", "a", "0.25"],
    ]


def test_what_was_written_is_read_again(tmp_path):
    scores = np.array([[0.5, -np.inf, -np.inf], [3.0, 2.0, 1.0]], np.float32)
    ranked = Ranked(np.array([[2, 0, 0], [3, 1, 2]], np.int32), scores)
    write_predictions(tmp_path / "p.csv", ["u,1", "u3"], ITEMS, ranked)
    found = read_predictions(tmp_path / "p.csv", USERS, ITEMS, SEEN, k=3)
    assert found.places.tolist() == [0, 2]
    np.testing.assert_array_equal(found.ranked.rows, ranked.rows)
    np.testing.assert_array_equal(found.ranked.scores, scores)
    assert found.strangers == 0


def test_lines_and_columns_may_have_any_order_and_strangers_are_counted(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(
        b"\xef\xbb\xbfscore,item_id,rank,user_id,note\r\n"
        b"1,b,2,u2,x\r\n9,a,1,who,x\r\n8,b,2,who,x\r\n2,a,1,u2,x\r\n"
    )
    found = read_predictions(path, USERS, ITEMS, SEEN, k=3)
    assert found.ranked.rows.tolist() == [[1, 2, 0]]
    assert found.strangers == 1


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("user_id,item_id,score\nu2,a,1\n", 1, "the header must have user_id,rank,item_id,score"),
        ("", 1, "the header must have"),
        (HEADER + "u2,1,a,1\nu2,2,b\n", 3, "3 cells, but the header has 4"),
        (HEADER + "u,1,1,a,1\n", 2, "5 cells"),
        (HEADER + "u2,one,a,1\n", 2, "rank 'one' must be a whole number"),
        (HEADER + "u2,1,a,high\n", 2, "score 'high' a number"),
        (HEADER + "u2,1,a,nan\n", 2, "the score is NaN"),
        (HEADER + "u2,1,z,1\n", 2, "item 'z' is not in the catalogue"),
        (HEADER + "u2,1,,1\n", 2, "item '' is not in the catalogue"),
        (HEADER + 'u2,1,a,1\n"u,1",1,c,1\n', 3, "user 'u,1' has had item 'c' before"),
        (HEADER + "u2,1,a,2\nu2,3,b,1\n", 3, "rank 3 of user 'u2' where 2 must be"),
        (HEADER + "u2,2,a,2\nu2,3,b,1\n", 2, "rank 2 of user 'u2' where 1 must be"),
        (HEADER + "u2,1,a,2\nu2,1,b,1\n", 3, "rank 1 of user 'u2' where 2 must be"),
        (HEADER + "u2,1,a,2\nu2,2,a,1\n", 3, "an item of user 'u2' for the second time"),
        (HEADER + "u2,1,a,1\nu2,2,b,2\n", 3, "the score of user 'u2' rises from rank 1 to 2"),
        (HEADER + "u2,1,a,3\nu2,2,b,2\nu2,3,c,1\n", 4, "more than 2 items"),
        (HEADER + 'u2,1,a,1\nu2,2,"b,0\n', 3, "unexpected end of data"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, text, line, why):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(UserError) as refusal:
        read_predictions(path, USERS, ITEMS, SEEN, k=2)
    assert f"p.csv, line {line}: " in str(refusal.value)
    assert why in str(refusal.value)


def test_other_encodings_are_refused_with_their_line(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(HEADER.encode() + b"u2,1,a,2\nu\xff,1,a,1\n")
    with pytest.raises(UserError, match="line 3: it is no UTF-8"):
        read_predictions(path, USERS, ITEMS, SEEN)
    with pytest.raises(UserError, match="do not exist"):
        read_predictions(tmp_path / "none.csv", USERS, ITEMS, SEEN)
