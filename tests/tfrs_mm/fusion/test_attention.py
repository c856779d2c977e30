import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.fusion import AttentionFusion, CrossAttentionFusion, ModalityBatch
from tfrs_mm.fusion.attention import attend


def items(present=((True, True, True), (True, False, True), (False, False, False))):
    values = np.random.default_rng(0).normal(size=(3, 3, 4))
    return ModalityBatch(tf.constant(values, tf.float32), tf.constant(present))


QUERY = tf.constant(np.random.default_rng(1).normal(size=(3, 6)), tf.float32)


def test_attention_is_a_softmax_over_the_tokens_that_are_present():
    keys = tf.constant([[[0.0], [np.log(3.0)], [50.0]]], tf.float32)
    values = tf.constant([[[1.0], [3.0], [100.0]]])
    present = tf.constant([[True, True, False]])
    result = attend(tf.constant([[[1.0]]]), keys, values, present, heads=1)
    # exp(0) to exp(ln 3) is 1 to 3: 0.25 * 1 + 0.75 * 3 = 2.5
    np.testing.assert_allclose(result, [[[2.5]]], atol=1e-5)


def test_each_head_looks_for_itself():
    queries = tf.constant([[[1.0, 0.0]]])
    keys = tf.constant([[[np.log(3.0), 9.0], [0.0, 1.0]]], tf.float32)
    values = tf.constant([[[4.0, 4.0], [8.0, 8.0]]])
    result = attend(queries, keys, values, tf.constant([[True, True]]), heads=2)
    # the first head sees 3 to 1: 0.75 * 4 + 0.25 * 8 = 5; the second asks nothing: (4 + 8) / 2 = 6
    np.testing.assert_allclose(result, [[[5.0, 6.0]]], atol=1e-5)


def test_what_one_modality_adds_depends_on_another():
    fuse, batch = AttentionFusion(dim=4), items()
    alone = [tf.constant([[m == 0, m == 1, False]] * 3) for m in (0, 1)]
    both = fuse(ModalityBatch(batch.values, alone[0] | alone[1])).numpy()
    parts = [fuse(ModalityBatch(batch.values, each)).numpy() for each in alone]
    none = fuse(ModalityBatch(batch.values, alone[0] & alone[1])).numpy()
    assert np.abs(both - (parts[0] + parts[1] - none)).max() > 1e-3


def test_the_query_decides_what_of_an_item_counts():
    fuse, batch = CrossAttentionFusion(dim=4), items()
    different = np.abs(fuse(batch, QUERY) - fuse(batch, -QUERY)).max(axis=1) > 1e-3
    # where nothing is present there is nothing to look at
    assert different.tolist() == [True, True, False]


def test_absent_modalities_cannot_change_what_a_query_sees():
    fuse, batch = CrossAttentionFusion(dim=4), items()
    expected = fuse(batch, QUERY)
    noisy = batch.replace_absent_values(float("nan"))
    with tf.GradientTape() as tape:
        result = fuse(noisy, QUERY)
        loss = tf.reduce_sum(result**2)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    for gradient in tape.gradient(loss, fuse.trainable_variables):
        assert np.isfinite(gradient.numpy()).all()


def test_a_single_modality_is_what_every_query_sees():
    fuse, batch = CrossAttentionFusion(dim=4), items(present=[[False, True, False]] * 3)
    np.testing.assert_allclose(fuse(batch, QUERY), fuse(batch, -QUERY), atol=1e-6)


def test_cross_attention_saves_and_reloads(tmp_path):
    fuse, batch = CrossAttentionFusion(dim=4, heads=1), items()
    expected = fuse(batch, QUERY)
    tf.train.Checkpoint(layer=fuse).write(str(tmp_path / "w"))
    again = CrossAttentionFusion.from_config(fuse.get_config())
    again(batch, QUERY)
    tf.train.Checkpoint(layer=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(again(batch, QUERY), expected, atol=1e-6)


@pytest.mark.parametrize("layer", [AttentionFusion, CrossAttentionFusion])
def test_heads_must_share_the_places_evenly(layer):
    with pytest.raises(ValueError, match=r"multiple of `heads` \(3\), received 4"):
        layer(dim=4, heads=3)
