"""Lists that do not repeat themselves: re-rankers that trade relevance for variety, step by step.

Both pick greedily from a list that is ordered best first, such as `TopKRows`, and know two things
of a candidate: its relevance, the score brought between 0 and 1 within its list, and its vector. A
`diversity` of 0 gives back the list's own order, whatever the scores; with 1 relevance counts for
nothing. Core TensorFlow operations of static shapes only, so both serve and compile with XLA.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfrs_mm.index import TopKRows

# A conditional variance below it is that of a copy of what is chosen: its logarithm is bounded, and
# nothing is divided by it.
_SMALLEST = 1e-6

# From what is picked, `[batch]` places, and the state to the penalty of every candidate and the
# next state.
_Penalise = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Diversifier(NamedTuple):
    """A re-ranker and how much it varies.

    Attributes:
        pick: `mmr` or `dpp`.
        diversity: from 0 to 1, of a request that does not say.
    """

    pick: Callable[[TopKRows, tf.Tensor, tf.Tensor | float, int], TopKRows]
    diversity: float


def mmr(ranked: TopKRows, vectors: tf.Tensor, diversity: tf.Tensor | float, k: int) -> TopKRows:
    """Maximal marginal relevance: each pick is relevant and unlike its nearest among those before.

    Carbonell and Goldstein, The Use of MMR, 1998, with `lambda = 1 - diversity`:

        argmax_i  (1 - diversity) relevance_i - diversity max_{j picked} cosine(i, j)

    Args:
        ranked: `[batch, n]`, best first; empty places are never picked.
        vectors: `[batch, n, dim]` of the candidates, taken at length 1; zeros are like nothing.
        diversity: from 0 to 1; one number, or `[batch]` for each list its own.
        k: how many to pick, at most n; a static number.

    Returns:
        `[batch, k]` in the order of picking, with the scores that the candidates had.
    """
    cosines = _cosines(vectors)

    def penalise(
        picked: tf.Tensor, step: tf.Tensor, nearest: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        similar = tf.gather(cosines, picked, axis=1, batch_dims=1)
        nearest = tf.where(step == 0, similar, tf.maximum(nearest, similar))
        return nearest, nearest

    return _pick(ranked, diversity, k, penalise, tf.zeros_like(cosines[:, 0]))


def dpp(ranked: TopKRows, vectors: tf.Tensor, diversity: tf.Tensor | float, k: int) -> TopKRows:
    """Greedy maximum a posteriori of a determinantal point process: picks that span much volume.

    Chen et al., Fast Greedy MAP Inference for Determinantal Point Process to Improve
    Recommendation Diversity, 2018, algorithm 1 on the kernel of equation 7, with
    `theta = 1 - diversity`:

        theta sum_i relevance_i + (1 - theta) log det S

    grows by `theta relevance_i + (1 - theta) log d_i^2`, where `d_i^2 = 1 - |c_i|^2` is what of
    candidate `i` none of the picks explains, and `c_i` its row of the Cholesky factor of `S`.
    Unlike `mmr` it counts how like all picks together a candidate is.

    Args:
        ranked: `[batch, n]`, best first; empty places are never picked.
        vectors: `[batch, n, dim]` of the candidates, taken at length 1; a candidate without a
            vector, zeros, is like nothing.
        diversity: from 0 to 1; one number, or `[batch]` for each list its own.
        k: how many to pick, at most n; a static number.

    Returns:
        `[batch, k]` in the order of picking, with the scores that the candidates had.
    """
    size = ranked.rows.shape[1]
    cosines = tf.linalg.set_diag(_cosines(vectors), tf.ones_like(ranked.scores))

    def penalise(
        picked: tf.Tensor, step: tf.Tensor, factor: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        of_picked = tf.gather(factor, picked, axis=1, batch_dims=1)
        left = tf.maximum(1.0 - tf.reduce_sum(of_picked**2, axis=-1), _SMALLEST)
        explained = tf.einsum("bnk,bk->bn", factor, of_picked)
        column = tf.gather(cosines, picked, axis=1, batch_dims=1) - explained
        column /= tf.sqrt(left)[:, None]
        factor += column[..., None] * tf.one_hot(step, k)
        variance = tf.maximum(1.0 - tf.reduce_sum(factor**2, axis=-1), _SMALLEST)
        return -tf.math.log(variance), factor

    return _pick(ranked, diversity, k, penalise, tf.zeros([tf.shape(cosines)[0], size, k]))


def _pick(
    ranked: TopKRows,
    diversity: tf.Tensor | float,
    k: int,
    penalise: _Penalise,
    state: tf.Tensor,
) -> TopKRows:
    """Picks k times the candidate with the best mixture of relevance and penalty."""
    size = ranked.rows.shape[1]
    if not 1 <= k <= size:
        raise ValueError(f"`k` must be from 1 to the {size} candidates of a list, received {k}.")
    weight = tf.reshape(tf.cast(diversity, tf.float32), [-1, 1])
    relevance = (1.0 - weight) * _relevance(ranked)
    free = ranked.rows > 0

    def step(
        number: tf.Tensor,
        picks: tf.Tensor,
        free: tf.Tensor,
        penalty: tf.Tensor,
        state: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        gain = tf.where(free, relevance - weight * penalty, float("-inf"))
        # Of equals the first one is taken: the better one of the list. Where nothing is left, that
        # is one that was picked before, and the place is emptied below.
        picked = tf.argmax(gain, axis=1, output_type=tf.int32)
        some = tf.reduce_any(free, axis=1)
        picks += tf.where(some, picked + 1, 0)[:, None] * tf.one_hot(number, k, dtype=tf.int32)
        free &= ~tf.one_hot(picked, size, on_value=True, off_value=False)
        penalty, state = penalise(picked, number, state)
        return number + 1, picks, free, penalty, state

    start = (0, tf.zeros_like(ranked.rows[:, :k]), free, tf.zeros_like(relevance), state)
    _, picks, *_ = tf.while_loop(lambda number, *_: number < k, step, start, maximum_iterations=k)
    places = tf.maximum(picks - 1, 0)
    rows = tf.gather(ranked.rows, places, batch_dims=1)
    scores = tf.gather(ranked.scores, places, batch_dims=1)
    return TopKRows(tf.where(picks > 0, rows, 0), tf.where(picks > 0, scores, float("-inf")))


def _relevance(ranked: TopKRows) -> tf.Tensor:
    """Scores between 0 and 1 within their list, in the same order; 0 where all are equal."""
    filled = ranked.rows > 0
    lowest = tf.reduce_min(tf.where(filled, ranked.scores, float("inf")), 1, keepdims=True)
    highest = tf.reduce_max(tf.where(filled, ranked.scores, float("-inf")), 1, keepdims=True)
    scores = tf.where(filled, ranked.scores, lowest)
    return tf.where(filled, tf.math.divide_no_nan(scores - lowest, highest - lowest), 0.0)


def _cosines(vectors: tf.Tensor) -> tf.Tensor:
    """`[batch, n, n]`."""
    vectors = tf.math.l2_normalize(vectors, axis=-1)
    return tf.matmul(vectors, vectors, transpose_b=True)
