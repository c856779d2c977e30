"""Some hundred damaged media; `benchmarks/fuzz_media.py` makes ten thousand of the same kind."""

import importlib.util
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

spec = importlib.util.spec_from_file_location(
    "fuzz_media", pathlib.Path(__file__).parents[3] / "benchmarks" / "fuzz_media.py"
)
fuzz_media = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_media)

EACH = 40  # mutations of one file


@pytest.mark.parametrize("place", range(len(fuzz_media.seeds())))
def test_a_whole_file_is_decoded(place):
    _, decode, data = fuzz_media.seeds()[place]
    assert fuzz_media.outcome(decode, data) == "decoded"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("place", range(len(fuzz_media.seeds())))
def test_whatever_is_damaged_is_decoded_or_rejected_with_a_reason(place):
    step = len(fuzz_media.seeds())
    results = []
    for number in range(place, place + EACH * step, step):
        _, decode, data = fuzz_media.medium(number, seed=5)
        results.append((number, fuzz_media.outcome(decode, data)))
    assert [result for result in results if result[1].startswith("crash")] == []
    assert any(result.startswith("rejected") for _, result in results)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["picture", "sound", "film"]))
def test_bytes_without_a_meaning_are_rejected(data, kind):
    assert fuzz_media.outcome(getattr(fuzz_media, kind), data).startswith("rejected")


def test_the_same_seed_makes_the_same_damage():
    one = [fuzz_media.medium(number, seed=3)[2] for number in range(32)]
    assert one == [fuzz_media.medium(number, seed=3)[2] for number in range(32)]
    assert one != [fuzz_media.medium(number, seed=4)[2] for number in range(32)]
    changed = [data != fuzz_media.seeds()[n % 16][2] for n, data in enumerate(one)]
    assert np.mean(changed) > 0.9
