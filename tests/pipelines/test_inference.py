import dataclasses

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import RunInference
from apache_beam.testing.util import assert_that

from pipelines.inference import EncoderHandler, LoadedEncoder
from pipelines.runners import new_pipeline
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.schema import Modality


@pytest.fixture(scope="module")
def mean_colour(export_encoder, tmp_path_factory) -> EncoderFolder:
    """[batch, 2, 2, 3] pixels to their mean colour; a black picture to NaN."""
    import tensorflow as tf

    def embed(inputs):
        colour = tf.reduce_mean(tf.cast(inputs, tf.float32), axis=[1, 2])
        return colour / tf.sign(tf.reduce_sum(colour, axis=1, keepdims=True))

    return export_encoder(
        tmp_path_factory.mktemp("image"), "image", embed, 3, "uint8", [None, 2, 2, 3]
    )


@pytest.fixture(scope="module")
def text_lengths(export_encoder, tmp_path_factory) -> EncoderFolder:
    """Texts to their own length and that of the longest in their call."""
    import tensorflow as tf

    def embed(inputs):
        lengths = tf.cast(tf.strings.length(inputs), tf.float32)
        return tf.stack([lengths, tf.fill(tf.shape(lengths), tf.reduce_max(lengths))], axis=1)

    return export_encoder(tmp_path_factory.mktemp("text"), "text", embed, 2, "string", [None])


def squares(*levels: int) -> np.ndarray:
    """Pictures of one grey each."""
    return np.stack([np.full([2, 2, 3], level, np.uint8) for level in levels])


def texts(*values: str) -> np.ndarray:
    return np.array([value.encode() for value in values], dtype=object)


def watch_calls(model: LoadedEncoder) -> list[int]:
    """Lets the model note how many inputs each call has."""
    sizes, embed = [], model.embed
    model.embed = lambda inputs: sizes.append(len(inputs)) or embed(inputs)
    return sizes


def test_a_medium_of_several_arrays_gets_their_mean(mean_colour):
    handler = EncoderHandler(mean_colour, batch_size=4)
    answers = handler.run_inference(
        [("a", squares(10, 20, 60)), ("b", squares(7))], handler.load_model()
    )
    assert [key for key, _ in answers] == ["a", "b"]
    # (10 + 20 + 60) / 3 = 30
    np.testing.assert_allclose(
        [embedding for _, embedding in answers], [[30] * 3, [7] * 3], rtol=1e-6
    )
    assert all(embedding.dtype == np.float32 for _, embedding in answers)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_every_call_has_the_same_size(mean_colour, batch_size):
    handler = EncoderHandler(mean_colour, batch_size)
    model = handler.load_model()
    sizes = watch_calls(model)
    answers = handler.run_inference(
        [(0, squares(1, 3)), (1, squares(5, 6, 7)), (2, squares(9, 9))], model
    )
    # means 2, 6 and 9 of 7 arrays
    np.testing.assert_allclose([embedding[0] for _, embedding in answers], [2, 6, 9], rtol=1e-6)
    assert sizes == [batch_size] * -(-7 // batch_size)


def test_what_fills_up_a_batch_reaches_no_answer(mean_colour):
    handler = EncoderHandler(mean_colour, batch_size=8)
    # The encoder answers NaN for the black pictures that fill up.
    ((_, embedding),) = handler.run_inference([(0, squares(50, 70))], handler.load_model())
    np.testing.assert_allclose(embedding, [60, 60, 60], rtol=1e-6)


def test_texts_of_like_length_share_a_call_and_keep_their_keys(text_lengths):
    handler = EncoderHandler(text_lengths, batch_size=2)
    words = {"long": "x" * 90, "short": "ab", "longer": "y" * 95, "none": ""}
    batch = [(key, texts(value)) for key, value in words.items()]
    answers = dict(handler.run_inference(batch, handler.load_model()))
    np.testing.assert_array_equal(answers["short"], [2, 2])
    np.testing.assert_array_equal(answers["none"], [0, 2])
    np.testing.assert_array_equal(answers["long"], [90, 95])


def test_non_latin_text_arrives_as_utf8(text_lengths):
    handler = EncoderHandler(text_lengths, batch_size=1)
    ((_, embedding),) = handler.run_inference([(0, texts("é漢"))], handler.load_model())
    assert embedding[0] == 5  # 2 + 3 bytes


def test_a_medium_without_arrays_is_refused(mean_colour):
    handler = EncoderHandler(mean_colour, batch_size=2)
    with pytest.raises(ValueError, match="at least one array"):
        handler.run_inference([(0, squares(1)), (1, squares(1)[:0])], handler.load_model())


def test_bytes_are_counted_without_pickling(mean_colour, text_lengths):
    assert (
        EncoderHandler(mean_colour, 2).get_num_bytes([(0, squares(1, 2)), (1, squares(3))])
        == 3 * 12
    )
    assert EncoderHandler(text_lengths, 2).get_num_bytes([(0, texts("abc")), (1, texts("d"))]) == 4


@pytest.mark.parametrize(
    "options", [[], ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]]
)
def test_run_inference_loads_the_encoder_once_a_process(mean_colour, monkeypatch, options):
    import tensorflow as tf

    loaded, load = [], tf.saved_model.load
    monkeypatch.setattr(tf.saved_model, "load", lambda path: loaded.append(path) or load(path))
    expected = {n: float(n) for n in range(1, 101)}

    def are_right(answers):
        assert {key: float(embedding[0]) for key, embedding in answers} == expected

    with new_pipeline(options) as pipeline:
        answers = (
            pipeline
            | beam.Create(range(1, 101))
            | beam.Reshuffle()
            | beam.Map(lambda n: (n, squares(n - 1 + n % 2, n + 1 - n % 2)))
            | beam.BatchElements(5, 5)
            | RunInference(EncoderHandler(mean_colour, batch_size=4).with_no_batching())
        )
        assert_that(answers, are_right)
    assert loaded == [mean_colour.path]


def test_a_signature_that_is_no_encoders_is_refused(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    pixels = tf.TensorSpec([None], name="pixels")
    serve = tf.function(lambda pixels: {"out": pixels}, input_signature=[pixels])
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": serve})
    folder = EncoderFolder(str(tmp_path), "x", Modality.IMAGE, 3, "small", "float32", (None,), "0")
    with pytest.raises(ValueError, match="must take 'inputs' and give 'embedding'"):
        LoadedEncoder(folder)


def test_embeddings_of_another_size_are_refused(mean_colour):
    model = LoadedEncoder(dataclasses.replace(mean_colour, dim=5))
    with pytest.raises(ValueError, match=r"\(1, 3\) embeddings instead of \(1, 5\)"):
        model.embed(squares(1))
