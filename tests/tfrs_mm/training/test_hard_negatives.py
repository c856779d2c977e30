import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.training.hard_negatives import disliked_items, nearest_items


def test_the_nearest_items_that_somebody_had_come_first():
    # Angles 0, 10, 30, 70 and 72 degrees; row 4 is nobody's.
    angles = np.radians([0, 0, 10, 30, 31, 70, 72])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    warm = np.array([False, True, True, True, False, True, True])
    table = nearest_items(vectors, warm, 2)
    assert table[1:].tolist() == [[2, 3], [1, 3], [2, 1], [-1, -1], [6, 3], [5, 3]]
    assert table[0].tolist() == [-1, -1]
    assert nearest_items(vectors, warm, 6)[1].tolist() == [2, 3, 5, 6, -1, -1]
    assert (nearest_items(vectors, np.arange(7) == 3, 2) == -1).all()


def knowledge_of(folder, rows):
    columns = dict(
        zip(("user_id", "item", "time"), map(list, zip(*rows, strict=True)), strict=True)
    )
    (folder / "behaviour").mkdir()
    pq.write_table(pa.table(columns), folder / "behaviour" / "negatives.parquet")
    users = Vocabulary(("ann", "bob", "cid"))
    return types.SimpleNamespace(
        data_dir=folder, users=users, schema=types.SimpleNamespace(num_users=3)
    )


WINDOWS = {
    "user": np.array([1, 1, 2]),
    "history/item": np.array([[4, 5], [5, 6], [7, 0]]),
    "history/time": np.array([[10, 20], [20, 30], [50, 0]]),
}


def test_what_a_user_disliked_in_the_training_range_is_kept_newest_first(tmp_path):
    rows = [
        ("ann", 1, 5.0), ("ann", 2, 15.0), ("ann", 1, 25.0), ("ann", 3, 30.0),
        ("ann", 8, 31.0),  # after the last event of ann's training
        ("bob", 9, 40.0),  # which nobody had
        ("bob", 2, 50.0), ("zoe", 2, 1.0),
    ]  # fmt: skip
    warm = np.arange(10) % 9 > 0
    table = disliked_items(knowledge_of(tmp_path, rows), WINDOWS, warm, 2)
    assert table.tolist() == [[-1, -1], [3, 1], [2, -1], [-1, -1]]


def test_a_log_without_dislikes_is_refused(tmp_path):
    knowledge = knowledge_of(tmp_path, [("ann", 1, 99.0)])
    with pytest.raises(UserError, match=r"holds no negative feedback of its training range"):
        disliked_items(knowledge, WINDOWS, np.ones(10, bool), 2)
    knowledge.data_dir = tmp_path / "other"
    with pytest.raises(UserError, match=r"hard_negatives_from` is 'log'"):
        disliked_items(knowledge, WINDOWS, np.ones(10, bool), 2)
