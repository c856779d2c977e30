import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfrs_mm.data.exposures import Exposures, read_exposures
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError


def make_exposures():
    users = np.array([2, 1, 2, 2, 0, 2, 1])
    items = np.array([5, 9, 6, 5, 4, 7, 8])
    times = np.array([100.0, 10.0, 130.0, 90.0, 100.0, 111.0, 5.0])
    return Exposures.of(users, items, times, num_users=3)


def test_what_is_near_in_time_comes_first_and_once():
    # of user 2 at 105: 5 at 100 (5 away) and again at 90, 7 at 111 (6), 6 at 130 (25)
    assert make_exposures().near(2, 105, seconds=30, until=200).tolist() == [5, 7, 6]
    assert make_exposures().near(2, 105, seconds=6, until=200).tolist() == [5, 7]
    assert make_exposures().near(2, 105, seconds=5, until=200).tolist() == [5]


def test_nothing_of_a_later_time_than_may_be_known_is_told():
    assert make_exposures().near(2, 105, seconds=30, until=110).tolist() == [5]


def test_users_do_not_mix_and_the_unknown_one_has_none():
    assert make_exposures().near(1, 7, seconds=30, until=200).tolist() == [8, 9]
    for user in (0, 3):
        assert not len(make_exposures().near(user, 100, seconds=1e6, until=1e6))
    assert len(make_exposures()) == 6


def test_the_file_of_the_behaviour_job_is_read_by_rows(tmp_path):
    table = pa.table(
        {"user_id": ["b", "b", "stranger"], "item": [3, 4, 5], "event": ["impression"] * 3,
         "time": [7.0, 6.0, 5.0]}
    )  # fmt: skip
    (tmp_path / "behaviour").mkdir()
    pq.write_table(table, tmp_path / "behaviour" / "negatives.parquet")
    exposures = read_exposures(tmp_path, Vocabulary(("a", "b")))
    assert exposures.near(2, 7, seconds=9, until=9).tolist() == [3, 4]
    assert len(exposures) == 2


def test_a_log_without_any_is_told(tmp_path):
    with pytest.raises(UserError, match='such as "impression=-1"'):
        read_exposures(tmp_path, Vocabulary(("a",)))
