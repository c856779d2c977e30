import numpy as np
import pytest

from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.training.tasks import task_labels, task_rows


@pytest.fixture
def data_dir(tmp_path):
    (tmp_path / "vocabulary").mkdir()
    Vocabulary(("cart", "purchase", "view")).write(tmp_path / "vocabulary" / "events.txt")
    return tmp_path


def test_each_positive_is_labelled_by_its_own_kind(data_dir):
    tasks = ("view", "purchase")
    rows = task_rows(data_dir, tasks)
    assert rows.tolist() == [3, 2]
    labels = task_labels(np.array([3, 2, 3, 1], np.int32), rows, tasks)
    assert labels.tolist() == [[True, False], [False, True], [True, False], [False, False]]


def test_without_tasks_there_are_no_labels(tmp_path):
    assert task_labels(np.array([1, 2]), task_rows(tmp_path, ()), ()).shape == (2, 0)


def test_a_task_must_be_a_kind_of_the_data(data_dir):
    with pytest.raises(UserError, match=r"names \['like'\].*'cart', 'purchase', 'view'"):
        task_rows(data_dir, ("view", "like"))


def test_a_task_must_have_a_positive():
    with pytest.raises(UserError, match=r"names \['purchase'\], but none of the ranker's 2"):
        task_labels(np.array([3, 3]), np.array([3, 2]), ("view", "purchase"))
