"""Target attention: what of a history matters for the very candidate that is looked at, and what of
a candidate matters for the very query.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfrs_mm.fusion import CrossAttentionFusion, ModalityBatch
from tfrs_mm.ranking.features import RankingTables


class TargetAttention(tf.keras.layers.Layer):
    """Sums a history up anew for each candidate.

    Zhou et al., Deep Interest Network for Click-Through Rate Prediction, 2018, equation 3: with
    the embeddings `e_1 ... e_H` of a history and `v_A` of the candidate,

        v_U(A) = sum_j a(e_j, v_A) e_j.

    The activation unit `a` is a network of one hidden layer over both and their product, of `dim`
    units: `a(e, v) = w . relu(E e + V v + W (P e * Q v) + b) + c`. The difference of the two, which
    DIN's own code feeds besides, is linear in them and so already covered. As in the paper the
    weights are no softmax, so that the sum tells how much of a history speaks for a candidate.
    """

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._dim = dim
        self._of_history = tf.keras.layers.Dense(dim, name="of_history")
        self._of_candidate = tf.keras.layers.Dense(dim, use_bias=False, name="of_candidate")
        self._history_factor = tf.keras.layers.Dense(dim, use_bias=False, name="history_factor")
        self._candidate_factor = tf.keras.layers.Dense(dim, use_bias=False, name="candidate_factor")
        self._of_product = tf.keras.layers.Dense(dim, use_bias=False, name="of_product")
        self._weight = tf.keras.layers.Dense(1, name="weight")

    def call(self, candidates: tf.Tensor, history: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        """Vectors are taken at length 1.

        Args:
            candidates: `[batch, k, dim]`.
            history: `[batch, time, dim]`.
            valid: `[batch, k, time]` bool, or `[batch, 1, time]`: which pairs count.

        Returns:
            `[batch, k, dim + 1]`: the sum, and its inner product with the candidate; zeros where
            no pair counts.
        """
        candidates = tf.math.l2_normalize(candidates, axis=-1)
        history = tf.math.l2_normalize(history, axis=-1)
        product = (
            self._candidate_factor(candidates)[:, :, None, :]
            * self._history_factor(history)[:, None, :, :]
        )
        hidden = tf.nn.relu(
            self._of_product(product)
            + self._of_candidate(candidates)[:, :, None, :]
            + self._of_history(history)[:, None, :, :]
        )
        weights = tf.where(valid, tf.squeeze(self._weight(hidden), axis=-1), 0.0)
        summed = tf.matmul(weights, history)
        return tf.concat([summed, tf.reduce_sum(summed * candidates, -1, keepdims=True)], axis=-1)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"dim": self._dim}


def attend_history(
    layers: Sequence[TargetAttention],
    tables: RankingTables,
    candidates: tf.Tensor,
    history: tf.Tensor,
) -> list[tf.Tensor]:
    """What each layer says, the one over item vectors first, those of the modalities behind it.

    Args:
        layers: none, one, or one and one for each modality.
        tables: of the items.
        candidates: `[batch, k]` int32.
        history: `[batch, time]` int32, padded with 0.

    Returns:
        `[batch, k, dim + 1]` of each.
    """
    known = (history > 0)[:, None, :]
    attended = []
    if layers:
        vectors = [tf.gather(tables.item_vectors, rows) for rows in (candidates, history)]
        attended.append(layers[0](*vectors, known))
    if layers[1:]:
        values = [tf.gather(tables.modality_vectors, rows) for rows in (candidates, history)]
        present = [tf.gather(tables.present, rows) for rows in (candidates, history)]
        for place, layer in enumerate(layers[1:]):
            both = present[0][:, :, None, place] & present[1][:, None, :, place]
            attended.append(layer(values[0][:, :, place], values[1][:, :, place], both & known))
    return attended


def attend_modalities(
    fusion: CrossAttentionFusion, tables: RankingTables, queries: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Each candidate's modalities as its query looks at them.

    Args:
        fusion: the layer.
        tables: of the items.
        queries: `[batch, dim]`.
        candidates: `[batch, k]` int32.

    Returns:
        `[batch, k, fusion_dim]`.
    """
    shape, size = tf.shape(candidates), queries.shape[-1]
    rows = tf.reshape(candidates, [-1])
    modalities = ModalityBatch(
        tf.gather(tables.modality_vectors, rows), tf.gather(tables.present, rows)
    )
    asked = tf.broadcast_to(queries[:, None, :], [shape[0], shape[1], size])
    fused = fusion(modalities, tf.reshape(asked, [-1, size]))
    return tf.reshape(fused, [shape[0], shape[1], fused.shape[-1]])
