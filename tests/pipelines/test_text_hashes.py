import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.text_hashes import mixed, text_hashes


def hashes_of(values: list[str]) -> list[int]:
    return text_hashes(pa.array(values, pa.string())).tolist()


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=20))
def test_a_hash_depends_on_the_string_alone(values):
    together = hashes_of(values)
    assert together == [hashes_of([value])[0] for value in values]
    assert len(set(together)) == len(set(values))


def test_zeros_and_blocks_of_eight_bytes_are_told_apart():
    values = ["", "\x00", "\x00" * 8, "\x00" * 9, "a" * 8, "a" * 8 + "\x00", "a" * 64, "a" * 65]
    assert len(set(hashes_of(values))) == len(values)


def test_a_slice_is_hashed_as_what_it_shows():
    whole = pa.array(["one", "two", "three", "x" * 70])
    assert text_hashes(whole.slice(1, 3)).tolist() == text_hashes(whole).tolist()[1:]


def test_hashes_of_similar_strings_are_even_in_every_bit():
    for width in (1, 12, 70):
        hashes = np.array(hashes_of([f"{number:0{width}d}" for number in range(10_000)]), np.uint64)
        for bit in range(64):
            ones = int(((hashes >> np.uint64(bit)) & np.uint64(1)).sum())
            assert abs(ones - 5000) < 5 * 50  # a standard deviation is 50


def test_the_hash_of_row_numbers_is_one_to_one_and_even():
    hashes = mixed(np.arange(50_000))
    assert len(np.unique(hashes)) == 50_000
    # Of 16 parts each holds 3,125; a standard deviation is 54.
    parts = np.bincount((hashes >> np.uint64(60)).astype(int), minlength=16)
    assert abs(parts - 3125).max() < 5 * 54
