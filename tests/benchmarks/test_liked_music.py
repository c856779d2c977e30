import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import liked_music


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    likes = np.array([True, True, False, False])
    # Of four pairs: 3 over 2, 3 over 1, 2 tied with 2 (half), 2 over 1.
    assert liked_music.area_under_curve(np.array([3, 2, 2, 1]), likes) == 3.5 / 4
    assert liked_music.area_under_curve(np.zeros(4), likes) == 0.5


def test_the_regression_is_at_the_minimum_of_its_loss():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(200, 3))
    likes = generator.random(200) < 1 / (1 + np.exp(-(features @ [2.0, -1.0, 0.0] + 0.5)))

    def loss(weights):
        margins = np.where(likes, 1, -1) * liked_music.scores_of(features, weights)
        return np.logaddexp(0, -margins).sum() + 0.5 * 2.0 * (weights[:-1] ** 2).sum()

    found = liked_music.fit_logistic(features, likes, ridge=2.0)
    for place in range(4):
        for step in (-1e-3, 1e-3):
            assert loss(found + step * np.eye(4)[place]) > loss(found)


def test_a_track_is_scored_by_models_that_have_not_met_it():
    """Each track's feature is all its own, so that what is learnt of others says nothing of it."""
    tracks, parts = np.arange(40), np.arange(40) % 5
    generator = np.random.default_rng(2)
    judged = liked_music.Judgements(np.repeat(tracks, 9), generator.random(360) < 0.5)
    scores = liked_music.cross_fitted(np.eye(40), judged, parts)
    for part in range(5):
        assert np.ptp(scores[parts == part]) == 0
    # Where a feature is shared it does.
    shared = np.tile([[1.0], [-1.0]], (20, 1))
    liked = liked_music.Judgements(judged.tracks, judged.tracks % 2 == 0)
    scores = liked_music.cross_fitted(shared, liked, parts)
    assert liked_music.area_under_curve(scores[liked.tracks], liked.likes) == 1.0
