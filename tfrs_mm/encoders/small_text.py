"""A small text encoder to train on the catalogue: a bag of hashed words, rare ones weigh more."""

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.trainable import TrainableEncoder, draw_kernels

_BUCKETS = 1 << 13
_WIDTH = 64
_KEPT_WORDS = 0.5  # share of a text's words that a view keeps


class SmallTextEncoder(TrainableEncoder):
    """`[batch]` string to `[batch, dim]`; words are split in the graph."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__(dim, tf.TensorSpec([None], tf.string), "small_text")
        import tensorflow_text as tf_text

        self._fold, self._tokenizer = tf_text.case_fold_utf8, tf_text.UnicodeScriptTokenizer()
        words = np.random.default_rng(seed).normal(0.0, 1.0, [_BUCKETS, _WIDTH])
        self._words = tf.Variable(words.astype(np.float32), name="words")
        self._rarity = tf.Variable(tf.ones([_BUCKETS]), trainable=False, name="rarity")
        self._head = tf.keras.layers.Dense(dim)
        self._head.build([None, _WIDTH])
        draw_kernels(self._head.trainable_variables, seed + 1)
        self._generator = tf.random.Generator.from_seed(seed)

    def prepare(self, inputs: tf.Tensor) -> tf.RaggedTensor:
        words = self._tokenizer.tokenize(self._fold(inputs))
        return tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, words, _BUCKETS)

    def count(self, inputs: tf.Tensor) -> None:
        """Inverse document frequency, without which articles and prepositions drown the rest."""
        words = self.prepare(inputs)
        texts = np.unique(
            np.stack([words.value_rowids().numpy(), words.flat_values.numpy()]), axis=1
        )
        frequency = np.bincount(texts[1], minlength=_BUCKETS)
        rarity = np.log((1.0 + words.nrows().numpy()) / (1.0 + frequency))
        self._rarity.assign(rarity.astype(np.float32))

    def view(self, prepared: tf.RaggedTensor) -> tf.RaggedTensor:
        drawn = self._generator.uniform(tf.shape(prepared.flat_values))
        return tf.ragged.boolean_mask(prepared, prepared.with_flat_values(drawn < _KEPT_WORDS))

    def features(self, prepared: tf.RaggedTensor, training: bool) -> tf.Tensor:
        weights = tf.gather(self._rarity, prepared.flat_values)
        vectors = tf.gather(self._words, prepared.flat_values) * weights[:, None]
        total = tf.reduce_sum(prepared.with_flat_values(vectors), axis=1)
        # As long as the sum of independent words is on average: short and long texts come out
        # alike.
        squares = tf.reduce_sum(prepared.with_flat_values(tf.square(weights)), axis=1)
        return self._head(tf.math.divide_no_nan(total, tf.sqrt(squares)[:, None]))
