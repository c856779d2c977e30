import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.encoders import make_small_encoder
from tfrs_mm.schema import Modality
from tfrs_mm.training.small_encoders import nt_xent, train_small_encoder

DIM, SIZE_PX, CLASSES = 8, 32, 3


def items_of(modality, count, seed=0):
    """Items of three kinds in turn: `[1 or 2, ...]` inputs each."""
    generator = np.random.default_rng(seed)
    items = []
    for index in range(count):
        kind = index % CLASSES
        if modality is Modality.TEXT:
            topic = ("sea ship wave sail", "king crown war sword", "disco bass club beat")[
                kind
            ].split()
            words = [*generator.choice(topic, 4), *generator.choice(["the", "of", "and", "in"], 4)]
            items.append(np.array([" ".join(generator.permutation(words)).encode()], object))
        elif modality is Modality.AUDIO:
            sound = generator.uniform(0, 1, (2, 187, 96)).astype(np.float32)
            sound[:, :, 30 * kind : 30 * kind + 12] += 3
            items.append(sound)
        else:
            picture = generator.integers(0, 90, (1, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
            picture[..., kind] += 120
            items.append(picture)
    return items


def first_parts(items):
    parts = [item[0] for item in items]
    return tf.constant(parts if items[0].dtype == object else np.stack(parts))


def test_nt_xent_of_views_that_are_alike_and_of_views_that_are_not():
    # Two inputs, cosines 1 to the other view and 0 to the rest: -ln(e / (e + 2)) = 0.5514 at
    # temperature 1.
    views = tf.constant([[1.0, 0.0], [0.0, 5.0]])
    np.testing.assert_allclose(nt_xent(views, views, 1.0), 0.5514, atol=1e-4)
    # The views swapped: cosine 0 to the other view, 1 to one of the rest: -ln(1 / (e + 2)) =
    # 1.5514.
    np.testing.assert_allclose(nt_xent(views, views[::-1], 1.0), 1.5514, atol=1e-4)


@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.TEXT, Modality.AUDIO])
def test_items_of_one_kind_end_up_together(modality):
    items = items_of(modality, 24)
    encoder = make_small_encoder(modality, DIM, SIZE_PX, seed=1)
    loss = train_small_encoder(encoder, items, epochs=2, batch_size=8, seed=1)
    assert 0 < loss < np.log(15)  # blind guessing among the 15 other views of a batch of 8
    embeddings = encoder(first_parts(items)).numpy()
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)
    # Centred: what all items share is taken away, so their cosines are near 0 on average.
    cosines = embeddings @ embeddings.T
    assert abs(cosines.mean()) < 0.2
    same = np.arange(24)[:, None] % CLASSES == np.arange(24) % CLASSES
    np.fill_diagonal(same, False)
    assert cosines[same].mean() > cosines[~same].mean() + 0.3
    # New items of these kinds, embedded one at a time, lie with their kind.
    new = np.concatenate([encoder(first_parts([item])) for item in items_of(modality, 6, seed=9)])
    nearest = (new @ embeddings.T).argmax(axis=1)
    assert (nearest % CLASSES == np.arange(6) % CLASSES).all()


@pytest.mark.parametrize("modality", [Modality.TEXT, Modality.AUDIO, Modality.IMAGE])
def test_the_same_seed_trains_the_same_encoder(modality):
    items = items_of(modality, 8)
    embeddings = []
    for stray_seed in (5, 6):
        tf.random.set_seed(stray_seed)  # must not matter
        encoder = make_small_encoder(modality, DIM, SIZE_PX, seed=1)
        train_small_encoder(encoder, items, epochs=1, batch_size=8, seed=1)
        embeddings.append(encoder(first_parts(items)).numpy())
    np.testing.assert_allclose(embeddings[0], embeddings[1], atol=1e-3)


def test_a_single_item_can_be_trained_on():
    encoder = make_small_encoder(Modality.TEXT, DIM, SIZE_PX, seed=1)
    train_small_encoder(encoder, items_of(Modality.TEXT, 1), epochs=1, batch_size=8, seed=1)
    assert np.isfinite(encoder(tf.constant(["sea"])).numpy()).all()
