"""Ids and categories as vectors."""

import tensorflow as tf


class CategoryEmbedding(tf.keras.layers.Layer):
    """The mean embedding of an item's values in one category column; zeros where it has none."""

    def __init__(self, size: int, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._size, self._dim = size, dim
        self._table = tf.keras.layers.Embedding(
            size, dim, embeddings_initializer=tf.keras.initializers.RandomNormal(stddev=dim**-0.5)
        )

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        """`[..., width]` integer rows, 0 for none, to `[..., dim]`."""
        known = tf.cast(rows > 0, self.compute_dtype)[..., None]
        return tf.math.divide_no_nan(
            tf.reduce_sum(self._table(rows) * known, axis=-2), tf.reduce_sum(known, axis=-2)
        )

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"size": self._size, "dim": self._dim}


class IdEmbedding(tf.keras.layers.Layer):
    """A vector for each row; in training a share of rows is hidden as row 0.

    Row 0 is what an item looks like whose id says nothing: with it learned, content alone can carry
    an item that was never met (Volkovs et al., DropoutNet, 2017). Of several such rows, behind all
    others, each hidden one is shown as any of them, so that all are learned.
    """

    def __init__(
        self, size: int, dim: int, hide: float, seed: int, oov_rows: int = 0, **kwargs: object
    ) -> None:
        """Makes the table.

        Args:
            size: of the vocabulary, row 0 included.
            dim: of a vector.
            hide: share of rows hidden in training.
            seed: of the hiding.
            oov_rows: rows from `size` on for ids that are unknown; with 0 that is row 0.
            **kwargs: Keras's own.
        """
        super().__init__(**kwargs)
        self._settings = {
            "size": size, "dim": dim, "hide": hide, "seed": seed, "oov_rows": oov_rows,
        }  # fmt: skip
        self._size, self._hide, self._seed, self._oov_rows = size, hide, seed, oov_rows
        self._table = tf.keras.layers.Embedding(
            size + oov_rows,
            dim,
            embeddings_initializer=tf.keras.initializers.RandomNormal(stddev=0.1 * dim**-0.5),
        )

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[batch]` integer rows to `[batch, dim]`."""
        if training and self._hide > 0:
            drawn = tf.random.uniform(tf.shape(rows), seed=self._seed)
            hidden = tf.zeros_like(rows)
            if self._oov_rows:
                hidden = tf.random.uniform(
                    tf.shape(rows), self._size, self._size + self._oov_rows, rows.dtype,
                    seed=self._seed + 3,
                )  # fmt: skip
            rows = tf.where(drawn >= self._hide, rows, hidden)
        return self._table(rows)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
