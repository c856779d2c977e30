"""Small encoders that are trained on the catalogue's own media, where no pretrained weights are.

Each knows two things: how to embed an input, and how to make a changed view of it. Two views of the
same item should lie close together (Chen et al., SimCLR, 2020); the training itself is elsewhere.
"""

import warnings

import tensorflow as tf

from tfrs_mm._runtime import import_optional
from tfrs_mm.encoders.base import Encoder
from tfrs_mm.schema import Modality

_PATCH_FRAMES, _NUM_MELS = 187, 96
_BUCKETS = 8192
_WORD_DROPOUT = 0.4


class SmallEncoder(Encoder):
    """An encoder with trainable weights and views to train it on."""

    def view(self, inputs: tf.Tensor) -> tf.Tensor:
        """A randomly changed form of `inputs`, as `embed_view` takes it."""
        raise NotImplementedError

    def embed_view(self, view: tf.Tensor) -> tf.Tensor:
        """`[batch, dim]` of a view, in training."""
        raise NotImplementedError


class SmallImageEncoder(SmallEncoder):
    """Squares of pixels to `[batch, dim]`: a few stages of KerasCV's EfficientNet-Lite."""

    def __init__(self, dim: int, size_px: int, seed: int) -> None:
        super().__init__(name="small_image")
        keras_cv = import_optional("keras_cv")
        self._backbone = keras_cv.models.EfficientNetLiteBackbone(
            stackwise_kernel_sizes=[3, 3, 5],
            stackwise_num_repeats=[1, 1, 1],
            stackwise_input_filters=[32, 16, 24],
            stackwise_output_filters=[16, 24, 48],
            stackwise_expansion_ratios=[1, 4, 4],
            stackwise_strides=[1, 2, 2],
            width_coefficient=1.0,
            depth_coefficient=1.0,
            include_rescaling=False,
            input_shape=(size_px, size_px, 3),
        )
        self._dense = tf.keras.layers.Dense(dim)
        layers = keras_cv.layers
        self._augment = tf.keras.Sequential(
            [
                layers.RandomFlip("horizontal", seed=seed),
                layers.RandomCropAndResize(
                    (size_px, size_px), crop_area_factor=(0.5, 1.0), aspect_ratio_factor=(0.9, 1.1), seed=seed + 1
                ),
            ]
        )
        self.dim = dim
        self.input_spec = tf.TensorSpec([None, size_px, size_px, 3], tf.uint8)
        self._embed(tf.zeros([1, size_px, size_px, 3]), False)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(self._embed(tf.cast(inputs, tf.float32), False), axis=-1)

    def view(self, inputs: tf.Tensor) -> tf.Tensor:
        return self._augment(tf.cast(inputs, tf.float32), training=True)

    def embed_view(self, view: tf.Tensor) -> tf.Tensor:
        return self._embed(view, True)

    def _embed(self, pixels: tf.Tensor, training: bool) -> tf.Tensor:
        maps = self._backbone((pixels - 127.0) / 128.0, training=training)
        return self._dense(tf.reduce_mean(maps, axis=[1, 2]))


class SmallTextEncoder(SmallEncoder):
    """Texts to `[batch, dim]`: words hashed to learned vectors, their mean, one dense layer."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__(name="small_text")
        import tensorflow_text as tf_text

        self._tokenizer = tf_text.UnicodeScriptTokenizer()
        self._fold = tf_text.case_fold_utf8
        self._seed = seed
        self._table = tf.keras.layers.Embedding(_BUCKETS, 2 * dim)
        self._dense = tf.keras.layers.Dense(dim)
        self.dim = dim
        self.input_spec = tf.TensorSpec([None], tf.string)
        self._mean(self._words(tf.constant(["one"])))

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(self._mean(self._words(inputs)), axis=-1)

    def view(self, inputs: tf.Tensor) -> tf.RaggedTensor:
        words = self._words(inputs)
        kept = tf.random.uniform(tf.shape(words.values), seed=self._seed) >= _WORD_DROPOUT
        return tf.ragged.boolean_mask(words, words.with_values(kept))

    def embed_view(self, view: tf.RaggedTensor) -> tf.Tensor:
        return self._mean(view)

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words = self._tokenizer.tokenize(self._fold(texts))
        return words.with_values(tf.strings.to_hash_bucket_fast(words.values, _BUCKETS))

    def _mean(self, words: tf.RaggedTensor) -> tf.Tensor:
        vectors = words.with_values(self._table(words.values))
        total = tf.reduce_sum(vectors, axis=1)
        count = tf.cast(tf.maximum(words.row_lengths(), 1), tf.float32)[:, None]
        return self._dense(total / count)


class SmallAudioEncoder(SmallEncoder):
    """Log-mel patches to `[batch, dim]`: strided convolutions; views by SpecAugment (Park et al., 2019)."""

    def __init__(self, dim: int) -> None:
        super().__init__(name="small_audio")
        with warnings.catch_warnings():
            # Its native library does not load beside this TensorFlow; these two operations are plain Python.
            warnings.simplefilter("ignore")
            self._audio = import_optional("tensorflow_io").audio
        self._layers = [
            tf.keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")
            for filters in (16, 32, 48)
        ]
        self._norm = tf.keras.layers.LayerNormalization()
        self._dense = tf.keras.layers.Dense(dim)
        self.dim = dim
        self.input_spec = tf.TensorSpec([None, _PATCH_FRAMES, _NUM_MELS], tf.float32)
        self.embed_view(tf.zeros([1, _PATCH_FRAMES, _NUM_MELS]))

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(self.embed_view(inputs), axis=-1)

    def view(self, inputs: tf.Tensor) -> tf.Tensor:
        def mask(patch: tf.Tensor) -> tf.Tensor:
            return self._audio.time_mask(self._audio.freq_mask(patch, param=16), param=48)

        return tf.map_fn(mask, inputs)

    def embed_view(self, view: tf.Tensor) -> tf.Tensor:
        maps = self._norm(view)[..., None]
        for layer in self._layers:
            maps = layer(maps)
        # Time is averaged, frequency kept coarse: what sounds where in the spectrum is the timbre.
        coarse = tf.reduce_mean(maps, axis=1)
        return self._dense(tf.reshape(coarse, [-1, coarse.shape[1] * coarse.shape[2]]))


def make_small_encoder(modality: Modality, dim: int, size_px: int, seed: int) -> SmallEncoder:
    """An untrained encoder of one modality; the same seed gives the same weights.

    Args:
        modality: of its inputs; films are embedded by their frames.
        dim: of the embedding.
        size_px: side of a picture or a frame.
        seed: of the weights and the views.
    """
    tf.keras.utils.set_random_seed(seed)
    if modality is Modality.TEXT:
        return SmallTextEncoder(dim, seed)
    if modality is Modality.AUDIO:
        return SmallAudioEncoder(dim)
    return SmallImageEncoder(dim, size_px, seed)
