import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.encoders import MiniLmTextEncoder, export_encoder
from tfrs_mm.schema import Modality
from tfrs_mm.weights import find_weights

# Full-width letters and ligatures; dotted capital I and capital sharp s; U+FFFD; a literal
# "[MASK]".
TOKENISED_OTHERWISE = ("Ｆｕｌｌｗｉｄｔｈ", "İstanbul", "\x00ctrl", "[CLS] literal")


@pytest.fixture(scope="module")
def encoder(weights_dir):
    found = find_weights(weights_dir)
    if "minilm" not in found:
        pytest.skip(f"no weights of minilm in {weights_dir}")
    return MiniLmTextEncoder(found["minilm"])


def test_embeddings_agree_with_an_independent_implementation(encoder, shared_dir):
    reference = np.load(shared_dir / "reference" / "minilm.npz")
    texts = [str(text) for text in reference["texts"]]
    compared = [i for i, text in enumerate(texts) if not text.startswith(TOKENISED_OTHERWISE)]
    assert len(compared) == len(texts) - 4
    embeddings = encoder(tf.constant(texts)).numpy()
    assert np.abs(embeddings - reference["embeddings"])[compared].max() < 1e-3


def test_what_it_means_decides_what_is_near(encoder):
    texts = [
        "a cat sleeps on the sofa",
        "the kitten naps on a couch",
        "quarterly tax returns are due",
    ]
    cosines = encoder(tf.constant(texts)).numpy() @ encoder(tf.constant(texts)).numpy().T
    assert cosines[0, 1] > 0.5 > 0.2 > cosines[0, 2]


def test_a_text_does_not_depend_on_its_batch(encoder):
    texts = tf.constant(["short", "a much longer text " * 30, ""])
    alone = np.concatenate([encoder(texts[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(encoder(texts), alone, atol=1e-5)


def test_tokens_are_bracketed_cut_and_padded(encoder):
    tokens = encoder.tokenize(tf.constant(["hello world", "word " * 400, ""])).numpy()
    assert tokens.shape == (3, 256)
    np.testing.assert_array_equal(
        tokens[0, :5], [101, 7592, 2088, 102, 0]
    )  # [CLS] hello world [SEP] [PAD]
    assert tokens[1, 0] == 101 and tokens[1, 255] == 102
    np.testing.assert_array_equal(tokens[2, :3], [101, 102, 0])


def test_bytes_that_are_no_text_have_an_embedding(encoder):
    embeddings = encoder(tf.constant([b"caf\xe9 \xff\xfe", b"\xf0\x9f"])).numpy()
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)


def test_the_exported_encoder_gives_the_same(encoder, tmp_path):
    info = export_encoder(
        encoder,
        tmp_path / "text",
        name="m",
        modality=Modality.TEXT,
        kind="pretrained",
        weights_sha256="0",
    )
    assert (info.dim, info.input_dtype, info.input_shape) == (384, "string", (None,))
    assert info.requires == ("tensorflow_text",)
    texts = tf.constant(["one", "two words"])
    served = tf.saved_model.load(tmp_path / "text").signatures["serving_default"](inputs=texts)
    np.testing.assert_allclose(served["embedding"], encoder(texts), atol=1e-6)
