import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.fusion import FUSIONS, ModalityBatch, ModalityDropout
from tfrs_mm.fusion.early import mix_by_gate


@pytest.fixture
def modality_batch() -> ModalityBatch:
    generator = np.random.default_rng(0)
    present = [[True, True, True], [True, False, True], [False, False, True], [False, False, False]]
    return ModalityBatch(
        tf.constant(generator.normal(size=(4, 3, 5)), tf.float32), tf.constant(present)
    )


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_absent_modalities_cannot_change_the_result(name, modality_batch):
    fuse = FUSIONS[name](dim=8)
    expected = fuse(modality_batch)
    for value in (0.0, 1e3, float("nan"), float("inf")):
        noisy = modality_batch.replace_absent_values(value)
        np.testing.assert_allclose(fuse(noisy), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_gradients_are_finite_whatever_stands_at_absent_places(name, modality_batch):
    fuse = FUSIONS[name](dim=8)
    noisy = modality_batch.replace_absent_values(float("nan"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fuse(noisy) ** 2)
    for gradient in tape.gradient(loss, fuse.trainable_variables):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_a_present_modality_changes_the_result(name, modality_batch):
    fuse = FUSIONS[name](dim=8)
    changed = ModalityBatch(modality_batch.values + 1.0, modality_batch.present)
    different = np.abs(fuse(modality_batch) - fuse(changed)).max(axis=1) > 1e-3
    assert different.tolist() == [True, True, True, False]


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_it_saves_and_reloads(name, modality_batch, tmp_path):
    fuse = FUSIONS[name](dim=8)
    expected = fuse(modality_batch)
    again = FUSIONS[name].from_config(fuse.get_config())
    again(modality_batch)
    again.set_weights(fuse.get_weights())
    np.testing.assert_allclose(again(modality_batch), expected, atol=1e-6)
    tf.train.Checkpoint(layer=fuse).write(str(tmp_path / "w"))
    other = FUSIONS[name].from_config(fuse.get_config())
    other(modality_batch)
    tf.train.Checkpoint(layer=other).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(other(modality_batch), expected, atol=1e-6)


def test_gates_share_out_among_the_present():
    values = tf.constant([[[1.0], [3.0], [100.0]]])
    present = tf.constant([[True, True, False]])
    gates = tf.constant([[0.0, np.log(3.0), 50.0]], tf.float32)
    # shares 1/4 and 3/4: 0.25 * 1 + 0.75 * 3 = 2.5; the absent one's gate of 50 does not count
    np.testing.assert_allclose(mix_by_gate(values, present, gates), [[2.5]], atol=1e-5)


def test_dropout_hides_about_its_share_in_training_and_nothing_else():
    layer = ModalityDropout(0.25, seed=1)
    present = tf.ones([4000, 2], tf.bool)
    kept = layer(present, training=True).numpy()
    # 8,000 draws at 0.75: standard deviation sqrt(8000 * 0.75 * 0.25) = 39
    assert abs(kept.sum() - 6000) < 200
    assert layer(present, training=False).numpy().all()
    assert not layer(tf.zeros([10, 2], tf.bool), training=True).numpy().any()
