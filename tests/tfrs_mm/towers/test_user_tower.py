import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.towers import SEQUENCES, UserTower, last_place
from tfrs_mm.towers.pooling import CausalMean
from tfrs_mm.towers.recurrent import CausalGru

DIM, MAX_HISTORY = 8, 5
VARIANTS = {
    **{name: {"kind": name} for name in SEQUENCES},
    "recency": {"kind": "mean", "half_life": 2.0},
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
    assert expected.shape == (1, MAX_HISTORY + 1, DIM)
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


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_xla_gives_the_same_queries_and_gradients(name):
    tower, history = make_tower(name, layers=1, normalize=False), tf.constant(make_history(2))
    tower(history)

    def step():
        with tf.GradientTape() as tape:
            queries = tower(history)
            loss = tf.reduce_sum(queries[:, :, 0] ** 2)
        return [queries, *tape.gradient(loss, tower.trainable_variables)]

    compiled = tf.function(step, jit_compile=True)()
    for plain, fast in zip(step(), compiled, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(plain), tf.convert_to_tensor(fast), atol=1e-3, rtol=1e-3
        )


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
