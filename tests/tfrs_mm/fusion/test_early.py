import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.fusion import BehaviourGatedFusion, ModalityBatch
from tfrs_mm.fusion.early import mix_by_gate


def test_gates_share_out_among_the_present():
    values = tf.constant([[[1.0], [3.0], [100.0]]])
    present = tf.constant([[True, True, False]])
    gates = tf.constant([[0.0, np.log(3.0), 50.0]], tf.float32)
    # shares 1/4 and 3/4: 0.25 * 1 + 0.75 * 3 = 2.5; the absent one's gate of 50 does not count
    np.testing.assert_allclose(mix_by_gate(values, present, gates), [[2.5]], atol=1e-5)


def test_content_filters_behaviour():
    fuse = BehaviourGatedFusion(dim=2)
    batch = ModalityBatch(tf.constant([[[1.0], [2.0], [9.0]]]), tf.constant([[True, True, False]]))
    behaviour = tf.constant([[8.0, -4.0]])
    fuse(batch, behaviour)
    # W = [1, 0], V = the identity, biases 0: gates sigmoid([1, 0]) and sigmoid([2, 0])
    fuse.set_weights(
        [
            np.tile([[[1.0, 0.0]]], (3, 1, 1)), np.zeros((3, 2)),
            np.tile(np.eye(2), (3, 1, 1)), np.zeros((3, 2)),
        ]
    )  # fmt: skip
    # 8 * (0.7311 + 0.8808) / 2 = 6.4475 and -4 * (0.5 + 0.5) / 2 = -2
    np.testing.assert_allclose(fuse(batch, behaviour), [[6.4475, -2.0]], atol=1e-4)


def test_gating_by_behaviour_asks_for_behaviour():
    batch = ModalityBatch(tf.zeros([1, 1, 2]), tf.constant([[True]]))
    with pytest.raises(ValueError, match="`behaviour` must be the id vectors"):
        BehaviourGatedFusion(dim=2)(batch)
