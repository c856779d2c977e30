"""Several tasks over one network: shared experts, a head for each task, one utility of all."""

from collections.abc import Callable, Sequence

import tensorflow as tf


class MultiTaskHeads(tf.keras.layers.Layer):
    """A correction to retrieval's score for each task, from experts that all tasks share.

    Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts, 2018, equations 6 and 7: with expert networks `f_i` and a gate for each
    task `t`,

        g_t(x) = softmax(W_t x),    y_t = h_t(sum_i g_t(x)_i f_i(x)).

    An expert is one layer of rectified units, a tower `h_t` is linear and starts at zero.

    Attributes:
        bias: `[tasks]`, of the towers.
    """

    def __init__(self, num_tasks: int, experts: int, expert_dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._settings = {"num_tasks": num_tasks, "experts": experts, "expert_dim": expert_dim}
        # All experts as one product, and all gates as another.
        self._experts = tf.keras.layers.Dense(experts * expert_dim, "relu", name="experts")
        self._gates = tf.keras.layers.Dense(num_tasks * experts, use_bias=False, name="gates")

    def build(self, input_shape: tf.TensorShape) -> None:
        tasks, dim = self._settings["num_tasks"], self._settings["expert_dim"]
        self._towers = self.add_weight("towers", (tasks, dim), initializer="zeros")
        self.bias = self.add_weight("bias", (tasks,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`[batch, k, dim]` to `[batch, k, tasks]`."""
        tasks, experts, dim = self._settings.values()
        lead = tf.shape(inputs)[:2]
        outputs = tf.reshape(self._experts(inputs), tf.concat([lead, [experts, dim]], axis=0))
        gates = tf.reshape(self._gates(inputs), tf.concat([lead, [tasks, experts]], axis=0))
        mixed = tf.matmul(tf.nn.softmax(gates, axis=-1), outputs)
        return tf.reduce_sum(mixed * self._towers, axis=-1) + self.bias

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings


class FixedBalance(tf.keras.layers.Layer):
    """The mean of the tasks' losses by the weights that they have in the utility."""

    def __init__(self, weights: Sequence[float], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._shares = shares_of(weights)

    def call(self, losses: tf.Tensor) -> tf.Tensor:
        """`[tasks]` to one number."""
        return tf.reduce_sum(tf.constant(self._shares, tf.float32) * losses)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"weights": self._shares}


class UncertaintyBalance(tf.keras.layers.Layer):
    """Losses weighed by how certain their tasks can be, which is learnt with all else.

    Kendall, Gal and Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, 2018, section
    3.2, for likelihoods of classes: `sum_t exp(-s_t) L_t + s_t / 2` with `s_t` the logarithm of the
    task's variance. A task whose loss stays large gets a large variance, and counts for less.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        self._log_variance = self.add_weight(
            "log_variance", (input_shape[-1],), initializer="zeros"
        )
        super().build(input_shape)

    def call(self, losses: tf.Tensor) -> tf.Tensor:
        """`[tasks]` to one number, which may be negative."""
        return tf.reduce_sum(tf.exp(-self._log_variance) * losses + self._log_variance / 2)


BALANCES: dict[str, Callable[[Sequence[float]], tf.keras.layers.Layer]] = {
    "fixed": FixedBalance,
    "uncertainty": lambda weights: UncertaintyBalance(),
}


def utility(logits: tf.Tensor, weights: Sequence[float]) -> tf.Tensor:
    """One score of all tasks: the mean of their logits by weight.

    It is the logarithm of the weighted geometric mean of the tasks' odds, so that a candidate must
    be good for each task that counts (weighted multiplication; Zhao et al., Recommending What Video
    to Watch Next, 2019, section 4.2), and untrained heads keep the order of retrieval.

    Args:
        logits: `[..., tasks]`.
        weights: of the tasks, above 0.

    Returns:
        `[...]`.
    """
    return tf.reduce_sum(logits * tf.constant(shares_of(weights), logits.dtype), axis=-1)


def shares_of(weights: Sequence[float]) -> list[float]:
    """Weights that sum up to 1."""
    return [weight / sum(weights) for weight in weights]
