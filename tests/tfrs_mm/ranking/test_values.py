import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.ranking.values import FixedValueWeight, LearnedValueWeight, value_loss


def test_the_loss_is_the_mean_squared_error_of_what_is_known():
    predicted = tf.constant([1.0, 5.0, 0.0])
    # (1 - 3)^2 = 4 and (0 - 1)^2 = 1
    np.testing.assert_allclose(value_loss(predicted, tf.constant([3.0, np.nan, 1.0])), 2.5)
    assert value_loss(predicted, tf.fill([3], np.nan)) == 0


def test_a_fixed_weight_adds_its_share():
    assert float(FixedValueWeight(0.25)(tf.constant(1.0), tf.constant(8.0))) == 3.0


def test_a_learned_weight_settles_where_the_variance_is_the_squared_error():
    layer, step = LearnedValueWeight(), tf.keras.optimizers.SGD(0.5)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = layer(tf.constant(1.0), tf.constant(4.0))
        step.apply_gradients([(tape.gradient(loss, layer.log_variance), layer.log_variance)])
    # the derivative (1 - 4 exp(-s)) / 2 is 0 at s = ln 4 = 1.3863
    np.testing.assert_allclose(layer.log_variance, 1.3863, atol=1e-3)
    # 1 + (4 / 4 + 1.3863) / 2
    np.testing.assert_allclose(layer(tf.constant(1.0), tf.constant(4.0)), 2.1931, atol=1e-3)


@pytest.mark.parametrize("layer", [FixedValueWeight(0.3), LearnedValueWeight()])
def test_weights_reload(layer, tmp_path):
    losses = tf.constant(1.0), tf.constant(8.0)
    layer(*losses)
    for variable in layer.weights:
        variable.assign_add(0.5)
    expected = layer(*losses)
    tf.train.Checkpoint(layer=layer).write(str(tmp_path / "w"))
    again = type(layer).from_config(layer.get_config())
    again(*losses)
    tf.train.Checkpoint(layer=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(again(*losses), expected)
