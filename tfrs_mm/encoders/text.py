"""all-MiniLM-L6-v2: a six-layer BERT whose mean over the tokens is a sentence's embedding.

The tokenizer is in the graph. It differs from the reference tokenizer on full-width letters,
ligatures, U+FFFD and a literal "[MASK]" only. Wang et al., MiniLM, 2020; Reimers and Gurevych,
Sentence-BERT, 2019.
"""

import os
import pathlib

import numpy as np
import tensorflow as tf

from tfrs_mm.encoders.base import Encoder
from tfrs_mm.encoders.safetensors import read_safetensors

_CLS, _SEP, _PAD = 101, 102, 0
_MAX_TOKENS = 256
_HEADS = 12
_EPSILON = 1e-12


class MiniLmTextEncoder(Encoder):
    """Texts to unit vectors, `[batch]` string to `[batch, 384]`."""

    def __init__(self, model_dir: str | os.PathLike[str]) -> None:
        """Reads `model.safetensors` and `vocab.txt` of `model_dir`."""
        super().__init__(name="minilm")
        import tensorflow_text as tf_text

        folder = pathlib.Path(model_dir)
        tensors = read_safetensors(folder / "model.safetensors")
        vocabulary = (folder / "vocab.txt").read_text("utf-8").splitlines()
        self._tokenizer = tf_text.FastBertTokenizer(
            vocabulary, token_out_type=tf.int32, lower_case_nfd_strip_accents=True
        )
        # torch stores a dense kernel as [out, in].
        self._weights = {
            name: tf.Variable(
                value.T if name.endswith(".weight") and _is_kernel(name) else value,
                trainable=False, name=name.replace(".", "_"),
            )
            for name, value in tensors.items()
            if value.dtype == np.float32 and not name.startswith("pooler.")
        }  # fmt: skip
        blocks = {name.split(".")[2] for name in self._weights if name.startswith("encoder.layer.")}
        self._layers = len(blocks)
        self.dim = int(self._weights["embeddings.word_embeddings.weight"].shape[1])
        self.input_spec = tf.TensorSpec([None], tf.string)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        tokens = self.tokenize(inputs)
        states = self._embed(tokens)
        is_token = tf.cast(tokens != _PAD, tf.float32)
        # Far below every logit, and finite: a padded key then has weight 0.
        penalty = (1.0 - is_token)[:, None, None, :] * -1e9
        for layer in range(self._layers):
            states = self._layer(states, penalty, f"encoder.layer.{layer}.")
        total = tf.reduce_sum(states * is_token[..., None], axis=1)
        return tf.math.l2_normalize(total, axis=1)  # the mean's length does not matter

    def tokenize(self, texts: tf.Tensor) -> tf.Tensor:
        """`[batch, tokens]` int32: [CLS], words, [SEP], padded to the longest, at most 256."""
        words = self._tokenizer.tokenize(texts)[:, : _MAX_TOKENS - 2]
        rows = tf.shape(texts)[0]
        cls, sep = tf.fill([rows, 1], _CLS), tf.fill([rows, 1], _SEP)
        return tf.concat([cls, words, sep], axis=1).to_tensor(_PAD)

    def _embed(self, tokens: tf.Tensor) -> tf.Tensor:
        words = tf.gather(self._weights["embeddings.word_embeddings.weight"], tokens)
        positions = self._weights["embeddings.position_embeddings.weight"][: tf.shape(tokens)[1]]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._normalize(words + positions + kind, "embeddings.LayerNorm")

    def _layer(self, states: tf.Tensor, penalty: tf.Tensor, prefix: str) -> tf.Tensor:
        """A Transformer block, normalised after each part; `penalty` is `[batch, 1, 1, tokens]`."""
        query, key, value = (
            self._split_heads(self._dense(states, f"{prefix}attention.self.{part}"))
            for part in ("query", "key", "value")
        )
        scale = (self.dim // _HEADS) ** -0.5
        attention = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * scale + penalty)
        mixed = tf.transpose(tf.matmul(attention, value), [0, 2, 1, 3])
        mixed = tf.reshape(mixed, tf.shape(states))
        mixed = self._dense(mixed, f"{prefix}attention.output.dense")
        states = self._normalize(states + mixed, f"{prefix}attention.output.LayerNorm")
        hidden = tf.nn.gelu(self._dense(states, f"{prefix}intermediate.dense"), approximate=False)
        hidden = self._dense(hidden, f"{prefix}output.dense")
        return self._normalize(states + hidden, f"{prefix}output.LayerNorm")

    def _split_heads(self, states: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(states)
        heads = tf.reshape(states, [shape[0], shape[1], _HEADS, self.dim // _HEADS])
        return tf.transpose(heads, [0, 2, 1, 3])

    def _dense(self, states: tf.Tensor, name: str) -> tf.Tensor:
        return (
            tf.tensordot(states, self._weights[f"{name}.weight"], 1) + self._weights[f"{name}.bias"]
        )

    def _normalize(self, states: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(states, axes=[-1], keepdims=True)
        scale, offset = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return (states - mean) * tf.math.rsqrt(variance + _EPSILON) * scale + offset


def _is_kernel(name: str) -> bool:
    return ".dense." in name or ".attention.self." in name
