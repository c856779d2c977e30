"""Several query vectors for one user, and what an item scores with them: its largest inner product.

Weston et al., Nonlinear latent factorization by embedding multiple user interests, 2013, section 2:
`f(u, i) = max_k <q_k, v_i>`, for positives as for negatives. Each vector is drawn from the history
by its own attention, as in ComiRec (Cen et al., Controllable multi-interest framework for
recommendation, 2020), section 3.2, the self-attentive method.

Where there is one interest, queries have no axis for it.
"""

import tensorflow as tf


class Interests(tf.keras.layers.Layer):
    """Reads each place of a sequence once for every interest.

    Interest k of place t is `h_t + sum_i a_ki V_k h_i` over the places `i <= t`, where `a_k` is the
    softmax over these of `w_k tanh(W h_i)`.
    """

    def __init__(self, dim: int, interests: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._dim, self._interests = dim, interests
        self._hidden = tf.keras.layers.Dense(dim, activation="tanh", use_bias=False)
        self._attend = tf.keras.layers.Dense(interests, use_bias=False)
        self._values = tf.keras.layers.Dense(dim * interests, use_bias=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`[batch, time, dim]` to `[batch, time, interests, dim]`; place t knows places 0 to t."""
        time = inputs.shape[1]
        logits = tf.transpose(self._attend(self._hidden(inputs)), [0, 2, 1])[:, :, None, :]
        is_before = tf.range(time)[:, None] >= tf.range(time)[None, :]
        weights = tf.nn.softmax(tf.where(is_before, logits, -1e9))
        values = tf.reshape(self._values(inputs), [-1, time, self._interests, self._dim])
        return inputs[:, :, None, :] + tf.einsum("bkti,bikd->btkd", weights, values)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"dim": self._dim, "interests": self._interests}


def best_interest(queries: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """For each candidate of a query the interest that it scores with.

    Args:
        queries: `[batch, dim]` or `[batch, interests, dim]`.
        vectors: `[batch, k, dim]`.

    Returns:
        `[batch, k, dim]`.
    """
    if queries.shape.rank == 2:
        return tf.broadcast_to(queries[:, None, :], tf.shape(vectors))
    scores = tf.einsum("bid,bkd->bki", queries, vectors)
    return tf.gather(queries, tf.argmax(scores, axis=-1), batch_dims=1)
