"""Scores as probabilities: maps fitted on scores whose outcome is known, applied in the graph.

A softmax over a list knows which candidate is better, not how likely any of them is wanted. Both
maps never fall, so what they are applied to keeps its order.
"""

import dataclasses
import os
import zipfile
from typing import ClassVar, Protocol

import numpy as np
import tensorflow as tf

from tfrs_mm.errors import UserError

CALIBRATION_FILE = "calibration.npz"

_STEPS = 100  # of Newton's method, which needs fewer than ten
_HALVINGS = 30  # of one such step


class Calibration(Protocol):
    """A fitted map from scores to probabilities; its fields are arrays."""

    name: ClassVar[str]

    def apply(self, scores: tf.Tensor) -> tf.Tensor:
        """Probabilities of any shape of finite scores."""


@dataclasses.dataclass(frozen=True)
class Platt:
    """`sigmoid(slope * score + intercept)`.

    Platt, Probabilistic Outputs for Support Vector Machines, 1999, section 2. Two numbers, so a few
    hundred scores are enough; but right only if log-odds are linear in the score.

    Attributes:
        slope: `[]`, not negative.
        intercept: `[]`.
    """

    name: ClassVar[str] = "platt"

    slope: np.ndarray
    intercept: np.ndarray

    def apply(self, scores: tf.Tensor) -> tf.Tensor:
        """See `Calibration.apply`."""
        return tf.sigmoid(
            tf.cast(self.slope, tf.float32) * scores + tf.cast(self.intercept, tf.float32)
        )


@dataclasses.dataclass(frozen=True)
class Isotonic:
    """Straight lines between knots, level before the first and behind the last.

    Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates, 2002. It takes any shape that never falls, and wants thousands of scores.

    Attributes:
        knots: `[n]`, strictly rising.
        values: `[n]` probabilities there, never falling.
    """

    name: ClassVar[str] = "isotonic"

    knots: np.ndarray
    values: np.ndarray

    def apply(self, scores: tf.Tensor) -> tf.Tensor:
        """See `Calibration.apply`."""
        knots, values = (tf.cast(a, tf.float32) for a in (self.knots, self.values))
        if len(self.knots) == 1:
            return tf.fill(tf.shape(scores), values[0])
        scores = tf.clip_by_value(scores, knots[0], knots[-1])
        flat = tf.reshape(scores, [-1])
        right = tf.clip_by_value(tf.searchsorted(knots, flat), 1, len(self.knots) - 1)
        low, high = tf.gather(knots, right - 1), tf.gather(knots, right)
        share = tf.math.divide_no_nan(flat - low, high - low)
        below, above = tf.gather(values, right - 1), tf.gather(values, right)
        return tf.reshape(below + share * (above - below), tf.shape(scores))


def fit_platt(scores: np.ndarray, labels: np.ndarray) -> Platt:
    """Maximum likelihood, by Newton's method with halved steps.

    Lin, Lin and Weng, A Note on Platt's Probabilistic Outputs, 2007. As in Platt's own section 2.2
    the targets are `(P + 1) / (P + 2)` for the P positives and `1 / (N + 2)` for the N negatives,
    so that scores which part them without fault have a finite answer. Where a higher score is less
    likely wanted, the slope is 0: a calibration does not turn an order round.

    Args:
        scores: `[n]` finite.
        labels: `[n]`, 1 for what was wanted, 0 for what was not.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels) > 0
    positives, negatives = labels.sum(), (~labels).sum()
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    mean, deviation = scores.mean(), max(float(scores.std()), 1e-12)
    scaled = (scores - mean) / deviation
    slope, intercept = _newton(scaled, targets)
    if slope < 0:
        share = targets.mean()
        slope, intercept = 0.0, np.log(share / (1 - share))
    return Platt(np.array(slope / deviation), np.array(intercept - slope * mean / deviation))


def fit_isotonic(scores: np.ndarray, labels: np.ndarray) -> Isotonic:
    """Least squares among all maps that never fall, by pooling adjacent violators.

    Ayer et al., An Empirical Distribution Function for Sampling with Incomplete Information, 1955.
    Equal scores are one point. Each pool is level from its first score to its last; between pools
    the line is straight.

    Args:
        scores: `[n]` finite.
        labels: `[n]`, 1 for what was wanted, 0 for what was not.
    """
    # In the precision of the graph: what is one score there is one here.
    points, inverse, weights = np.unique(
        np.asarray(scores, np.float32), return_inverse=True, return_counts=True
    )
    means = np.bincount(inverse.reshape(-1), np.asarray(labels, np.float64)) / weights
    starts, values = pool_adjacent_violators(means, weights.astype(np.float64))
    ends = np.append(starts[1:], len(points)) - 1
    knots = np.stack([points[starts], points[ends]], axis=1)
    kept = np.stack([np.ones(len(starts), bool), ends > starts], axis=1)
    return Isotonic(knots[kept], np.repeat(values, 2).reshape(-1, 2)[kept])


CALIBRATIONS = {"platt": fit_platt, "isotonic": fit_isotonic}


def pool_adjacent_violators(
    values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sequence that never falls and is nearest to `values` by weighted squares.

    Args:
        values: `[n]`.
        weights: `[n]`, above 0.

    Returns:
        `[pools]` places where its pools of equal values begin, and `[pools]` these values.
    """
    # Neighbours that do not rise end in one pool whatever comes of the others, so the loop below
    # takes steps for runs of them: at most one more than there are positives among 0 and 1.
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > 0)
    sums, totals = (np.add.reduceat(a, starts) for a in (values * weights, weights))
    pools: list[list[float]] = []
    for start, value, weight in zip(starts, sums, totals, strict=True):
        pools.append([start, value, weight])
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            _, value, weight = pools.pop()
            pools[-1][1] += value
            pools[-1][2] += weight
    columns = np.array(pools)
    return columns[:, 0].astype(np.int64), columns[:, 1] / columns[:, 2]


def write_calibration(path: str | os.PathLike[str], calibration: Calibration) -> None:
    """Writes the arrays of a map as `.npz`."""
    np.savez(path, **dataclasses.asdict(calibration))


def read_calibration(path: str | os.PathLike[str], name: str) -> Calibration:
    """The map called `name` from what `write_calibration` wrote.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    (kind,) = (kind for kind in (Platt, Isotonic) if kind.name == name)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return kind(**{field.name: arrays[field.name] for field in dataclasses.fields(kind)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} must hold the {name} calibration of the ranker, but cannot be read: {error}. "
            "Train again with `tfrs-mm train`."
        ) from error


def _newton(scores: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and intercept that maximise the likelihood of targets from 0 to 1."""
    design = np.stack([scores, np.ones_like(scores)], axis=1)

    def cost(at: np.ndarray) -> float:
        logits = design @ at
        return float((np.logaddexp(0, logits) - targets * logits).sum())

    share = targets.mean()
    at = np.array([0.0, np.log(share / (1 - share))])
    for _ in range(_STEPS):
        probabilities = 1 / (1 + np.exp(-(design @ at)))
        gradient = design.T @ (probabilities - targets)
        curvature = probabilities * (1 - probabilities)
        hessian = design.T @ (design * curvature[:, None]) + 1e-12 * np.eye(2)
        step, before = np.linalg.solve(hessian, gradient), cost(at)
        for _ in range(_HALVINGS):
            if cost(at - step) <= before:
                break
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-9:
            break
    return float(at[0]), float(at[1])
