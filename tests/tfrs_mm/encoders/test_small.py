import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.encoders import export_encoder, make_small_encoder
from tfrs_mm.encoders.base import sha256_of_variables
from tfrs_mm.schema import Modality

DIM, SIZE_PX = 8, 32


def inputs_of(modality, count, seed=0):
    generator = np.random.default_rng(seed)
    if modality is Modality.TEXT:
        words = np.array(
            ["storm", "river", "knight", "queen", "engine", "moon", "violin", "harvest"]
        )
        return tf.constant([" ".join(generator.choice(words, 5)) for _ in range(count)])
    if modality is Modality.AUDIO:
        return tf.constant(generator.uniform(0, 4, (count, 187, 96)).astype(np.float32))
    return tf.constant(generator.integers(0, 255, (count, SIZE_PX, SIZE_PX, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def encoders():
    modalities = (Modality.IMAGE, Modality.TEXT, Modality.AUDIO)
    made = {modality: make_small_encoder(modality, DIM, SIZE_PX, seed=1) for modality in modalities}
    return made | {Modality.VIDEO: made[Modality.IMAGE]}


@pytest.mark.parametrize("modality", Modality)
def test_an_input_does_not_depend_on_its_batch_and_gives_a_unit_vector(encoders, modality):
    inputs = inputs_of(modality, 3)
    embeddings = encoders[modality](inputs).numpy()
    assert embeddings.shape == (3, DIM)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)
    alone = np.concatenate([encoders[modality](inputs[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(embeddings, alone, atol=1e-5)


@pytest.mark.parametrize("modality", Modality)
def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(encoders, modality):
    tf.random.set_seed(99)
    again = make_small_encoder(modality, DIM, SIZE_PX, seed=1)
    other = make_small_encoder(modality, DIM, SIZE_PX, seed=2)
    inputs = inputs_of(modality, 2)
    np.testing.assert_array_equal(again(inputs), encoders[modality](inputs))
    assert np.abs(other(inputs) - encoders[modality](inputs)).max() > 0.01


@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.AUDIO])
def test_a_view_has_the_form_of_its_input_and_differs_from_the_next(encoders, modality):
    prepared = encoders[modality].prepare(inputs_of(modality, 2))
    first, second = (encoders[modality].view(prepared) for _ in range(2))
    assert first.shape == second.shape == prepared.shape
    assert np.abs(first - second).max() > 0


def test_a_view_of_a_sound_hides_bands_of_frequency_and_of_time(encoders):
    encoder = encoders[Modality.AUDIO]
    view = encoder.view(tf.ones([1, 187, 96])).numpy()[0]
    hidden_mels, hidden_frames = (view == 0).all(axis=0).sum(), (view == 0).all(axis=1).sum()
    # Two bands each, of at most 16 mels and 40 frames.
    assert hidden_mels <= 32 and hidden_frames <= 80
    assert hidden_mels + hidden_frames > 0


def test_a_view_of_a_text_keeps_about_half_of_its_words(encoders):
    encoder = encoders[Modality.TEXT]
    prepared = encoder.prepare(tf.constant([" ".join(f"word{i}x" for i in range(1000)), ""]))
    lengths = encoder.view(prepared).row_lengths().numpy()
    full = prepared.row_lengths().numpy()
    assert abs(lengths[0] / full[0] - 0.5) < 0.1  # 5 standard deviations of 1000 draws are 0.08
    assert lengths[1] == 0


def test_words_are_told_apart_by_what_they_are_not_by_their_case(encoders):
    encoder = encoders[Modality.TEXT]
    same, other = (
        encoder(tf.constant(["Night TRAIN", "night train"])),
        encoder(tf.constant(["day boat"])),
    )
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)
    assert np.abs(same[0] - other[0]).max() > 0.1


def test_a_word_that_stands_in_every_text_counts_for_nothing():
    encoder = make_small_encoder(Modality.TEXT, DIM, SIZE_PX, seed=1)
    encoder.count(tf.constant(["the moon", "the sea", "the hill"]))
    # ln((1 + 3) / (1 + 3)) = 0
    np.testing.assert_allclose(
        encoder(tf.constant(["the moon"])), encoder(tf.constant(["moon"])), atol=1e-5
    )


def test_an_empty_text_has_an_embedding(encoders):
    assert np.isfinite(encoders[Modality.TEXT](tf.constant(["", "   ", b"\xff"])).numpy()).all()


@pytest.mark.parametrize("modality", Modality)
def test_the_exported_encoder_gives_the_same(encoders, modality, tmp_path):
    encoder = encoders[modality]
    sha256 = sha256_of_variables(encoder)
    info = export_encoder(
        encoder,
        tmp_path / "e",
        name="small",
        modality=modality,
        kind="small",
        weights_sha256=sha256,
    )
    assert (info.dim, info.modality, info.kind) == (DIM, modality, "small")
    inputs = inputs_of(modality, 2, seed=4)
    served = tf.saved_model.load(tmp_path / "e").signatures["serving_default"](inputs=inputs)
    np.testing.assert_allclose(served["embedding"], encoder(inputs), atol=1e-5)
