import pickle

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that

from pipelines.fit_moments import AddUp, FindRanges, FitMoments
from pipelines.runners import new_pipeline, run_pipeline


def moments_by_beam(rows, options=()):
    def check(elements):
        assert len(elements) == 1
        moments = elements[0]
        expected = np.cov(rows, rowvar=False, bias=True) if len(rows) else np.zeros([3, 3])
        np.testing.assert_allclose(moments.covariance, expected, atol=1e-5)
        assert moments.count == len(rows)

    pipeline = new_pipeline(options)
    moments = pipeline | beam.Create(list(rows), reshuffle=True) | FitMoments(3)
    assert_that(moments, check)
    run_pipeline(pipeline)


@pytest.mark.parametrize("count", [0, 1, 700])
def test_the_step_gives_the_moments_of_all_elements(count):
    moments_by_beam(np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32))


def folded(combiner, parts):
    accumulators = []
    for part in parts:
        accumulator = combiner.create_accumulator()
        for row in part:
            accumulator = combiner.add_input(accumulator, row)
        accumulators.append(combiner.compact(accumulator))
    return combiner.extract_output(combiner.merge_accumulators(accumulators))


def test_bundles_of_any_size_give_the_same_sums():
    rows = np.random.default_rng(2).integers(-(2**22), 2**22, (600, 3), dtype=np.int32)
    whole = folded(AddUp(3), [rows])
    for cuts in ([1], [256, 512], [255], [13, 14, 300, 599], list(range(600))):
        other = folded(AddUp(3), np.split(rows[::-1], cuts))
        assert other.count == whole.count == 600
        for name in ("total", "high", "low"):
            np.testing.assert_array_equal(getattr(other, name), getattr(whole, name))


@pytest.mark.parametrize(("combiner", "kind"), [(FindRanges(8), float), (AddUp(8), np.int32)])
def test_what_a_combiner_sends_does_not_grow_with_the_rows(combiner, kind):
    sizes, accumulator = [], combiner.create_accumulator()
    for count in range(1, 2_001):
        row = np.arange(8).astype(kind) * count
        accumulator = combiner.add_input(accumulator, row)
        if count in (1, 100, 2_000):
            sizes.append(len(pickle.dumps(combiner.compact(accumulator))))
    assert max(sizes) - min(sizes) < 32  # but for the digits of the count


def test_what_a_combiner_holds_is_less_than_a_block_of_rows():
    combiner, accumulator = AddUp(4), AddUp(4).create_accumulator()
    for _ in range(3 * 256 + 7):
        accumulator = combiner.add_input(accumulator, np.ones(4, np.int32))
    assert len(accumulator[1]) == 7
