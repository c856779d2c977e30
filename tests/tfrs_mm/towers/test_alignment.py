import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.losses import info_nce
from tfrs_mm.towers import ALIGNMENTS, ItemParts, disagreement

ALL = tf.constant([True, True, True])


def make_parts(behaviour_parts: int = 1) -> ItemParts:
    generator = np.random.default_rng(0)
    return ItemParts(
        tf.constant(generator.normal(size=(3, 2, 4)), tf.float32),
        tf.constant([[True, True], [True, False], [True, True]]),
        tf.constant(generator.normal(size=(3, behaviour_parts, 4)), tf.float32),
        tf.constant([True, True, False]),
    )


def make_alignment(kind, **changes):
    return ALIGNMENTS[kind](**({"weight": 1.0, "temperature": 0.5} | changes))


def test_the_loss_is_the_mean_over_the_pairs_that_items_have():
    parts = make_parts()
    picture, text, ids = parts.projected[:, 0], parts.projected[:, 1], parts.behaviour[:, 0]
    # items 0 and 2 have both modalities; the ids of 0 and 1 are trained
    pairs = [
        info_nce(picture, text, tf.constant([True, False, True]), 0.5),
        info_nce(picture, ids, tf.constant([True, True, False]), 0.5),
        info_nce(text, ids, tf.constant([True, False, False]), 0.5),
    ]
    aligned = make_alignment("infonce", weight=2.0)(parts, ALL)
    np.testing.assert_allclose(aligned, 2.0 * np.mean(pairs), rtol=1e-6)
    modalities = make_alignment("infonce", behaviour=False)(parts, ALL)
    np.testing.assert_allclose(modalities, pairs[0], rtol=1e-6)
    behaviour = make_alignment("infonce", modalities=False)(parts, ALL)
    np.testing.assert_allclose(behaviour, np.mean(pairs[1:]), rtol=1e-6)


@pytest.mark.parametrize("kind", sorted(ALIGNMENTS))
@pytest.mark.parametrize("behaviour_parts", [1, 2])
def test_an_item_that_is_named_again_does_not_count(kind, behaviour_parts):
    parts = make_parts(behaviour_parts)
    twice = ItemParts(*(tf.concat([part, part[:2]], axis=0) for part in parts))
    distinct = tf.constant([True, True, True, False, False])
    align = make_alignment(kind)
    np.testing.assert_allclose(align(twice, distinct), align(parts, ALL), rtol=1e-5)


@pytest.mark.parametrize("kind", sorted(ALIGNMENTS))
def test_what_stands_at_absent_places_moves_nothing(kind):
    parts, align = make_parts(), make_alignment(kind)
    expected = align(parts, ALL)
    noisy = parts._replace(
        projected=tf.where(parts.present[..., None], parts.projected, float("nan"))
    )
    with tf.GradientTape() as tape:
        tape.watch(noisy.projected)
        loss = align(noisy, ALL)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    for gradient in tape.gradient(loss, [noisy.projected, *align.trainable_variables]):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("kind", sorted(ALIGNMENTS))
def test_alignment_saves_and_reloads(kind, tmp_path):
    parts, align = make_parts(), make_alignment(kind)
    align(parts, ALL)
    align.set_weights([w + 0.1 for w in align.get_weights()])
    tf.train.Checkpoint(layer=align).write(str(tmp_path / "w"))
    again = ALIGNMENTS[kind].from_config(align.get_config())
    again(parts, ALL)
    tf.train.Checkpoint(layer=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(again(parts, ALL), align(parts, ALL), rtol=1e-6)


def test_modalities_disagree_by_the_variance_of_their_cosines_with_the_query():
    queries = tf.constant([[[2.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])
    projected = tf.constant([[[3.0, 0.0], [0.0, 5.0]]] * 3)
    present = tf.constant([[True, True], [True, False], [True, True]])
    targets = make_parts()._replace(projected=projected, present=present)
    compiled = tf.function(disagreement, jit_compile=True)
    result = compiled(queries, targets, tf.constant([True, True, False]))
    # the first decides 1 and 0: variance 1/4; the second has one decision, the third is no target
    np.testing.assert_allclose(result, 0.25, atol=1e-6)
