import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.errors import UserError
from tfrs_mm.ranking.calibration import (
    CALIBRATIONS,
    Isotonic,
    Platt,
    fit_isotonic,
    fit_platt,
    pool_adjacent_violators,
    read_calibration,
    write_calibration,
)


def make_outcomes(size=4000, seed=0):
    """Scores of the whole line, each right with the probability sigmoid(2 score - 3)."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=size).astype(np.float32)
    return scores, generator.random(size) < 1 / (1 + np.exp(3 - 2 * scores))


def slow_isotonic(values, weights):
    """The max-min formula of isotonic regression."""
    mean = lambda a, b: np.average(values[a : b + 1], weights=weights[a : b + 1])  # noqa: E731
    size = len(values)
    return [max(min(mean(a, b) for b in range(i, size)) for a in range(i + 1)) for i in range(size)]


def test_violators_are_pooled_with_their_neighbours():
    # 3 and 2 make 2.5; 1 pulls all three down to 2; 4 stands
    starts, values = pool_adjacent_violators(np.array([0.0, 3, 2, 1, 4]), np.ones(5))
    assert starts.tolist() == [0, 1, 4] and values.tolist() == [0, 2, 4]
    # (1 * 3 + 3 * 1) / 4 = 1.5
    starts, values = pool_adjacent_violators(np.array([3.0, 1]), np.array([1.0, 3]))
    assert starts.tolist() == [0] and values.tolist() == [1.5]


@pytest.mark.parametrize("seed", range(5))
def test_pools_are_those_of_the_definition(seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 2 if seed < 3 else 5, 14).astype(float)
    weights = generator.integers(1, 4, 14).astype(float)
    starts, pooled = pool_adjacent_violators(values, weights)
    found = np.repeat(pooled, np.diff(np.append(starts, 14)))
    np.testing.assert_allclose(found, slow_isotonic(values, weights), atol=1e-9)
    assert (np.diff(pooled) > 0).all()


def test_isotonic_is_level_in_a_pool_and_straight_between_pools():
    # Sorted by score the labels are 0, 1, 0, 1: the middle two are pooled to one half.
    fitted = fit_isotonic(np.array([4.0, 1, 3, 2]), np.array([1, 0, 0, 1]))
    assert fitted.knots.tolist() == [1, 2, 3, 4] and fitted.values.tolist() == [0, 0.5, 0.5, 1]
    scores = tf.constant([[-9.0, 1.0, 1.5], [2.5, 3.25, 9.0]])
    np.testing.assert_allclose(fitted.apply(scores), [[0, 0, 0.25], [0.5, 0.625, 1]], atol=1e-6)


def test_equal_scores_are_one_point():
    fitted = fit_isotonic(np.array([1.0, 1.0, 1.0, 5.0]), np.array([1, 0, 0, 1]))
    np.testing.assert_allclose(fitted.apply(tf.constant([1.0, 3.0, 5.0])), [1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("label", [0, 1])
def test_one_outcome_alone_is_level(label):
    scores, labels = np.array([1.0, 2.0, 3.0]), np.full(3, label)
    assert set(fit_isotonic(scores, labels).apply(tf.constant([0.0, 2.5])).numpy()) == {label}
    # Platt's targets are 4/5 for three positives and 1/5 for three negatives
    np.testing.assert_allclose(
        fit_platt(scores, labels).apply(tf.constant([0.0, 9.0])), 0.2 + 0.6 * label, atol=1e-5
    )


def test_platt_finds_the_log_odds():
    fitted = fit_platt(*make_outcomes(40_000))
    np.testing.assert_allclose([fitted.slope, fitted.intercept], [2.0, -3.0], atol=0.15)


def test_platt_of_two_scores_gives_each_the_mean_of_its_targets():
    # 3 positives and 5 negatives: targets 4/5 and 1/7. At score 0 one of four, at score 1 two.
    fitted = fit_platt(np.repeat([0.0, 1.0], 4), np.array([1, 0, 0, 0, 1, 1, 0, 0]))
    wanted = [(4 / 5 + 3 / 7) / 4, (8 / 5 + 2 / 7) / 4]
    np.testing.assert_allclose(fitted.apply(tf.constant([0.0, 1.0])), wanted, atol=1e-6)


def test_platt_never_turns_an_order_round():
    fitted = fit_platt(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1, 1, 0, 0]))
    assert fitted.slope == 0
    # targets 3/4 and 1/4
    np.testing.assert_allclose(fitted.apply(tf.constant([5.0])), [0.5], atol=1e-6)


@pytest.mark.parametrize("name", sorted(CALIBRATIONS))
def test_what_it_gives_are_probabilities_that_never_fall(name):
    fitted = CALIBRATIONS[name](*make_outcomes())
    scores = tf.constant(np.sort(np.random.default_rng(1).normal(size=500) * 3), tf.float32)
    found = fitted.apply(scores).numpy()
    assert found.min() >= 0 and found.max() <= 1 and (np.diff(found) >= 0).all()


@pytest.mark.parametrize("name", sorted(CALIBRATIONS))
def test_it_compiles_with_xla_and_is_written_and_read(name, tmp_path):
    fitted = CALIBRATIONS[name](*make_outcomes(300))
    write_calibration(tmp_path / "c.npz", fitted)
    again = read_calibration(tmp_path / "c.npz", name)
    assert type(again) is {"platt": Platt, "isotonic": Isotonic}[name]
    scores = tf.random.stateless_normal([4, 5], [1, 2])
    expected = fitted.apply(scores)
    np.testing.assert_array_equal(again.apply(scores), expected)
    compiled = tf.function(again.apply, jit_compile=True)(scores)
    np.testing.assert_allclose(compiled, expected, atol=1e-6)


@pytest.mark.parametrize("content", [None, b"", b"no archive", "of the other kind"])
def test_a_file_that_is_no_such_calibration_is_refused(tmp_path, content):
    path = tmp_path / "c.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_calibration(path, Isotonic(np.array([0.0]), np.array([0.5])))
    with pytest.raises(UserError, match="must hold the platt calibration"):
        read_calibration(path, "platt")
