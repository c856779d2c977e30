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
    an item that was never met (Volkovs et al., DropoutNet, 2017).
    """

    def __init__(self, size: int, dim: int, hide: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._settings = {"size": size, "dim": dim, "hide": hide, "seed": seed}
        self._hide, self._seed = hide, seed
        self._table = tf.keras.layers.Embedding(
            size,
            dim,
            embeddings_initializer=tf.keras.initializers.RandomNormal(stddev=0.1 * dim**-0.5),
        )

    def call(self, rows: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`[batch]` integer rows to `[batch, dim]`."""
        if training and self._hide > 0:
            drawn = tf.random.uniform(tf.shape(rows), seed=self._seed)
            rows = tf.where(drawn >= self._hide, rows, tf.zeros_like(rows))
        return self._table(rows)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | self._settings
