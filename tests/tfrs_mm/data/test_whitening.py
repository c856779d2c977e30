import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.exact_moments import Moments
from tfrs_mm.data.whitening import fit_whitening


def moments_of_rows(rows):
    rows = rows.astype(np.float64)
    centred = rows - rows.mean(axis=0)
    return Moments(len(rows), rows.mean(axis=0), centred.T @ centred / len(rows))


def through(step, rows):
    return np.stack([step.apply(row) for row in rows])


def correlated(count=400, dim=7, seed=1):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, dim)) @ generator.normal(size=(dim, dim)) + 5


def test_whitened_components_have_the_identity_as_their_covariance():
    rows = correlated()
    step = fit_whitening(moments_of_rows(rows), 4, whiten=True, epsilon=0.0)
    projected = through(step, rows)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(projected, rowvar=False, bias=True), np.eye(4), atol=1e-9)


def test_they_are_the_singular_vectors_of_the_centred_matrix():
    rows = correlated()
    _, values, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    step = fit_whitening(moments_of_rows(rows), 3, whiten=False, epsilon=0.0)
    for place in range(3):
        # Equal but for the sign, which makes the largest entry positive.
        axis = axes[place] * np.sign(axes[place][np.abs(axes[place]).argmax()])
        np.testing.assert_allclose(step.matrix[:, place], axis, atol=1e-8)
    np.testing.assert_allclose(step.strengths, values[:3] ** 2 / (values**2).sum(), rtol=1e-9)


def test_distances_survive_if_nothing_is_whitened_or_left_out():
    rows = correlated()
    projected = through(fit_whitening(moments_of_rows(rows), 7, False, 0.0), rows)
    np.testing.assert_allclose(
        np.linalg.norm(projected[0] - projected[1:], axis=1),
        np.linalg.norm(rows[0] - rows[1:], axis=1),
    )


def test_epsilon_holds_back_what_hardly_varies():
    covariance = np.diag([4.0, 0.01])
    step = fit_whitening(Moments(100, np.zeros(2), covariance), 2, True, epsilon=0.25)
    # 4 + 0.25 * 4 = 5 and 0.01 + 1 = 1.01
    np.testing.assert_allclose(np.diag(step.matrix), [5**-0.5, 1.01**-0.5])


@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        (np.array([[1.0, 0, 0], [3.0, 0, 0]]), 1),  # two items: one direction
        (np.array([[1.0, 2, 3]]), 0),  # one item varies in none
        (np.ones([9, 3]), 0),
        (np.random.default_rng(1).normal(size=(50, 1)) * [1.0, 2.0, -1.0], 1),
        (np.random.default_rng(1).normal(size=(50, 3)) * [1.0, 0.0, 1.0], 2),
    ],
)
def test_components_that_do_not_exist_are_zeros(rows, rank):
    step = fit_whitening(moments_of_rows(rows), 3, True, 1e-6)
    assert step.num_components == rank
    assert not step.matrix[:, rank:].any() and not step.strengths[rank:].any()
    assert np.isfinite(through(step, rows)).all()


def test_fewer_items_than_dimensions_leave_one_component_less_than_items():
    rows = np.random.default_rng(3).normal(size=(5, 30))
    step = fit_whitening(moments_of_rows(rows), 10, True, 0.0)
    assert step.num_components == 4
    covariance = np.cov(through(step, rows), rowvar=False, bias=True)
    np.testing.assert_allclose(covariance[:4, :4], np.eye(4), atol=1e-8)


def test_nobody_has_it():
    step = fit_whitening(Moments(0, np.zeros(3), np.zeros([3, 3])), 2, True, 1e-6)
    np.testing.assert_array_equal(step.apply(np.ones(3, np.float32)), [0, 0])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_largest_entry_of_every_axis_is_positive(seed):
    rows = correlated(60, 5, seed)
    step = fit_whitening(moments_of_rows(rows), 5, True, 0.0)
    largest = np.abs(step.matrix).argmax(axis=0)
    assert (step.matrix[largest, np.arange(5)] > 0).all()
