import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.cold import held_out

IDS = [f"id {number}" for number in range(4_000)]


def test_about_the_share_is_held_out():
    # The standard deviation of a share of 0.2 among 4,000 is 0.0063; six of them are allowed.
    assert abs(held_out(IDS, 0.2, 1, "item").mean() - 0.2) < 0.038
    assert not held_out(IDS, 0.0, 1, "item").any()


def test_the_rule_is_a_hash_of_seed_and_id():
    number = int.from_bytes(hashlib.blake2b(b"user 7 u1", digest_size=8).digest(), "big")
    share = number / 2.0**64
    assert held_out(["u1"], share * 1.001, 7, "user").tolist() == [True]
    assert held_out(["u1"], share * 0.999, 7, "user").tolist() == [False]


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=5), max_size=20, unique=True), st.floats(0, 0.9), st.floats(0, 0.9)
)
def test_it_is_a_matter_of_the_id_alone_and_grows_with_the_share(ids, one, other):
    small, large = sorted((one, other))
    chosen = held_out(ids, large, 3, "item")
    assert held_out(ids[::-1], large, 3, "item").tolist() == chosen[::-1].tolist()
    assert not (held_out(ids, small, 3, "item") & ~chosen).any()


def test_another_seed_or_owner_chooses_others():
    chosen = held_out(IDS, 0.5, 1, "item")
    for other in (held_out(IDS, 0.5, 2, "item"), held_out(IDS, 0.5, 1, "user")):
        # Two independent halves agree in half the cases; the standard deviation is 0.008.
        assert abs(np.mean(chosen == other) - 0.5) < 0.05
