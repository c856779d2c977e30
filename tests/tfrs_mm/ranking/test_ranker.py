import functools

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.ranking import (
    RankingModel,
    RankingTables,
    TransitionTables,
    candidate_features,
)
from tfrs_mm.ranking.context import ContextSpec
from tfrs_mm.ranking.features import HALF_LIFE


def make_tables(popularity=None):
    generator = np.random.default_rng(0)
    present = np.array([[0, 0], [1, 1], [1, 0], [1, 1], [0, 1], [1, 1]], bool)
    values = generator.normal(size=(6, 2, 3)).astype(np.float32) * present[..., None]
    vectors = generator.normal(size=(6, 4)).astype(np.float32)
    popularity = (
        generator.random((6, 4, 4)).astype(np.float32) if popularity is None else popularity
    )
    return RankingTables(
        vectors,
        values,
        present,
        popularity,
        {"genres": np.array([[0], [1], [2], [1], [3], [2]], np.int32)},
    )


def make_inputs():
    generator = np.random.default_rng(1)
    return {
        "query": tf.constant(generator.normal(size=(2, 4)), tf.float32),
        "history": tf.constant([[1, 2, 0], [3, 0, 0]], tf.int32),
        "bucket": tf.constant([2, 1], tf.int32),
        "candidates": tf.constant([[3, 4], [5, 0]], tf.int32),
        "retrieval_scores": tf.constant([[0.5, 0.2], [0.1, 0.0]], tf.float32),
    }


def with_context(inputs):
    """Two numbers of each user, and two favourite genres of the first."""
    return inputs | {
        "context": tf.constant([[1.0, 2.0], [3.0, 5.0]]),
        "favourites": tf.constant([[1, 2], [0, 0]]),
        "favourite_weights": tf.constant([[3.0, 1.0], [0.0, 0.0]]),
    }


def with_labels(inputs):
    """Of two tasks the first list has a positive of the second, the other one of both."""
    return inputs | {"labels": tf.constant([[False, True], [True, True]])}


def features(tables, inputs):
    return candidate_features(
        tables,
        inputs["query"],
        inputs["history"],
        inputs["bucket"],
        inputs["candidates"],
        inputs["retrieval_scores"],
    )


def make_ranker(tables, adapted=True, **changes):
    settings = {
        "cross_layers": 2, "projection_dim": 4, "hidden": (8,), "dropout": 0.1, "category_dim": 3,
        "categories": {"genres": 4}, "temperature": 0.1,
    } | changes  # fmt: skip
    ranker = RankingModel(tables, **settings)
    if adapted:
        spec = settings.get("context")
        dense = ranker.features(make_inputs() | (spec.blank(2) if spec else {}))
        ranker.adapt(tf.reshape(dense, [-1, dense.shape[-1]]))
    spec = settings.get("context")
    ranker(make_inputs() | (spec.blank(2) if spec else {}))
    return ranker


def test_features_have_the_declared_size():
    tables = make_tables()
    assert features(tables, make_inputs()).shape == (2, 2, tables.num_features)


def test_a_candidate_shown_as_new_has_no_features_of_events_and_keeps_all_others():
    generator = np.random.default_rng(3)
    neighbours = np.zeros((6, 4), np.int32)
    neighbours[1:] = [[3, 4, 5, 2], [3, 4, 5, 1], [5, 4, 2, 1], [5, 3, 2, 1], [4, 3, 2, 1]]
    weights = np.where(neighbours > 0, -np.sort(-generator.random((6, 4))), 0).astype(np.float32)
    plain = make_tables()
    tables = RankingTables(
        plain.item_vectors.numpy(),
        plain.modality_vectors.numpy(),
        plain.present.numpy(),
        plain.popularity.numpy(),
        {"genres": plain.categories["genres"].numpy()},
        TransitionTables([(neighbours, weights, weights.sum(1))], window=4, half_life=2.0),
    )
    inputs = make_inputs()
    arguments = [
        inputs[name] for name in ("query", "history", "bucket", "candidates", "retrieval_scores")
    ]
    as_new = tf.constant([[True, False], [False, False]])
    whole = candidate_features(tables, *arguments).numpy()
    hidden = candidate_features(tables, *arguments, as_new=as_new).numpy()
    np.testing.assert_array_equal(whole[0, 1], hidden[0, 1])
    np.testing.assert_array_equal(whole[1], hidden[1])
    # Four of popularity and two of one kind of statistics, in front of the one category.
    changed = np.arange(tables.num_features - 7, tables.num_features - 1)
    assert np.flatnonzero(whole[0, 0] != hidden[0, 0]).tolist() == changed.tolist()
    assert not hidden[0, 0, changed].any()


def test_candidates_are_shown_as_new_in_training_only():
    ranker, inputs = make_ranker(make_tables(), hide_events=0.5, seed=3), make_inputs()
    at = slice(ranker.tables.num_features - 5, ranker.tables.num_features - 1)  # popularity
    seen = [ranker.features(inputs, training=True).numpy()[..., at] for _ in range(20)]
    hidden = np.mean([(features == 0).all(axis=-1) for features in seen])
    assert 0.3 < hidden < 0.7  # 80 draws of one half: 0.5 with a deviation of 0.056
    assert (ranker.features(inputs).numpy()[..., at] != 0).any(axis=-1).all()


def test_similarities_to_the_history_are_means_and_maxima_over_present_items():
    tables, inputs = make_tables(), make_inputs()
    result = features(tables, inputs)[0, 0].numpy()  # candidate 3, history 1 then 2
    image = tables.modality_vectors.numpy()[:, 0]
    first, second = image[3] @ image[1], image[3] @ image[2]
    at = (
        3 * 4 + 2 + 3
    )  # query, candidate, product; score, length; three similarities by item vector
    old = 0.5 ** (1 / HALF_LIFE)  # item 1 is one place older than item 2
    text = tables.modality_vectors.numpy()[:, 1]
    only = text[3] @ text[1]  # item 2 has no text
    np.testing.assert_allclose(result[at], (first + second) / 2, atol=1e-5)
    np.testing.assert_allclose(result[at + 1], only, atol=1e-5)
    np.testing.assert_allclose(result[at + 2], (old * first + second) / (old + 1), atol=1e-5)
    np.testing.assert_allclose(result[at + 3], only, atol=1e-5)
    np.testing.assert_allclose(result[at + 4], max(first, second), atol=1e-5)


def test_a_modality_that_the_candidate_lacks_counts_as_zero():
    tables, inputs = make_tables(), make_inputs()
    result = features(tables, inputs)[0, 1].numpy()  # candidate 4 has no picture
    at = 3 * 4 + 2 + 3
    assert result[[at, at + 2, at + 4]].tolist() == [0, 0, 0]


def test_popularity_is_read_at_the_bucket_of_the_query():
    tables, inputs = make_tables(), make_inputs()
    result = features(tables, inputs)[0, 0].numpy()
    np.testing.assert_allclose(result[-5:-1], tables.popularity.numpy()[3, 2], atol=1e-6)


def test_a_common_category_counts_by_its_share_of_the_history():
    result = features(make_tables(), make_inputs()).numpy()
    # candidate 3 is of genre 1 like item 1 but not item 2; candidate 4 of genre 3; candidate 5 of
    # genre 2
    assert result[0, 0, -1] == 0.5
    assert result[0, 1, -1] == 0
    assert result[1, 0, -1] == 0


VARIANTS = {
    "defaults": {},
    "parallel": {"structure": "parallel"},
    "parallel without dense layers": {"structure": "parallel", "hidden": ()},
    "attention": {"attention": "items", "attention_dim": 3},
    "histograms": {"histogram_bins": 4},
    "everything": {
        "projection_dim": 0, "cross_layers": 1, "structure": "parallel",
        "attention": "modalities", "attention_dim": 3, "histogram_bins": 4, "loss": "pairwise",
    },
    "profiles": {"context": ContextSpec(2, 2, "genres")},
    "tasks": {"task_weights": (1.0, 3.0), "experts": 2, "expert_dim": 3},
    "uncertain tasks": {
        "task_weights": (1.0, 3.0), "experts": 2, "expert_dim": 3, "task_balance": "uncertainty",
        "loss": "pointwise",
    },
}  # fmt: skip


@functools.cache
def make_variant(name):
    """Not adapted, so that features of few examples are not cut off, and with other weights than
    an untrained one has."""
    ranker = make_ranker(make_tables(), adapted=False, **VARIANTS[name])
    for place, variable in enumerate(ranker.trainable_variables):
        variable.assign_add(tf.random.stateless_normal(variable.shape, [place, 2]) * 0.1)
    return ranker


def test_the_options_are_off_unless_asked_for():
    ranker = make_ranker(make_tables())
    shapes = [tuple(variable.shape) for variable in ranker.trainable_variables]
    size = ranker.tables.num_features + 3  # and a category of three numbers
    # the category; two crosses of rank 4 with a bias; a dense layer; the last one; the trust
    cross = [(size, 4), (4, size), (size,)]
    assert sorted(shapes) == sorted([(4, 3), *cross, *cross, (size, 8), (8,), (8, 1), (1,), ()])


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_an_empty_place_changes_no_score_and_no_loss(name):
    ranker, inputs = make_variant(name), make_inputs()
    inputs["candidates"] = tf.constant([[3, 4, 0], [5, 2, 0]], tf.int32)
    inputs["retrieval_scores"] = tf.constant([[0.5, 0.2, 0.0], [0.1, 0.3, 0.0]], tf.float32)
    inputs |= with_labels(inputs) if name.endswith("tasks") else {}
    without = {key: inputs[key][:, :2] for key in ("candidates", "retrieval_scores")}
    np.testing.assert_allclose(ranker(inputs)[:, :2], ranker(inputs | without), atol=1e-5)
    np.testing.assert_allclose(
        ranker.compute_loss(inputs), ranker.compute_loss(inputs | without), rtol=1e-5
    )


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_padding_of_a_history_changes_no_score(name):
    ranker, inputs = make_variant(name), make_inputs()
    longer = inputs | {"history": tf.pad(inputs["history"], [[0, 0], [0, 2]])}
    np.testing.assert_allclose(ranker(longer), ranker(inputs), atol=1e-5)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_an_absent_modality_cannot_change_a_score(name):
    ranker, inputs = make_variant(name), make_inputs()
    expected = ranker(inputs).numpy()
    values, present = ranker.tables.modality_vectors, ranker.tables.present
    kept = tf.identity(values)
    values.assign(tf.where(present[..., None], values, 7.0))
    np.testing.assert_allclose(ranker(inputs), expected, atol=1e-5)
    values.assign(kept)


@pytest.mark.parametrize("name", sorted(set(VARIANTS) - {"defaults"}))
def test_an_untrained_variant_keeps_the_order_of_retrieval(name):
    scores = make_ranker(make_tables(), **VARIANTS[name])(make_inputs()).numpy()
    np.testing.assert_allclose(scores, [[5.0, 2.0], [1.0, 0.0]], atol=1e-5)


def test_an_untrained_ranker_keeps_the_order_of_retrieval():
    scores = make_ranker(make_tables())(make_inputs()).numpy()
    # the score over the temperature of 0.1
    np.testing.assert_allclose(scores, [[5.0, 2.0], [1.0, 0.0]], atol=1e-5)


@pytest.mark.parametrize("name", ["defaults", "everything"])
def test_it_learns_and_compiles_with_xla(name):
    ranker = make_ranker(make_tables(), **VARIANTS[name])
    ranker.compile(optimizer=tf.keras.optimizers.Adam(0.05), jit_compile=True)
    inputs = make_inputs()
    inputs["retrieval_scores"] = tf.zeros([2, 2])
    dataset = tf.data.Dataset.from_tensors(inputs).repeat(30)
    first = float(ranker.compute_loss(inputs))
    ranker.fit(dataset, verbose=0)
    # two equal candidates and one alone: the loss starts at (ln 2 + 0) / 2 = 0.3466, of a pair and
    # of a list alike
    np.testing.assert_allclose(first, 0.3466, atol=1e-3)
    assert float(ranker.compute_loss(inputs)) < 0.1


def test_a_context_stands_beside_each_candidate_with_the_share_of_its_favourites():
    spec = ContextSpec(2, 2, "genres")
    ranker, inputs = make_ranker(make_tables(), context=spec), with_context(make_inputs())
    found = ranker.features(inputs).numpy()[..., -3:]
    # candidates 3 and 4 are of genre 1, which has 3 of 4, and of genre 3; 5 of genre 2
    np.testing.assert_allclose(found[0], [[0.75, 1, 2], [0, 1, 2]])
    np.testing.assert_allclose(found[1], [[0, 3, 5], [0, 3, 5]])


def test_who_is_not_known_is_as_users_are_on_average():
    ranker = make_ranker(make_tables(), context=ContextSpec(2, 2, "genres"))
    known = with_context(make_inputs())
    features = ranker.features(known)
    ranker.adapt(tf.reshape(features, [-1, features.shape[-1]]))
    # mean of 1 and 3, and of 2 and 5
    np.testing.assert_allclose(ranker.neutral_context, [2.0, 3.5], rtol=1e-6)
    unknown = ranker.features(make_inputs()).numpy()[..., -3:]
    np.testing.assert_allclose(unknown, np.tile([0, 2.0, 3.5], (2, 2, 1)), rtol=1e-6)
    variant = make_variant("profiles")
    assert np.abs(variant(known) - variant(make_inputs())).max() > 1e-4


def test_scores_of_several_tasks_are_their_utility():
    ranker, inputs = make_variant("tasks"), make_inputs()
    logits = ranker.task_logits(inputs).numpy()
    assert np.abs(logits[..., 0] - logits[..., 1]).max() > 1e-3
    # weights 1 and 3
    np.testing.assert_allclose(ranker(inputs), 0.25 * logits[..., 0] + 0.75 * logits[..., 1],
                               atol=1e-5)  # fmt: skip


def test_the_loss_of_tasks_is_the_mean_of_their_own_by_weight():
    ranker, inputs = make_variant("tasks"), with_labels(make_inputs())
    logits = ranker.task_logits(inputs).numpy()
    # The first list has no positive of the first task, the second list no negative to lose to.
    second = np.log(np.exp(logits[0, :, 1]).sum()) - logits[0, 0, 1]
    wanted = (0.25 * (0 + 0) + 0.75 * (second + 0)) / 2
    np.testing.assert_allclose(ranker.compute_loss(inputs), wanted, rtol=1e-4)


def test_one_task_has_the_plain_head_and_learns_from_its_own_positives():
    ranker, inputs = make_ranker(make_tables(), task_weights=(2.0,)), make_inputs()
    assert len(ranker.weights) == len(make_ranker(make_tables()).weights)
    plain = float(ranker.compute_loss(inputs | {"labels": tf.constant([[True], [True]])}))
    np.testing.assert_allclose(plain, ranker.compute_loss(inputs))
    assert float(ranker.compute_loss(inputs | {"labels": tf.constant([[False], [False]])})) == 0


@pytest.mark.parametrize("task_weights", [(), (1.0, 1.0)])
def test_an_untrained_ranker_can_start_at_the_share_of_positives(task_weights):
    ranker, inputs = make_ranker(make_tables(), task_weights=task_weights), make_inputs()
    scores = tf.reshape(inputs["retrieval_scores"], [-1])
    shares = tf.constant([0.25, 0.5][: max(len(task_weights), 1)])
    ranker.start_level(scores, shares)
    logits = ranker.task_logits(inputs).numpy()
    # ln(1/3) = -1.0986, and 0
    np.testing.assert_allclose(logits.mean((0, 1)), [-1.0986, 0.0][: len(shares)], atol=1e-4)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_it_saves_and_reloads(tmp_path, name):
    ranker = make_variant(name)
    expected = ranker(make_inputs())
    tf.train.Checkpoint(model=ranker).write(str(tmp_path / "w"))
    again = make_ranker(make_tables(), adapted=False, **VARIANTS[name])
    tf.train.Checkpoint(model=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(again(make_inputs()), expected, atol=1e-5)
