import subprocess
import sys

import numpy as np
import pytest
import retrieval_world
import tensorflow as tf
from retrieval_world import NUM_ITEMS, make_batch, make_model

from tfrs_mm.errors import UserError
from tfrs_mm.retrieval import QueryModel
from tfrs_mm.towers import ALIGNMENTS


def as_dataset(batch):
    return tf.data.Dataset.from_tensors(batch).repeat()


def test_padding_is_neither_target_nor_negative():
    model = make_model(retrieval__uniform_negatives=0)
    batch = make_batch()
    lonely = {name: column.copy() for name, column in batch.items()}
    lonely["is_target"][:] = False
    assert float(model.compute_loss({k: tf.constant(v) for k, v in lonely.items()})) == 0.0
    assert float(model.compute_loss({k: tf.constant(v) for k, v in batch.items()})) > 0.5


@pytest.mark.parametrize("interests", [1, 3])
def test_the_softmax_over_all_items_is_that_of_numpy(interests):
    model = make_model(retrieval__negatives="all", retrieval__interests=interests)
    batch = make_batch(4)
    rows, is_target = batch["history/item"], batch["is_target"]
    vectors = model.encode_items(tf.range(NUM_ITEMS + 1)).numpy()
    queries = model.user_tower(tf.constant(vectors[rows[:, :-1]])).numpy()
    queries = queries.reshape(*rows.shape, interests, -1)
    losses = []
    for window, of, places in zip(rows, queries, is_target, strict=True):
        for target, query in zip(window[places], of[places], strict=True):
            # All items but the unknown one and the others of the window.
            rivals = [r for r in range(1, NUM_ITEMS + 1) if r == target or r not in window]
            scores = (vectors @ query.T).max(axis=1) / 0.07
            losses.append(np.log(np.exp(scores[rivals]).sum()) - scores[target])
    loss = model.compute_loss({k: tf.constant(v) for k, v in batch.items()})
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)


def loss_of_all_items(batch, lengths):
    tf.keras.utils.set_random_seed(1)
    model = make_model(retrieval__negatives="all", retrieval__lengths=lengths)
    inputs = {name: tf.constant(column) for name, column in batch.items()}
    return tf.function(model.compute_loss)(inputs)


@pytest.mark.parametrize("longest", [2, 3, 7])
def test_a_batch_cut_to_its_longest_window_has_the_same_loss(longest):
    batch = make_batch(4)
    for column in batch.values():
        column[:, longest:] = 0
    whole, cut = (loss_of_all_items(batch, lengths) for lengths in ([], [2, 4]))
    np.testing.assert_allclose(whole, cut, rtol=1e-6)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_it_learns_what_follows(similarity):
    tf.keras.utils.set_random_seed(1)
    model = make_model(
        retrieval__dropout=0.0,
        retrieval__similarity=similarity,
        fusion__id_dropout=0.0,
        fusion__content_scale=1.0,  # what follows shows in ids, not in content
    )
    model.compile(optimizer=tf.keras.optimizers.Adam(0.02))
    model.fit(as_dataset(make_batch()), steps_per_epoch=120, verbose=0)
    vectors = model.encode_items(tf.range(NUM_ITEMS + 1))
    query = QueryModel(model.user_tower, vectors)(tf.constant([[10, 11, 12, 0, 0, 0]], tf.int32))
    best = (
        tf.argsort(tf.matmul(query, vectors, transpose_b=True)[0, 1:], direction="DESCENDING")[:4]
        + 1
    )
    assert 13 in best.numpy()


def test_a_training_step_compiles_with_xla_and_holds_no_strings():
    model = make_model()
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), jit_compile=True)
    history = model.fit(as_dataset(make_batch()), steps_per_epoch=30, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    step = tf.function(lambda batch: model.compute_loss(batch, training=True))
    graph = step.get_concrete_function({k: tf.constant(v) for k, v in make_batch().items()}).graph
    assert not [t.name for op in graph.get_operations() for t in op.outputs if t.dtype == tf.string]


def test_xla_and_plain_execution_give_the_same_loss():
    model = make_model(
        retrieval__uniform_negatives=0, retrieval__in_batch_negatives=224,
        retrieval__negatives_queue=10, retrieval__negatives_queue_warmup=0,
        retrieval__hard_negatives=1,
    )  # fmt: skip
    model.training_state[0].assign(range(1, 11))
    model.hard_negatives.fill(np.arange(NUM_ITEMS, -1, -1, np.int32)[:, None])
    # all 32 * 7 places are drawn, so the negatives do not depend on chance
    batch = {k: tf.constant(v) for k, v in make_batch().items()}
    plain = tf.function(model.compute_loss)(batch)
    compiled = tf.function(model.compute_loss, jit_compile=True)(batch)
    np.testing.assert_allclose(plain, compiled, rtol=1e-4)


def test_a_corpus_smaller_than_the_batch_gives_the_same_vectors():
    model = make_model()
    rows = tf.constant([3, 7, 7, 40] * 20)
    assert model._tables.size <= rows.shape[0]
    few = tf.constant([3, 7, 7, 40])
    np.testing.assert_allclose(
        model._vectors_of(rows, False)[:4], model._vectors_of(few, False), atol=1e-5
    )


def test_the_query_model_ends_at_the_last_item_of_each_history():
    model = make_model()
    query_model = QueryModel(model.user_tower, model.encode_items(tf.range(NUM_ITEMS + 1)))
    history = tf.constant([[1, 2, 3, 0, 0, 0], [0] * 6, [4, 5, 6, 7, 8, 9]], tf.int32)
    every = query_model.every_place(history)
    np.testing.assert_allclose(
        query_model(history), tf.stack([every[0, 3], every[1, 0], every[2, 6]]), atol=1e-6
    )


@pytest.mark.parametrize("read", ["history/time", "history/event"])
def test_the_time_and_kind_of_a_target_are_not_known_before_it(read):
    model = make_model(
        retrieval__negatives="all", retrieval__time_gaps=5, retrieval__event_kinds=True
    )
    for weight in model.user_tower.trainable_variables:
        if "history_" in weight.name:
            weight.assign(tf.random.stateless_normal(weight.shape, [0, 1]))
    batch = make_batch(4)
    batch["is_target"][:, :-1] = False  # the last of a window alone

    def loss(place):
        other = batch[read].copy()
        other[:, place] = 1 if read == "history/event" else other[:, place] + 10**4
        inputs = batch | {read: other}
        return float(model.compute_loss({k: tf.constant(v) for k, v in inputs.items()}))

    plain = float(model.compute_loss({k: tf.constant(v) for k, v in batch.items()}))
    assert loss(-1) == plain
    assert abs(loss(-2) - plain) > 1e-4


def test_profiles_that_records_lack_cannot_be_read():
    with pytest.raises(UserError, match=r"`retrieval.profiles` is true, but the records hold"):
        make_model(retrieval__profiles=True)


def losses_of(**overrides):
    """The loss of a batch, each time with the same weights and draws but for what is overridden."""
    tf.keras.utils.set_random_seed(1)
    model = make_model(**overrides)
    return float(model.compute_loss({k: tf.constant(v) for k, v in make_batch().items()}))


def test_alignment_is_added_to_the_loss_with_its_weight():
    without = losses_of()
    once = losses_of(alignment__kind="infonce", alignment__weight=1.0)
    twice = losses_of(alignment__kind="infonce", alignment__weight=2.0)
    assert once - without > 0.1
    np.testing.assert_allclose(twice - without, 2 * (once - without), rtol=1e-4)
    assert losses_of(alignment__kind="infonce", alignment__weight=0.0) == without


@pytest.mark.parametrize("kind", sorted(ALIGNMENTS))
def test_alignment_brings_content_and_ids_together_under_xla(kind):
    tf.keras.utils.set_random_seed(1)
    model = make_model(alignment__kind=kind, alignment__weight=1.0)
    rows = tf.range(-1, NUM_ITEMS + 1)

    @tf.function(jit_compile=True)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = model.aligned(rows)
        variables = tape.watched_variables()
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.1 * tf.convert_to_tensor(gradient))
        return loss

    before = model.aligned(rows)
    np.testing.assert_allclose(step(), before, rtol=1e-5)
    for _ in range(10):
        after = step()
    assert after < before - 0.05


def test_alignment_without_anything_to_align_is_refused():
    with pytest.raises(UserError, match=r"`alignment.kind` is 'cosine', but there is nothing"):
        make_model(alignment__kind="cosine", alignment__behaviour=False)
    with pytest.raises(UserError, match=r"`alignment.agreement` must be 0 where items have fewer"):
        make_model(alignment__agreement=1.0)


REPLICAS = """
import numpy as np, sys, tensorflow as tf
sys.path.insert(0, sys.argv[1])
import tfrs_mm
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import importlib.util
spec = importlib.util.spec_from_file_location("t", sys.argv[2])
t = importlib.util.module_from_spec(spec); spec.loader.exec_module(t)
from tfrs_mm.training.strategy import make_strategy
strategy = make_strategy("mirrored", 32)
assert strategy.num_replicas_in_sync == 2
seen = []
with strategy.scope():
    model = t.make_model(
        retrieval__batch_size=32, retrieval__negatives_queue=50, retrieval__hard_negatives=1,
        retrieval__frequencies="streaming")
    gather = model._sampler._from_all_replicas
    def watched(drawn, vectors):
        result = gather(drawn, vectors)
        seen.append((int(drawn.shape[0]), result[0].shape[0], result[1].shape[0]))
        return result
    model._sampler._from_all_replicas = watched
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01))
model.hard_negatives.fill(np.arange(t.NUM_ITEMS, -1, -1, np.int32)[:, None])
dataset = tf.data.Dataset.from_tensor_slices(t.make_batch(32)).repeat()
dataset = dataset.batch(32, drop_remainder=True)
losses = model.fit(dataset, steps_per_epoch=20, epochs=2, verbose=0).history["loss"]
assert losses[1] < losses[0], losses
size, gathered, vectors = seen[0]
assert gathered == 2 * size and vectors in (2 * size, None), seen
for variable in model.training_state:
    copies = [copy.numpy() for copy in strategy.experimental_local_results(variable)]
    assert len(copies) == 2 and np.array_equal(*copies), copies
assert (model.training_state[0].numpy() > 0).all()
print("negatives of", size, "gathered", losses)
"""


@pytest.mark.slow
def test_two_replicas_see_each_others_negatives():
    import pathlib

    root = pathlib.Path(__file__).parents[3]
    answer = subprocess.run(
        [sys.executable, "-c", REPLICAS, str(root), retrieval_world.__file__],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert "gathered" in answer.stdout
