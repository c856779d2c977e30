import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.fusion import COMPLETIONS, FUSIONS, ImputedMissing, LearnedMissing, ModalityBatch

PRESENT = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)


def make_batch(present=PRESENT, seed=0):
    values = np.random.default_rng(seed).normal(size=(len(present), 3, 4))
    return ModalityBatch(tf.constant(values, tf.float32), tf.constant(present))


def make_completion(name):
    """The layer, fitted or with moved weights, so that nothing holds because weights are zeros."""
    complete = COMPLETIONS[name]()
    complete(make_batch())
    if name == "imputed":
        batch = make_batch(np.random.default_rng(1).random((30, 3)) < 0.7)
        complete.fit(batch.values.numpy(), batch.present.numpy(), 0.1)
    return complete


@pytest.mark.parametrize("name", sorted(COMPLETIONS))
def test_what_is_present_stays_and_what_was_absent_cannot_count(name):
    complete, batch = make_completion(name), make_batch()
    result = complete(batch)
    np.testing.assert_array_equal(result.values.numpy()[PRESENT], batch.values.numpy()[PRESENT])
    assert np.all(result.present.numpy() >= PRESENT)
    for value in (1e3, float("nan"), float("inf")):
        noisy = complete(batch.replace_absent_values(value))
        np.testing.assert_array_equal(noisy.present, result.present)
        np.testing.assert_allclose(
            noisy.values.numpy()[result.present.numpy()],
            result.values.numpy()[result.present.numpy()],
            atol=1e-6,
        )


@pytest.mark.parametrize("name", sorted(COMPLETIONS))
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_takes_what_is_completed(name, fusion):
    complete, fuse, behaviour = make_completion(name), FUSIONS[fusion](dim=6), tf.ones([4, 6])
    noisy = make_batch().replace_absent_values(float("nan"))
    with tf.GradientTape() as tape:
        result = fuse(complete(noisy), behaviour)
        loss = tf.reduce_sum(result**2)
    assert np.isfinite(result.numpy()).all()
    variables = complete.trainable_variables + fuse.trainable_variables
    for gradient in tape.gradient(loss, variables, unconnected_gradients="zero"):
        assert np.isfinite(gradient.numpy()).all()
        assert np.abs(gradient.numpy()).max() < 1e3


@pytest.mark.parametrize("name", sorted(COMPLETIONS))
def test_completions_save_and_reload(name, tmp_path):
    complete, batch = make_completion(name), make_batch()
    tf.train.Checkpoint(layer=complete).write(str(tmp_path / "w"))
    again = COMPLETIONS[name].from_config(complete.get_config())
    again(batch)
    tf.train.Checkpoint(layer=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    for one, other in zip(complete(batch), again(batch), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_learned_vectors_stand_at_every_absent_place():
    complete = LearnedMissing()
    result = complete(make_batch())
    vectors = complete.get_weights()[0]
    assert result.present.numpy().all()
    np.testing.assert_allclose(result.values[2, :2], vectors[:2])
    np.testing.assert_allclose(result.values[3], vectors)


def test_a_modality_is_predicted_by_ridge_regression_from_another():
    # x = -1, 0, 1 and y = 1 + 3 x: covariance of x is 2/3, with x and y it is 2; the ridge adds
    # half of 2/3, so the coefficient is 2 / (2/3 + 1/3) = 2
    values = np.array([[[-1.0], [-2.0]], [[0.0], [1.0]], [[1.0], [4.0]], [[5.0], [0.0]]])
    present = np.array([[1, 1], [1, 1], [1, 1], [1, 0]], bool)
    complete = ImputedMissing()
    complete.fit(values, present, ridge=0.5)
    result = complete(ModalityBatch(tf.constant(values, tf.float32), tf.constant(present)))
    # the mean of y, 1, and 2 * (5 - 0)
    np.testing.assert_allclose(result.values[3, 1], [11.0], atol=1e-5)
    assert result.present.numpy().all()


def test_several_predictions_are_averaged_and_no_item_of_both_predicts_nothing():
    # modality 2 goes with 0 and with 1 (always 4 and 8), 0 never goes with 1
    values = np.array([[[1.0], [0.0], [4.0]], [[0.0], [1.0], [8.0]], [[1.0], [1.0], [0.0]]])
    present = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0]], bool)
    complete = ImputedMissing()
    complete.fit(values[:2], present[:2], ridge=0.1)
    batch = ModalityBatch(tf.constant(values, tf.float32), tf.constant(present))
    result = complete(batch)
    np.testing.assert_allclose(result.values[2, 2], [6.0], atol=1e-5)  # (4 + 8) / 2
    alone = complete(ModalityBatch(batch.values[:1], tf.constant([[True, False, False]])))
    # 2 is predicted from 0, and 1 from nothing
    assert alone.present.numpy().tolist() == [[True, False, True]]
    nothing = complete(ModalityBatch(batch.values[:1], tf.constant([[False] * 3])))
    assert not nothing.present.numpy().any()


def test_imputing_recovers_what_two_modalities_share():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(200, 4))
    mixing = generator.normal(size=(4, 4))
    values = np.stack([shared, shared @ mixing], axis=1)
    complete = ImputedMissing()
    complete.fit(values, np.ones((200, 2), bool), ridge=1e-6)
    hidden = ModalityBatch(tf.constant(values[:5], tf.float32), tf.constant([[True, False]] * 5))
    np.testing.assert_allclose(complete(hidden).values[:, 1], values[:5, 1], atol=1e-3)
