import numpy as np
import pyarrow as pa

from pipelines.row_sample import SAMPLED_ROWS, STANDARD_ERROR, RowSample


def sample_of(numbers: np.ndarray) -> RowSample:
    return RowSample.of(pa.table({"number": numbers}), numbers)


def test_the_order_and_the_parts_mean_nothing():
    numbers = np.random.default_rng(1).permutation(20_000)
    whole = sample_of(np.arange(20_000))
    merged = sample_of(numbers[:7000]).merged(sample_of(numbers[7000:7001]))
    merged = sample_of(numbers[7001:]).merged(merged)
    assert merged.rows.equals(whole.rows)
    assert merged.rows.num_rows == SAMPLED_ROWS


def test_few_rows_are_all_in_it():
    assert sorted(sample_of(np.arange(5)).rows.column("number").to_pylist()) == [0, 1, 2, 3, 4]


def test_a_share_is_as_near_as_it_says():
    numbers = sample_of(np.arange(100_000)).rows.column("number").to_numpy()
    for modulus in (2, 3, 10):
        # 0.5 / sqrt(4096) is 0.78 %
        assert abs((numbers % modulus == 0).mean() - 1 / modulus) < 3 * STANDARD_ERROR
    assert STANDARD_ERROR == 0.0078125
