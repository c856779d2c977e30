import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.decayed_sums import decayed_sums

# Groups of (time, weight).
groups = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=12), max_size=5
)


def sums_of(parts: list[list[tuple]], half_life: float) -> np.ndarray:
    rows = [row for part in parts for row in sorted(part)]
    begins = np.array([place == 0 for part in parts for place in range(len(part))], bool)
    times, weights = np.array(rows, np.float64).reshape(-1, 2).T
    return decayed_sums(begins, times, weights, half_life)


def test_what_is_a_half_life_ago_counts_half():
    # 4, then 4 / 2 + 1, then (4 / 2 + 1) / 4 + 8; another group knows nothing of it.
    assert sums_of([[(0, 4), (10, 1), (30, 8)], [(0, 5)]], 10.0).tolist() == [4, 3, 8.75, 5]


@settings(deadline=None)
@given(groups, st.sampled_from([0.5, 3.0, 1e9]))
def test_sums_are_those_of_the_definition(parts, half_life):
    expected = [
        sum(weight * 2.0 ** ((before - now) / half_life) for before, weight in part[: place + 1])
        for part in map(sorted, parts)
        for place, (now, _) in enumerate(part)
    ]
    np.testing.assert_allclose(sums_of(parts, half_life), expected, rtol=1e-12)


@settings(deadline=None)
@given(groups)
def test_other_groups_do_not_show_in_the_last_bit(parts):
    together = sums_of(parts, 3.0)
    alone = [sums_of([part], 3.0) for part in parts]
    np.testing.assert_array_equal(together, np.concatenate([np.zeros(0), *alone]))
