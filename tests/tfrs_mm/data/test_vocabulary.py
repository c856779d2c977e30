import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrs_mm.data.vocabulary import Vocabulary, hash_buckets, is_legal_id
from tfrs_mm.errors import UserError

IDS = ("u7", "a b", "Ünal", "0")


def test_rows_start_at_one_and_the_unknown_has_row_zero():
    vocabulary = Vocabulary(IDS)
    assert vocabulary.size == 5
    rows = vocabulary.rows_of(["0", "never seen", "u7", ""])
    assert rows.dtype == np.int64
    assert rows.tolist() == [4, 0, 1, 0]


@pytest.mark.parametrize(
    "form",
    [
        list,
        lambda values: np.array(values),
        lambda values: np.array(values, dtype=object),
        pa.array,
        lambda values: pa.array(values, pa.large_string()),
        lambda values: pa.array(values).dictionary_encode(),
        lambda values: pa.chunked_array([values[:1], values[1:]]),
        lambda values: pa.chunked_array(
            [pa.array(values[:1]).dictionary_encode(), pa.array(values[1:]).dictionary_encode()]
        ),
    ],
)
def test_every_form_of_a_column_gives_the_same_rows(form):
    assert Vocabulary(IDS).rows_of(form(["Ünal", "x", "u7", "Ünal"])).tolist() == [3, 0, 1, 3]


def test_an_empty_column_has_no_rows():
    vocabulary = Vocabulary(IDS)
    for empty in (
        [],
        np.array([], dtype=str),
        pa.array([], pa.string()),
        pa.chunked_array([], pa.string()),
    ):
        rows = vocabulary.rows_of(empty)
        assert rows.shape == (0,) and rows.dtype == np.int64


def test_null_is_unknown_and_a_slice_keeps_its_place():
    vocabulary = Vocabulary(IDS)
    column = pa.array(["0", None, "u7", "u7"])
    assert vocabulary.rows_of(column).tolist() == [4, 0, 1, 1]
    assert vocabulary.rows_of(column.slice(1, 2)).tolist() == [0, 1]
    assert vocabulary.rows_of(pa.array([None, None])).tolist() == [0, 0]
    assert vocabulary.rows_of(["0", None]).tolist() == [4, 0]


def test_what_is_no_column_of_strings_is_refused():
    with pytest.raises(ValueError, match="Arrow array of strings, received one of int64"):
        Vocabulary(IDS).rows_of(pa.array([1, 2]))
    with pytest.raises(ValueError, match="one string"):
        Vocabulary(IDS).rows_of("u7")


def test_ids_of_is_the_inverse_of_rows_of_and_keeps_the_shape():
    ids = Vocabulary(IDS).ids_of([[4, 0], [1, 3]])
    assert ids.dtype == object
    assert ids.tolist() == [["0", ""], ["u7", "Ünal"]]


@pytest.mark.parametrize("row", [-1, 5])
def test_a_row_outside_the_vocabulary_is_refused(row):
    with pytest.raises(ValueError, match=r"0\.\.4"):
        Vocabulary(IDS).ids_of([1, row])


def test_row_r_is_on_line_r_of_the_file(tmp_path):
    Vocabulary(IDS).write(tmp_path / "items.txt")
    assert (tmp_path / "items.txt").read_text("utf-8") == "u7\na b\nÜnal\n0\n"
    assert [path.name for path in tmp_path.iterdir()] == ["items.txt"]
    assert Vocabulary.read(tmp_path / "items.txt") == Vocabulary(IDS)


def test_an_empty_vocabulary_survives_the_disk(tmp_path):
    Vocabulary(()).write(tmp_path / "v.txt")
    assert Vocabulary.read(tmp_path / "v.txt").size == 1
    assert Vocabulary(()).rows_of(["a"]).tolist() == [0]


@given(st.lists(st.text(max_size=6).filter(is_legal_id), unique=True, max_size=12))
def test_any_legal_ids_survive_the_disk(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("vocabulary") / "ids.txt"
    Vocabulary(tuple(ids)).write(path)
    assert Vocabulary.read(path).ids == tuple(ids)


@pytest.mark.parametrize(
    "bad", ["", "a\nb", "a\r", "a\x00", "tab\t", "a\x85b", "a\u2028b", "\ud800"]
)
def test_an_id_that_cannot_stand_on_a_line_is_refused(bad):
    assert not is_legal_id(bad)
    with pytest.raises(UserError, match="control characters"):
        Vocabulary(("good", bad))


def test_an_id_given_twice_is_refused_and_named():
    with pytest.raises(UserError, match=r"1 repetitions.*'b'"):
        Vocabulary(("a", "b", "b"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb", "ends inside a line"),
        (b"a\r\nb\r\n", "control characters"),
        (b"a\n\nb\n", "must not be empty"),
        (b"\xff\n", "UTF-8"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(tmp_path, content, message):
    (tmp_path / "users.txt").write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        Vocabulary.read(tmp_path / "users.txt")
    assert "users.txt" in str(raised.value)


def test_a_missing_file_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        Vocabulary.read(tmp_path / "users.txt")


def test_the_fingerprint_knows_the_order():
    assert Vocabulary(("a", "b")).fingerprint() == Vocabulary(("a", "b")).fingerprint()
    assert Vocabulary(("a", "b")).fingerprint() != Vocabulary(("b", "a")).fingerprint()
    assert Vocabulary(("ab", "c")).fingerprint() != Vocabulary(("a", "bc")).fingerprint()


def test_a_pickled_vocabulary_still_looks_up():
    vocabulary = Vocabulary(IDS)
    vocabulary.rows_of(["u7"])
    assert pickle.loads(pickle.dumps(vocabulary)).rows_of(["0"]).tolist() == [4]


def test_an_id_has_the_same_bucket_on_every_machine():
    # The first eight bytes of `b2sum --length 64`, as a number, modulo 1000.
    ids = ["item-1", "item-2", "ключ", ""]
    assert hash_buckets(ids, 1000).tolist() == [548, 115, 712, 876]
    assert hash_buckets(np.array(ids, object), 1).tolist() == [0] * 4
    counts = np.bincount(hash_buckets([str(number) for number in range(4000)], 4))
    assert abs(counts - 1000).max() < 140  # standard deviation 27
