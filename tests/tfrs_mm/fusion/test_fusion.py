"""What every fusion must obey, run over all of them."""

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.fusion import FUSIONS, Fusion, ModalityBatch, ModalityDropout

BEHAVIOUR = tf.constant(np.random.default_rng(1).normal(size=(4, 8)), tf.float32)


@pytest.fixture
def modality_batch() -> ModalityBatch:
    generator = np.random.default_rng(0)
    present = [[True, True, True], [True, False, True], [False, False, True], [False, False, False]]
    return ModalityBatch(
        tf.constant(generator.normal(size=(4, 3, 5)), tf.float32), tf.constant(present)
    )


def make_fusion(name: str) -> Fusion:
    """The fusion with every weight moved, so that nothing holds only because weights are zeros."""
    fuse = FUSIONS[name](dim=8)
    fuse(ModalityBatch(tf.zeros([1, 3, 5]), tf.zeros([1, 3], tf.bool)), BEHAVIOUR[:1])
    generator = np.random.default_rng(2)
    fuse.set_weights([w + 0.1 * generator.normal(size=w.shape) for w in fuse.get_weights()])
    return fuse


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_absent_modalities_cannot_change_the_result(name, modality_batch):
    fuse = make_fusion(name)
    expected = fuse(modality_batch, BEHAVIOUR)
    assert expected.shape == [4, 8]
    assert np.isfinite(expected.numpy()).all()
    for value in (0.0, 1e3, float("nan"), float("inf")):
        noisy = modality_batch.replace_absent_values(value)
        np.testing.assert_allclose(fuse(noisy, BEHAVIOUR), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_gradients_are_finite_whatever_stands_at_absent_places(name, modality_batch):
    fuse = make_fusion(name)
    noisy = modality_batch.replace_absent_values(float("nan"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fuse(noisy, BEHAVIOUR) ** 2)
    for gradient in tape.gradient(loss, fuse.trainable_variables):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_a_present_modality_changes_the_result(name, modality_batch):
    fuse = make_fusion(name)
    changed = ModalityBatch(modality_batch.values + 1.0, modality_batch.present)
    difference = np.abs(fuse(modality_batch, BEHAVIOUR) - fuse(changed, BEHAVIOUR)).max(axis=1)
    assert (difference > 1e-3).tolist() == [True, True, True, False]


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_whether_a_modality_is_present_changes_the_result(name, modality_batch):
    fuse = make_fusion(name)
    hidden = ModalityBatch(modality_batch.values, modality_batch.present & [False, True, True])
    difference = np.abs(fuse(modality_batch, BEHAVIOUR) - fuse(hidden, BEHAVIOUR)).max(axis=1)
    assert (difference > 1e-3).tolist() == [True, True, False, False]


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_each_row_stands_for_itself(name, modality_batch):
    fuse = make_fusion(name)
    order = [2, 0, 3, 1]
    moved = ModalityBatch(*(tf.gather(part, order) for part in modality_batch))
    np.testing.assert_allclose(
        fuse(moved, tf.gather(BEHAVIOUR, order)),
        tf.gather(fuse(modality_batch, BEHAVIOUR), order),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_it_saves_and_reloads(name, modality_batch, tmp_path):
    fuse = make_fusion(name)
    expected = fuse(modality_batch, BEHAVIOUR)
    again = FUSIONS[name].from_config(fuse.get_config())
    again(modality_batch, BEHAVIOUR)
    again.set_weights(fuse.get_weights())
    np.testing.assert_allclose(again(modality_batch, BEHAVIOUR), expected, atol=1e-6)
    tf.train.Checkpoint(layer=fuse).write(str(tmp_path / "w"))
    other = FUSIONS[name].from_config(fuse.get_config())
    other(modality_batch, BEHAVIOUR)
    tf.train.Checkpoint(layer=other).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(other(modality_batch, BEHAVIOUR), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_a_vector_is_split_into_what_meets_each_projection(name, modality_batch):
    fuse = make_fusion(name)
    projected, parts = fuse.project(modality_batch), fuse.split(BEHAVIOUR)
    assert parts.shape[1] in (1, 3)
    assert parts.shape[-1] == projected.shape[-1]
    # the parts are places of the vector itself, none of them used twice
    flat = tf.reshape(parts, [4, -1])
    np.testing.assert_array_equal(flat, BEHAVIOUR[:, : flat.shape[1]])


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_it_compiles_for_any_number_of_rows(name, modality_batch):
    fuse = make_fusion(name)

    @tf.function(
        jit_compile=True,
        input_signature=[
            tf.TensorSpec([None, 3, 5]), tf.TensorSpec([None, 3], tf.bool), tf.TensorSpec([None, 8])
        ],
    )  # fmt: skip
    def compiled(values: tf.Tensor, present: tf.Tensor, behaviour: tf.Tensor) -> tf.Tensor:
        batch = ModalityBatch(values, present)
        decisions = tf.reduce_sum(fuse.split(behaviour) * fuse.project(batch), axis=-1)
        return tf.concat([fuse(batch, behaviour), decisions], axis=1)

    result = compiled(*modality_batch, BEHAVIOUR)
    assert result.shape == [4, 8 + 3]
    np.testing.assert_allclose(result[:, :8], fuse(modality_batch, BEHAVIOUR), atol=1e-5)


def test_dropout_hides_about_its_share_in_training_and_nothing_else():
    layer = ModalityDropout(0.25, seed=1)
    present = tf.ones([4000, 2], tf.bool)
    kept = layer(present, training=True).numpy()
    # 8,000 draws at 0.75: standard deviation sqrt(8000 * 0.75 * 0.25) = 39
    assert abs(kept.sum() - 6000) < 200
    assert layer(present, training=False).numpy().all()
    assert not layer(tf.zeros([10, 2], tf.bool), training=True).numpy().any()
