import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.canonical import chance_correlation, fit_canonical
from tfrs_mm.data.exact_moments import Moments

NAMES = ("image", "text")


def both(count=500, seed=1):
    """Six and four numbers of each item that share two of theirs."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(count, 2))
    first = np.hstack([shared + 0.3 * generator.normal(size=(count, 2)),
                       generator.normal(size=(count, 4))])  # fmt: skip
    second = np.hstack([shared, generator.normal(size=(count, 2))])
    return (
        first @ generator.normal(size=(6, 6)) + 3,
        second @ generator.normal(size=(4, 4)) - 2,
    )


def fitted(first, second, dim, ridge=0.0):
    joined = np.hstack([first, second]).astype(np.float64)
    covariance = np.atleast_2d(np.cov(joined, rowvar=False, bias=True))
    moments = Moments(len(joined), joined.mean(axis=0), covariance)
    return fit_canonical(moments, first.shape[1], dim, ridge, NAMES)


def through(step, rows):
    return np.stack([step.apply(row) for row in rows])


def test_correlations_are_the_cosines_between_the_two_spaces():
    first, second = both()
    steps = fitted(first, second, 4)
    # Bjorck and Golub: singular values of the product of orthonormal bases of the centred data.
    bases = [np.linalg.qr(rows - rows.mean(axis=0))[0] for rows in (first, second)]
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    np.testing.assert_allclose(steps[0].strengths, cosines, atol=1e-8)
    np.testing.assert_array_equal(steps[0].strengths, steps[1].strengths)


def test_components_have_variance_one_and_correlate_only_with_their_own():
    first, second = both()
    steps = fitted(first, second, 3)
    projected = np.hstack([through(steps[0], first), through(steps[1], second)])
    found = np.cov(projected, rowvar=False, bias=True)
    across = np.diag(steps[0].strengths)
    np.testing.assert_allclose(
        found, np.block([[np.eye(3), across], [across, np.eye(3)]]), atol=1e-8
    )
    # noise of 0.3 on what is shared: 1 / sqrt(1.09) = 0.958
    assert (steps[0].strengths[:2] > 0.93).all() and steps[0].strengths[2] < 0.2


def test_a_modality_with_itself_correlates_perfectly():
    first, _ = both()
    steps = fitted(first, first, 6)
    np.testing.assert_allclose(steps[0].strengths, 1, atol=1e-8)
    np.testing.assert_allclose(through(steps[0], first), through(steps[1], first), atol=1e-6)


def test_a_ridge_forbids_what_few_items_agree_in_by_chance():
    generator = np.random.default_rng(5)
    first, second = generator.normal(size=(8, 20)), generator.normal(size=(8, 20))
    assert fitted(first, second, 7)[0].strengths.min() > 0.999
    assert fitted(first, second, 7, ridge=1.0)[0].strengths.max() < 0.95


@pytest.mark.parametrize("ridge", [0.0, 0.01])
def test_components_that_do_not_exist_are_zeros(ridge):
    first, second = both(50)
    second[:, 1:] = 4.0  # varies in one direction only
    steps = fitted(first, second, 3, ridge)
    assert [step.num_components for step in steps] == [1, 1]
    for rows, step in zip((first, second), steps, strict=True):
        assert np.isfinite(step.matrix).all() and not through(step, rows)[:, 1:].any()


@pytest.mark.parametrize("count", [0, 1])
def test_no_pair_to_learn_from_gives_zeros(count):
    dim = 5
    moments = Moments(count, np.zeros(dim), np.zeros([dim, dim]))
    steps = fit_canonical(moments, 3, 2, 0.01, NAMES)
    assert [step.matrix.shape for step in steps] == [(3, 2), (2, 2)]
    assert not any(step.num_components for step in steps)


def test_each_step_names_the_other_modality():
    steps = fitted(*both(), 2, 0.5)
    assert steps[0].settings == {"dim": 2, "ridge": 0.5, "with": "text"}
    assert steps[1].settings == {"dim": 2, "ridge": 0.5, "with": "image"}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_signs_are_fixed_and_turn_together(seed):
    first, second = both(80, seed)
    steps = fitted(first, second, 4)
    largest = np.abs(steps[0].matrix).argmax(axis=0)
    assert (steps[0].matrix[largest, np.arange(4)] > 0).all()
    assert (steps[0].strengths >= -1e-12).all()
    found = (through(steps[0], first) * through(steps[1], second)).mean(axis=0)
    np.testing.assert_allclose(found, steps[0].strengths, atol=1e-7)


@pytest.mark.parametrize(("count", "first_dim", "second_dim"), [(400, 20, 40), (119, 48, 48)])
def test_what_comes_by_chance_is_what_noise_gives(count, first_dim, second_dim):
    generator = np.random.default_rng(8)
    first = generator.normal(size=(count, first_dim))
    second = generator.normal(size=(count, second_dim))
    found = fitted(first, second, 1)[0].strengths[0]
    # The law is that of many dimensions; of few, the largest stays below its end.
    end = chance_correlation(count, first_dim, second_dim)
    assert end - 0.08 < found < end + 0.02


def test_as_many_dimensions_as_items_correlate_perfectly_by_chance():
    assert chance_correlation(30, 10, 20) == 1.0
    assert chance_correlation(1_000_000, 1, 1) < 0.01
