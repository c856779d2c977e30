import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.ranking.heads import BALANCES, MultiTaskHeads, utility


def test_heads_are_gated_mixtures_of_shared_experts():
    heads = MultiTaskHeads(num_tasks=2, experts=3, expert_dim=4)
    inputs = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    assert not heads(inputs).numpy().any()  # towers start at zero
    for place, variable in enumerate(heads.trainable_variables):
        variable.assign(tf.random.stateless_normal(variable.shape, [place, 1]))
    weights = {w.name.split("/", 1)[-1]: w.numpy() for w in heads.weights}
    found = heads(inputs).numpy()
    towers = next(value for name, value in weights.items() if "towers" in name)
    bias = heads.bias.numpy()
    for place in np.ndindex(2, 3):
        x = inputs[place]
        experts = np.maximum(x @ weights["experts/kernel:0"] + weights["experts/bias:0"], 0)
        experts = experts.reshape(3, 4)
        gates = np.exp(x @ weights["gates/kernel:0"]).reshape(2, 3)
        gates /= gates.sum(axis=1, keepdims=True)
        for task in range(2):
            wanted = sum(gates[task, i] * experts[i] for i in range(3)) @ towers[task] + bias[task]
            np.testing.assert_allclose(found[place][task], wanted, rtol=1e-4, atol=1e-4)


def test_fixed_weights_mean_the_losses():
    # weights 1 and 3: (2 + 3 * 6) / 4
    np.testing.assert_allclose(BALANCES["fixed"]([1.0, 3.0])(tf.constant([2.0, 6.0])), 5.0)


def test_uncertainty_finds_the_variance_that_each_loss_deserves():
    balance = BALANCES["uncertainty"]([1.0, 1.0])
    losses = tf.constant([0.5, 4.0])
    np.testing.assert_allclose(balance(losses), 4.5)  # variances of 1 at the start
    optimizer = tf.keras.optimizers.legacy.SGD(0.2)
    for _ in range(100):
        optimizer.minimize(lambda: balance(losses), balance.trainable_variables)
    # d/ds (exp(-s) L + s / 2) = 0 at exp(s) = 2 L
    np.testing.assert_allclose(np.exp(balance.trainable_variables[0]), [1.0, 8.0], rtol=0.01)


def test_utility_is_the_mean_of_logits_by_weight():
    # (1 * 2 + 3 * 6) / 4
    np.testing.assert_allclose(utility(tf.constant([[2.0, 6.0]]), (1.0, 3.0)), [5.0])


@pytest.mark.parametrize("name", sorted(BALANCES))
def test_they_save_and_reload(name, tmp_path):
    inputs = tf.random.stateless_normal([2, 3, 5], [1, 2])

    def build():
        heads, balance = MultiTaskHeads(2, 2, 3), BALANCES[name]([1.0, 2.0])
        return heads, balance, lambda: balance(tf.reduce_mean(heads(inputs), axis=[0, 1]))

    heads, balance, ask = build()
    ask()
    for place, variable in enumerate(heads.trainable_variables + balance.trainable_variables):
        variable.assign(tf.random.stateless_normal(variable.shape, [place, 1]))
    tf.train.Checkpoint(heads=heads, balance=balance).write(str(tmp_path / "w"))
    again, other, ask_again = build()
    ask_again()
    restored = tf.train.Checkpoint(heads=again, balance=other).read(str(tmp_path / "w"))
    restored.assert_existing_objects_matched()
    np.testing.assert_array_equal(ask_again(), ask())
