import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.signatures import NO_TIME
from tfrs_mm.towers import SEQUENCES, UserTower, best_interest, last_place
from tfrs_mm.towers.events import EventEmbedding, gap_rows
from tfrs_mm.towers.interests import Interests
from tfrs_mm.towers.moments import MomentEmbedding
from tfrs_mm.towers.pooling import CausalMean
from tfrs_mm.towers.recurrent import CausalGru

DIM, MAX_HISTORY = 8, 5
VARIANTS = {
    **{name: {"kind": name} for name in SEQUENCES},
    "recency": {"kind": "mean", "half_life": 2.0},
    "interests": {"interests": 3},
}


def make_tower(name="transformer", **changes):
    settings = {
        "dim": DIM, "layers": 2, "heads": 2, "max_history": MAX_HISTORY, "dropout": 0.1,
        "normalize": True,
    } | VARIANTS[name] | changes  # fmt: skip
    return UserTower(**settings)


def make_history(batch=1):
    generator = np.random.default_rng(0)
    return generator.normal(size=(batch, MAX_HISTORY, DIM)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_no_place_knows_what_comes_after_it(name):
    tower, history = make_tower(name), make_history()
    expected = tower(tf.constant(history)).numpy()
    several = (3,) if name == "interests" else ()
    assert expected.shape == (1, MAX_HISTORY + 1, *several, DIM)
    generator = np.random.default_rng(1)
    for changed in range(MAX_HISTORY):
        other = history.copy()
        other[0, changed] = generator.normal(size=DIM)
        result = tower(tf.constant(other)).numpy()
        # output t has seen items 0 to t - 1: those up to `changed` stay, the next one moves
        np.testing.assert_allclose(result[0, : changed + 1], expected[0, : changed + 1], atol=1e-5)
        assert np.abs(result[0, changed + 1] - expected[0, changed + 1]).max() > 1e-3


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_padding_behind_a_history_changes_nothing(name):
    tower, history = make_tower(name), make_history()
    noisy = history.copy()
    noisy[0, 3:] = 100.0
    lengths = tf.constant([3])
    np.testing.assert_allclose(
        last_place(tower(tf.constant(history)), lengths),
        last_place(tower(tf.constant(noisy)), lengths),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_it_saves_and_reloads(name, tmp_path):
    tower, history = make_tower(name), tf.constant(make_history(2))
    expected = tower(history)
    again = UserTower.from_config(tower.get_config())
    again(history)
    tf.train.Checkpoint(tower=tower).write(str(tmp_path / "w"))
    tf.train.Checkpoint(tower=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(again(history), expected, atol=1e-6)


def test_a_mean_halves_what_is_its_half_life_ago():
    x = tf.constant([[[4.0], [2.0], [8.0]]])
    # 4, (4 + 2) / 2, (4 + 2 + 8) / 3
    np.testing.assert_allclose(CausalMean(0.0, 0.0)(x)[0, :, 0], [4, 3, 14 / 3], atol=1e-6)
    # 4, (2 + 2) / 1.5, (1 + 1 + 8) / 1.75
    np.testing.assert_allclose(CausalMean(1.0, 0.0)(x)[0, :, 0], [4, 8 / 3, 40 / 7], atol=1e-6)


def test_a_recurrent_layer_is_a_gated_unit_of_numpy():
    layer, x = CausalGru(DIM, 1, 0.0), make_history()
    found = layer(tf.constant(x))[0].numpy()
    kernel, recurrent, bias = (np.float64(weight) for weight in layer.get_weights())
    state = np.zeros(DIM)
    for place in range(MAX_HISTORY):
        given = np.split(x[0, place] @ kernel + bias[0], 3)
        kept = np.split(state @ recurrent + bias[1], 3)
        update, reset = (1 / (1 + np.exp(-given[i] - kept[i])) for i in (0, 1))
        state = update * state + (1 - update) * np.tanh(given[2] + reset * kept[2])
        np.testing.assert_allclose(found[place], state, atol=1e-5)


def test_each_interest_adds_what_it_attends_to_so_far():
    layer, h = Interests(DIM, 2), make_history()
    found = layer(tf.constant(h))[0].numpy()
    hidden, attend, values = (np.float64(weight) for weight in layer.get_weights())
    scores = np.exp(np.tanh(h[0] @ hidden) @ attend)
    projected = (h[0] @ values).reshape(MAX_HISTORY, 2, DIM)
    for place, interest in np.ndindex(MAX_HISTORY, 2):
        weights = scores[: place + 1, interest] / scores[: place + 1, interest].sum()
        wanted = h[0, place] + weights @ projected[: place + 1, interest]
        np.testing.assert_allclose(found[place, interest], wanted, atol=1e-5)


def test_a_candidate_takes_the_interest_that_it_scores_with():
    queries = tf.constant([[[1.0, 0.0], [0.0, 2.0]]])
    candidates = tf.constant([[[3.0, 1.0], [1.0, 3.0], [-1.0, -1.0]]])
    # 3 beats 2, 6 beats 1, -1 beats -2
    found = best_interest(queries, candidates).numpy()
    assert found.tolist() == [[[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]]]
    assert best_interest(queries[:, 0], candidates).numpy().tolist() == [[[1.0, 0.0]] * 3]


EVENTS = {
    "history/time": tf.constant([[0, 1, 4, 4, 100]], tf.int64),
    "history/event": tf.constant([[1, 2, 0, 1, 2]]),
}


MOMENTS = (("context/hour", 25, 1), ("profile/kinds", 0, 2), ("profile/categories", 4, 2))
# Of the six places of a history of five items.
OF_MOMENTS = {
    "context/hour": tf.constant([[3, 9, 0, 24, 1, 5]]),
    "profile/kinds": tf.constant([[[0, n] for n in range(6)]]),
    "profile/categories": tf.constant([[[1, 2], [0, 0], [3, 1], [3, 0], [2, 1], [1, 0]]]),
    "profile/category_weights": tf.constant([[[3.0, 1.0], [0.0, 0.0], *[[2.0, 2.0]] * 4]]),
}
KNOWN = EVENTS | OF_MOMENTS


def make_knowing_tower(name="transformer", **changes):
    """A tower that reads all there is, its embeddings drawn, since they start at zero."""
    tower = make_tower(name, time_gaps=4, event_kinds=3, moments=MOMENTS, **changes)
    tower(tf.constant(make_history()), contexts=KNOWN)
    generator = np.random.default_rng(2)
    for weight in tower.trainable_variables:
        if weight.name.split("/")[-1].startswith(("history_", "profile_", "context_")):
            weight.assign(generator.normal(size=weight.shape))
    return tower


def test_a_gap_falls_into_the_bucket_of_its_logarithm():
    times = tf.constant([[5, 5, 6, 8, 11, 1000, NO_TIME, 1001, 1002]], tf.int64)
    # gaps 0, 1, 2, 3, 989: log2(1 + gap) is 0, 1, 1.58, 2, 9.95, and 4 buckets end at 3
    assert gap_rows(times, 4).numpy().tolist() == [[0, 1, 2, 2, 3, 4, 0, 0, 2]]
    assert gap_rows(times[:, :1], 4).numpy().tolist() == [[0]]


def test_a_tower_that_knows_times_starts_as_one_that_does_not():
    plain, knowing = make_tower(), make_tower(time_gaps=4, event_kinds=3, moments=MOMENTS)
    history = tf.constant(make_history())
    for tower in (plain, knowing):
        tower(history)
    own = [w for w in knowing.weights if "embedding" not in w.name]
    assert [w.shape for w in own] == [w.shape for w in plain.weights]
    for weight, value in zip(own, plain.get_weights(), strict=True):
        weight.assign(value)
    np.testing.assert_allclose(knowing(history, contexts=KNOWN), plain(history), atol=1e-6)


@pytest.mark.parametrize("name", sorted(VARIANTS))
@pytest.mark.parametrize("read", sorted(EVENTS))
def test_an_event_is_known_from_its_place_on(name, read):
    tower, history = make_knowing_tower(name), tf.constant(make_history())
    expected = tower(history, contexts=EVENTS).numpy()
    other = EVENTS[read].numpy()
    other[0, 2] = 1
    changed = tower(history, contexts=EVENTS | {read: tf.constant(other)}).numpy()
    np.testing.assert_allclose(changed[0, :3], expected[0, :3], atol=1e-5)
    assert np.abs(changed[0, 3] - expected[0, 3]).max() > 1e-3


def test_what_is_not_told_is_unknown():
    tower, history = make_knowing_tower(), tf.constant(make_history())
    unknown = {
        "history/time": tf.fill([1, MAX_HISTORY], tf.constant(NO_TIME, tf.int64)),
        "history/event": tf.zeros([1, MAX_HISTORY], tf.int32),
    }
    np.testing.assert_array_equal(tower(history), tower(history, contexts=unknown))
    assert np.abs(tower(history) - tower(history, contexts=EVENTS)).max() > 1e-3
    blank = {name: tf.zeros_like(column) for name, column in OF_MOMENTS.items()}
    np.testing.assert_allclose(tower(history), tower(history, contexts=blank), atol=1e-6)


@pytest.mark.parametrize("name", sorted(OF_MOMENTS))
def test_a_place_knows_its_own_moment_and_no_other(name):
    tower, history = make_knowing_tower(), tf.constant(make_history())
    expected = tower(history, contexts=KNOWN).numpy()
    other = OF_MOMENTS[name].numpy()
    other[0, 2] = {"context/hour": 1, "profile/categories": [2, 2]}.get(name, [1, 9])
    changed = tower(history, contexts=KNOWN | {name: tf.constant(other)}).numpy()
    moved = np.abs(changed - expected).max(axis=(0, 2)) > 1e-4
    assert moved.tolist() == [False, False, True, False, False, False]


def test_one_moment_stands_for_all_places():
    tower, history = make_knowing_tower(), tf.constant(make_history())
    every = tower(history, contexts=KNOWN)
    last = {name: column[:, -1] for name, column in OF_MOMENTS.items()}
    np.testing.assert_allclose(
        tower(history, contexts=EVENTS | last)[:, -1], every[:, -1], atol=1e-6
    )


def test_favourites_count_by_their_weights_and_numbers_by_their_logarithms():
    layer = MomentEmbedding(1, MOMENTS[1:], hide=0.5, seed=1)
    state = tf.zeros([2000, 1, 1])
    told = {
        "profile/kinds": tf.constant([[0, 3]] * 2000),
        "profile/categories": tf.constant([[1, 2]] * 2000),
        "profile/category_weights": tf.constant([[3.0, 1.0]] * 2000),
    }
    layer(state)
    layer.set_weights([np.array([[9.0], [2.0]]), np.array([[7.0], [4.0], [8.0], [5.0]])])
    # 2 log 4 of the second kind's three events, and (3 * 4 + 1 * 8) / 4 of the categories
    kinds, categories = 2 * np.log(4), 5
    np.testing.assert_allclose(layer(state, contexts=told)[0, 0, 0], kinds + categories, rtol=1e-6)
    found = layer(state, contexts=told, training=True).numpy().ravel()
    # each is hidden of half the histories: of four outcomes 500, with a standard deviation of 19
    for outcome in (0, kinds, categories, kinds + categories):
        assert abs(np.isclose(found, outcome).sum() - 500) < 100


def test_training_hides_the_times_and_kinds_of_some_histories():
    layer = EventEmbedding(1, time_gaps=2, kinds=2, hide=0.5, seed=1)
    batch = 2000
    contexts = {
        "history/time": tf.tile(tf.constant([[0, 0]], tf.int64), [batch, 1]),
        "history/event": tf.ones([batch, 2], tf.int32),
    }
    inputs = tf.zeros([batch, 2, 1])
    layer(inputs)
    layer.set_weights([np.array([[0.0], [1.0], [0.0]]), np.array([[0.0], [10.0]])])
    # gap rows 0 and 1, kind rows 1 and 1
    np.testing.assert_array_equal(layer(inputs, contexts=contexts)[0, :, 0], [10, 11])
    found = layer(inputs, contexts=contexts, training=True)[:, 1, 0].numpy()
    # of each of four outcomes 500 are expected, with a standard deviation of 19
    for outcome in (0, 1, 10, 11):
        assert abs((found == outcome).sum() - 500) < 100


def test_a_tower_that_knows_times_saves_and_reloads(tmp_path):
    tower, history = make_knowing_tower(hide_events=0.3, seed=4), tf.constant(make_history())
    again = UserTower.from_config(tower.get_config())
    again(history)
    tf.train.Checkpoint(tower=tower).write(str(tmp_path / "w"))
    tf.train.Checkpoint(tower=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    assert again.get_config() == tower.get_config()
    assert set(again.reads) == set(tower.reads) == set(KNOWN)
    np.testing.assert_allclose(
        again(history, contexts=KNOWN), tower(history, contexts=KNOWN), atol=1e-6
    )


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_xla_gives_the_same_queries_and_gradients(name):
    tower = make_knowing_tower(name, layers=1, normalize=False)
    history, variables = tf.constant(make_history()), tower.trainable_variables

    def step():
        with tf.GradientTape() as tape:
            queries = tower(history, contexts=KNOWN)
            loss = tf.reduce_sum(queries[..., 0] ** 2)
        return [queries, *tape.gradient(loss, variables)]

    compiled = tf.function(step, jit_compile=True)()
    for plain, fast in zip(step(), compiled, strict=True):
        plain, fast = tf.convert_to_tensor(plain), tf.convert_to_tensor(fast)
        np.testing.assert_allclose(plain, fast, atol=1e-3, rtol=1e-3)
        assert np.abs(plain).max() > 0
