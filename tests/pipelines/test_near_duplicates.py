import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import near_duplicates
from pipelines.item_embeddings import StoredEmbeddings
from pipelines.near_duplicates import find_near_duplicates


def stored(values) -> StoredEmbeddings:
    """Embeddings of items in the rows 1, 3, 5, ..."""
    values = np.asarray(values, np.float32)
    by_row = np.full([2 * len(values) + 1, values.shape[1]], 99, np.float32)
    by_row[1::2] = values
    return StoredEmbeddings(np.arange(1, 2 * len(values), 2), by_row)


def oracle(values, cosine: float) -> list[int]:
    """Each item's group by its earliest near duplicate, pair by pair."""
    leaders = []
    for j, one in enumerate(np.asarray(values, np.float64)):
        leaders.append(j)
        for i, other in enumerate(np.asarray(values, np.float64)[:j]):
            lengths = np.linalg.norm(one) * np.linalg.norm(other)
            if lengths and one @ other / lengths >= cosine:
                leaders[j] = leaders[i]
                break
    return leaders


def test_an_item_joins_the_group_of_its_earliest_near_duplicate():
    # Angles of 0, 10, 20, 90 and 95 degrees; the cosine of 12 degrees is the limit.
    angles = np.radians([0, 10, 20, 90, 95])
    values = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = find_near_duplicates(stored(values), np.cos(np.radians(12)), 100)
    # 10 joins 0, 20 joins 10 and so 0; 95 joins 90.
    assert found.leaders.tolist() == [0, 0, 0, 3, 3]
    assert found.exact and found.recall == 1.0


def test_length_does_not_matter_and_zeros_are_nobodys_duplicate():
    values = [[1, 0], [0, 0], [1000, 0], [0, 0], [1e-30, 0], [-1, 0], [3e38, 3e38]]
    assert find_near_duplicates(stored(values), 0.99, 100).leaders.tolist() == [0, 1, 0, 3, 0, 5, 6]


@pytest.mark.parametrize("values", [np.zeros([0, 3]), np.ones([1, 3]), np.zeros([2, 3])])
def test_few_items_have_no_near_duplicates(values):
    found = find_near_duplicates(stored(values), 0.9, 100)
    assert found.leaders.tolist() == list(range(len(values)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=30),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_all_pairs_agree_with_a_plain_loop(values, cosine):
    # A cosine that stands exactly at the limit may fall on either side.
    units = np.array(values, np.float64)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-9)
    cosines = units @ units.T
    if (np.abs(cosines - cosine) < 1e-5).any():
        return
    block, near_duplicates._BLOCK = near_duplicates._BLOCK, 4
    try:
        found = find_near_duplicates(stored(values), cosine, 100)
    finally:
        near_duplicates._BLOCK = block
    assert found.leaders.tolist() == oracle(values, cosine)


def families(count: int, dim: int, seed: int, offset: float) -> np.ndarray:
    """Every fifth item is a near copy of one before it; all share a direction."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, dim)) + offset
    for place in range(5, count, 5):
        values[place] = values[generator.integers(place)] + 0.05 * generator.normal(size=dim)
    return values


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_by_codes_nearly_all_are_found_and_none_that_is_not_one(offset):
    values = families(3000, 32, seed=1, offset=offset)
    exact = find_near_duplicates(stored(values), 0.98, 3000)
    hashed = find_near_duplicates(stored(values), 0.98, 2999)
    assert exact.exact and not hashed.exact
    truth = exact.leaders < np.arange(3000)
    found = hashed.leaders < np.arange(3000)
    assert truth.sum() > 500 and not (found & ~truth).any()
    share = (found & truth).sum() / truth.sum()
    assert share > 0.95
    # Measured on the near duplicates among 256 of the items, about 50: within 10%.
    assert hashed.recall == pytest.approx(share, abs=0.1)


def test_equal_embeddings_are_found_however_many_there_are():
    values = np.random.default_rng(2).normal(size=(3000, 8))
    values[1000:2500] = values[7]
    found = find_near_duplicates(stored(values), 0.9999, 100)
    assert not found.exact
    assert (found.leaders[1000:2500] == 7).all()


def test_without_near_duplicates_there_is_no_recall():
    found = find_near_duplicates(stored(np.eye(64)), 0.9, 10)
    assert found.recall is None and found.leaders.tolist() == list(range(64))


def test_the_same_items_give_the_same_groups():
    values = families(600, 16, seed=3, offset=0.2)
    one, other = (find_near_duplicates(stored(values), 0.98, 10) for _ in range(2))
    np.testing.assert_array_equal(one.leaders, other.leaders)
