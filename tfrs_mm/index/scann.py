"""The approximate index: TensorFlow Recommenders' ScaNN layer behind the contract of every index.

It fetches more than asked for and then leaves out the excluded rows, because ScaNN's operations
take no filter. A list may come back short where nearly all that was fetched is excluded.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrs_mm._runtime import import_optional
from tfrs_mm.errors import UserError
from tfrs_mm.index.base import TopKRows, take_best

# From ScaNN's own guide: partition from this size on, about sqrt(n) leaves.
_PARTITION_FROM = 100_000
_MINIMUM = 16  # asymmetric hashing learns 16 centres a block


class ScannIndex(tf.Module):
    """Searches by asymmetric hashing (Guo et al., 2020), with exact re-scoring of what it found."""

    def __init__(
        self,
        item_vectors: np.ndarray | tf.Tensor,
        fetch: int,
        leaves: int = 0,
        leaves_to_search: int = 0,
        reordering: int = 0,
    ) -> None:
        """Builds the index.

        Args:
            item_vectors: `[items + 1, dim]`; row 0 is not indexed.
            fetch: neighbours fetched for a query, exclusions included.
            leaves: partitions of the corpus; 0 chooses by its size.
            leaves_to_search: partitions searched for a query; 0 chooses a tenth, or all of few.
            reordering: neighbours re-scored exactly; 0 chooses four times `fetch`.

        Raises:
            MissingExtraError: ScaNN is not installed; names the extra.
            UserError: the corpus is too small to learn the hashing.
        """
        super().__init__()
        import_optional("scann")
        corpus = tf.convert_to_tensor(item_vectors)[1:]
        size = corpus.shape[0]
        if size < _MINIMUM:
            raise UserError(
                f"`index.kind` is scann, but the corpus has {size} items and ScaNN needs "
                f"{_MINIMUM}. Choose the exact index, which is faster for so few."
            )
        leaves = leaves or (round(math.sqrt(size)) if size >= _PARTITION_FROM else 1)
        searched = leaves_to_search or max(leaves // 10, min(leaves, 10))
        self._fetch = min(fetch, size)
        self._layer = tfrs.layers.factorized_top_k.ScaNN(
            k=self._fetch,
            distance_measure="dot_product",
            num_leaves=leaves,
            num_leaves_to_search=searched,
            num_reordering_candidates=min(reordering or 4 * fetch, size),
        )
        self._layer.index(corpus, tf.range(1, size + 1, dtype=tf.int32))

    def search(self, queries: tf.Tensor, excluded: tf.Tensor, k: int) -> TopKRows:
        """See `TopKIndex.search`."""
        scores, rows = self._layer(queries, k=self._fetch)
        rows, scores = (
            tf.ensure_shape(rows, [None, self._fetch]),
            tf.ensure_shape(scores, [None, self._fetch]),
        )
        return take_best(rows, scores, excluded, k)
