import numpy as np
import pytest

from tfrs_mm.data.reduction import fit_reduction


@pytest.mark.parametrize("items", [8, 200])
def test_distances_between_items_survive_if_all_components_are_kept(items):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(items, 12)) + 50.0
    present = np.ones(items, bool)
    reduction = fit_reduction(rows, present, 12)
    reduced = reduction.apply(rows, present) * reduction.scale
    wanted = np.linalg.norm(rows[0] - rows[1:], axis=1)
    np.testing.assert_allclose(np.linalg.norm(reduced[0] - reduced[1:], axis=1), wanted, rtol=1e-3)


def test_the_mean_of_the_catalogue_is_taken_away_and_lengths_are_about_one():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(300, 6)) * [5, 3, 1, 1, 1, 1] + 7.0
    reduced = fit_reduction(rows, np.ones(300, bool), 4).apply(rows, np.ones(300, bool))
    np.testing.assert_allclose(reduced.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.mean(np.sum(reduced**2, axis=1)), 1, atol=1e-5)
    assert np.all(np.diff(reduced.var(axis=0)) <= 1e-6)  # leading component first


def test_absent_items_take_no_part_and_are_zeros():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(20, 5))
    present = np.arange(20) < 15
    noisy = rows.copy()
    noisy[15:] = 1e6
    first, second = fit_reduction(rows, present, 3), fit_reduction(noisy, present, 3)
    np.testing.assert_allclose(first.components, second.components)
    assert not second.apply(noisy, present)[15:].any()


def test_missing_components_are_zeros():
    rows = np.array([[1.0, 0, 0], [3.0, 0, 0]])
    reduced = fit_reduction(rows, np.array([True, True]), 2).apply(rows, np.array([True, True]))
    # one direction only: -1 and 1 around the mean, both of length one
    np.testing.assert_allclose(np.abs(reduced[:, 0]), 1.0, rtol=1e-6)
    assert not reduced[:, 1].any()


def test_a_modality_that_nobody_has_reduces_to_zeros():
    rows = np.zeros((4, 3))
    present = np.zeros(4, bool)
    assert not fit_reduction(rows, present, 2).apply(rows, present).any()
