import functools

import numpy as np
import pytest
import tensorflow as tf
from ranking_world import make_inputs, make_ranker, make_tables, with_context, with_labels

from tfrs_mm.ranking.context import ContextSpec

VARIANTS = {
    "defaults": {},
    "parallel": {"structure": "parallel"},
    "parallel without dense layers": {"structure": "parallel", "hidden": ()},
    "attention": {"attention": "items", "attention_dim": 3},
    "histograms": {"histogram_bins": 4},
    "fusion": {"fusion": "cross_attention", "fusion_dim": 4},
    "everything": {
        "projection_dim": 0, "cross_layers": 1, "structure": "parallel",
        "attention": "modalities", "attention_dim": 3, "histogram_bins": 4, "loss": "pairwise",
        "fusion": "cross_attention", "fusion_dim": 3, "fusion_heads": 1,
    },
    "profiles": {"context": ContextSpec(2, 2, "genres")},
    "tasks": {"task_weights": (1.0, 3.0), "experts": 2, "expert_dim": 3},
    "values": {"value_weight": 0.5, "experts": 2, "expert_dim": 3},
    "values and uncertain tasks": {
        "task_weights": (1.0, 3.0), "experts": 2, "expert_dim": 3, "task_balance": "uncertainty",
        "value_weight": 0.5,
    },
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


def test_candidates_are_shown_as_new_in_training_only():
    ranker, inputs = make_ranker(make_tables(), hide_events=0.5, seed=3), make_inputs()
    at = slice(ranker.tables.num_features - 5, ranker.tables.num_features - 1)  # popularity
    seen = [ranker.features(inputs, training=True).numpy()[..., at] for _ in range(20)]
    hidden = np.mean([(features == 0).all(axis=-1) for features in seen])
    assert 0.3 < hidden < 0.7  # 80 draws of one half: 0.5 with a deviation of 0.056
    assert (ranker.features(inputs).numpy()[..., at] != 0).any(axis=-1).all()


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
    inputs["values"] = tf.constant([0.5, -1.0])
    without = {key: inputs[key][:, :2] for key in ("candidates", "retrieval_scores")}
    np.testing.assert_allclose(ranker(inputs)[:, :2], ranker(inputs | without), atol=1e-5)
    np.testing.assert_allclose(
        ranker.compute_loss(inputs), ranker.compute_loss(inputs | without), rtol=1e-5
    )


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_score_is_of_its_own_query_and_candidate_alone(name):
    ranker, inputs = make_variant(name), make_inputs()
    scores = ranker(inputs).numpy()
    for query, place in ((0, 0), (0, 1), (1, 0)):
        alone = {key: column[query : query + 1] for key, column in inputs.items()}
        for key in ("candidates", "retrieval_scores"):
            alone[key] = alone[key][:, place : place + 1]
        np.testing.assert_allclose(ranker(alone), [[scores[query, place]]], atol=1e-5)


@pytest.mark.parametrize("name, looks", [("defaults", False), ("fusion", True)])
def test_fusion_looks_at_the_modalities_of_a_candidate_itself(name, looks):
    ranker, inputs = make_variant(name), make_inputs()
    # Without a history there is nothing that a candidate's modalities are compared with.
    inputs["history"] = tf.zeros_like(inputs["history"])
    values = ranker.tables.modality_vectors
    before, kept = ranker(inputs).numpy(), tf.identity(values)
    values.assign(-kept)
    change = np.abs(ranker(inputs).numpy() - before)
    values.assign(kept)
    # Candidates 3 and 4, and 5; the last place is empty.
    assert (change > 1e-3).tolist() == [[looks, looks], [looks, False]]


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
    logits = ranker.predictions(inputs)[0].numpy()
    assert np.abs(logits[..., 0] - logits[..., 1]).max() > 1e-3
    # weights 1 and 3
    np.testing.assert_allclose(ranker(inputs), 0.25 * logits[..., 0] + 0.75 * logits[..., 1],
                               atol=1e-5)  # fmt: skip


def test_the_loss_of_tasks_is_the_mean_of_their_own_by_weight():
    ranker, inputs = make_variant("tasks"), with_labels(make_inputs())
    logits = ranker.predictions(inputs)[0].numpy()
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


def test_a_value_counts_for_the_score_by_its_weight():
    ranker, inputs = make_variant("values"), make_inputs()
    logits, values = ranker.predictions(inputs)
    assert values.shape == (2, 2) and np.abs(values).min() > 1e-3
    np.testing.assert_allclose(ranker(inputs), logits[..., 0] + 0.5 * values, atol=1e-5)


def test_values_are_learnt_from_the_positives_that_have_one():
    ranker, inputs = make_variant("values"), make_inputs()
    logits, values = (part.numpy() for part in ranker.predictions(inputs))
    # The second list has no negative to lose to; the positive of the first has the value 2, that of
    # the second none; errors weigh 0.5.
    of_lists = (np.log(np.exp(logits[0, :, 0]).sum()) - logits[0, 0, 0] + 0) / 2
    wanted = of_lists + 0.5 * (values[0, 0] - 2) ** 2
    inputs["values"] = tf.constant([2.0, np.nan])
    with tf.GradientTape() as tape:
        loss = ranker.compute_loss(inputs)
    np.testing.assert_allclose(loss, wanted, rtol=1e-4)
    for gradient in tape.gradient(loss, ranker.trainable_variables):
        if gradient is not None:
            assert np.isfinite(tf.convert_to_tensor(gradient).numpy()).all()
    inputs["values"] = tf.constant([np.nan, np.nan])
    np.testing.assert_allclose(ranker.compute_loss(inputs), of_lists, rtol=1e-4)


@pytest.mark.parametrize("value_weight", [0.0, 0.5])
@pytest.mark.parametrize("task_weights", [(), (1.0, 1.0)])
def test_an_untrained_ranker_can_start_at_the_share_of_positives(task_weights, value_weight):
    settings = {"task_weights": task_weights, "value_weight": value_weight}
    ranker, inputs = make_ranker(make_tables(), **settings), make_inputs()
    scores = tf.reshape(inputs["retrieval_scores"], [-1])
    shares = tf.constant([0.25, 0.5][: max(len(task_weights), 1)])
    ranker.start_level(scores, shares)
    logits = ranker.predictions(inputs)[0].numpy()
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
