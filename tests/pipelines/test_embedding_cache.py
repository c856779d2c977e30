import concurrent.futures
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.embedding_cache import (
    EmbeddingCache,
    digest_of,
    files_of,
    is_whole,
    make_cache_dir,
    write_entries,
)
from tfrs_mm.errors import UserError


def entries_of(numbers: range) -> tuple[list[bytes], np.ndarray]:
    """The embedding of n is [n, n / 2, -n]."""
    values = np.array(numbers, np.float32)
    return [digest_of(str(n).encode()) for n in numbers], np.stack(
        [values, values / 2, -values], axis=1
    )


def test_what_was_written_is_found_and_nothing_else(tmp_path):
    write_entries(tmp_path, *entries_of(range(0, 20)))
    write_entries(tmp_path, *entries_of(range(20, 50)))
    cache = EmbeddingCache(files_of(tmp_path))
    assert len(cache) == 50 and cache.unreadable == 0
    for digest, expected in zip(*entries_of(range(50)), strict=True):
        found = cache.get(digest)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    assert cache.get(digest_of(b"50")) is None


@settings(max_examples=30, deadline=None)
@given(st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=20))
def test_any_digest_is_its_own(tmp_path_factory, digests):
    folder = tmp_path_factory.mktemp("cache")
    # Zeros at the end would be lost in a string of NumPy's, were they compared as such.
    digests = sorted(digests | {bytes(32), b"\1" + bytes(31), bytes(31) + b"\1"})
    write_entries(folder, digests, np.arange(len(digests), dtype=np.float32)[:, None])
    cache = EmbeddingCache(files_of(folder))
    assert [cache.get(digest).tolist() for digest in digests] == [[n] for n in range(len(digests))]


def test_an_empty_cache_knows_nothing(tmp_path):
    assert EmbeddingCache(files_of(tmp_path / "none")).get(digest_of(b"")) is None


def test_the_same_entries_in_any_order_are_one_file(tmp_path):
    digests, embeddings = entries_of(range(10))
    first = write_entries(tmp_path, digests, embeddings)
    content = first.read_bytes()
    assert write_entries(tmp_path, digests[::-1], embeddings[::-1]) == first
    assert first.read_bytes() == content and os.listdir(tmp_path) == [first.name]


def test_many_writers_at_once_clash_nowhere(tmp_path):
    # Each part is written by two of them.
    parts = [range(10 * part, 10 * part + 10) for part in range(8)] * 2
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda part: write_entries(tmp_path, *entries_of(part)), parts))
    assert len(os.listdir(tmp_path)) == 8
    cache = EmbeddingCache(files_of(tmp_path))
    for digest, expected in zip(*entries_of(range(80)), strict=True):
        np.testing.assert_array_equal(cache.get(digest), expected)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_entries(tmp_path, *entries_of(range(5)))
    assert os.listdir(tmp_path) == []


def test_half_a_file_under_a_temporary_name_is_no_file_of_the_cache(tmp_path):
    path = write_entries(tmp_path, *entries_of(range(5)))
    (tmp_path / ".0123.arrow").write_bytes(path.read_bytes()[:100])
    assert files_of(tmp_path) == [str(path)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[: len(data) // 2],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: b"no such file at all",
    ],
)
def test_a_file_that_is_not_what_was_written_is_noticed(tmp_path, damage):
    path = write_entries(tmp_path, *entries_of(range(5)))
    assert is_whole(str(path), dim=3)
    path.write_bytes(damage(path.read_bytes()))
    assert not is_whole(str(path), dim=3)


def test_embeddings_of_another_size_are_noticed(tmp_path):
    assert not is_whole(str(write_entries(tmp_path, *entries_of(range(5)))), dim=4)


def test_a_file_that_has_gone_is_counted(tmp_path):
    here = write_entries(tmp_path, *entries_of(range(5)))
    cache = EmbeddingCache([str(here), str(tmp_path / "gone.arrow")])
    assert (len(cache), cache.unreadable) == (5, 1)


def test_the_folder_is_made_and_none_is_wanted_without_a_name(tmp_path):
    assert make_cache_dir("") is None
    assert make_cache_dir(str(tmp_path / "a" / "b")).is_dir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"`encoders.cache_dir` must be a folder"):
        make_cache_dir(str(tmp_path / "file"))
