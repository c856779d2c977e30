import numpy as np
import tensorflow as tf

from tfrs_mm.ranking.attention import TargetAttention


def make_inputs(seed=0):
    generator = np.random.default_rng(seed)
    candidates = generator.normal(size=(2, 3, 4)).astype(np.float32)
    history = generator.normal(size=(2, 5, 4)).astype(np.float32)
    valid = generator.random((2, 3, 5)) < 0.6
    valid[1, 2] = False
    return candidates, history, valid


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_it_is_the_sum_of_the_paper():
    candidates, history, valid = make_inputs()
    layer = TargetAttention(3)
    result = layer(candidates, history, valid).numpy()
    weights = {w.name.split("target_attention")[-1].split("/", 1)[1]: w.numpy()
               for w in layer.weights}  # fmt: skip
    candidates, history = unit(candidates), unit(history)
    for b, k in np.ndindex(2, 3):
        summed = np.zeros(4)
        for t in np.flatnonzero(valid[b, k]):
            e, v = history[b, t], candidates[b, k]
            product = (e @ weights["history_factor/kernel:0"]) * (
                v @ weights["candidate_factor/kernel:0"]
            )
            hidden = np.maximum(
                e @ weights["of_history/kernel:0"]
                + weights["of_history/bias:0"]
                + v @ weights["of_candidate/kernel:0"]
                + product @ weights["of_product/kernel:0"],
                0,
            )
            summed += (hidden @ weights["weight/kernel:0"] + weights["weight/bias:0"]) * e
        np.testing.assert_allclose(result[b, k, :4], summed, atol=1e-5)
        np.testing.assert_allclose(result[b, k, 4], summed @ candidates[b, k], atol=1e-5)


def test_a_pair_that_does_not_count_cannot_change_the_result():
    candidates, history, valid = make_inputs()
    layer = TargetAttention(3)
    plain = layer(candidates, history, valid).numpy()
    assert not plain[1, 2].any()  # nothing counts
    unseen = ~valid.any(axis=1)
    history[unseen] = 1e3
    np.testing.assert_array_equal(layer(candidates, history, valid), plain)
    assert unseen.any()


def test_the_same_history_is_summed_up_otherwise_for_another_candidate():
    candidates, history, _ = make_inputs()
    result = TargetAttention(3)(candidates, history, np.ones((2, 1, 5), bool)).numpy()
    assert np.abs(result[0, 0] - result[0, 1]).max() > 1e-3


def test_it_saves_and_reloads(tmp_path):
    inputs = make_inputs()
    layer, again = TargetAttention(3), TargetAttention.from_config(TargetAttention(3).get_config())
    expected = layer(*inputs)
    assert np.abs(again(*inputs) - expected).max() > 1e-3
    tf.train.Checkpoint(layer=layer).write(str(tmp_path / "w"))
    tf.train.Checkpoint(layer=again).read(str(tmp_path / "w")).assert_consumed()
    np.testing.assert_array_equal(again(*inputs), expected)
