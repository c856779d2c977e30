import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.errors import UserError
from tfrs_mm.fusion import LateFusion, ModalityBatch, VoteFusion


def two_modalities(present=((True, True),)):
    return ModalityBatch(tf.constant([[[3.0, 4.0], [0.0, 2.0]]]), tf.constant(present))


def with_identity(fuse, batch):
    fuse(batch)
    weights = fuse.get_weights()
    fuse.set_weights([np.tile(np.eye(2), (2, 1, 1)), np.zeros((2, 2)), *weights[2:]])
    return fuse


def test_the_inner_product_is_the_weighted_sum_of_the_modalities_similarities():
    batch = two_modalities()
    fuse = with_identity(LateFusion(dim=5), batch)
    fuse.set_weights([*fuse.get_weights()[:2], np.log([3.0, 1.0])])
    query = tf.constant([[1.0, 0.5, 2.0, 1.0, 7.0]])
    # u = (0.6, 0.8) and (0, 1), weights 3/4 and 1/4: 0.75 * (0.6 + 0.4) + 0.25 * 1 = 1; the fifth
    # place belongs to no modality
    np.testing.assert_allclose(tf.reduce_sum(query * fuse(batch)), 1.0, atol=1e-6)
    decisions = tf.reduce_sum(fuse.split(query) * fuse.project(batch), axis=-1)
    np.testing.assert_allclose(decisions, [[1.0, 1.0]], atol=1e-6)


def test_votes_count_the_same():
    batch = two_modalities()
    fuse = with_identity(VoteFusion(dim=4), batch)
    np.testing.assert_allclose(fuse(batch), [[0.3, 0.4, 0.0, 0.5]], atol=1e-6)
    assert len(fuse.get_weights()) == 2


@pytest.mark.parametrize("fusion", [LateFusion, VoteFusion])
def test_the_present_modalities_decide_with_all_the_weight(fusion):
    batch = two_modalities(present=[[True, False]])
    fuse = with_identity(fusion(dim=4), batch)
    np.testing.assert_allclose(fuse(batch), [[0.6, 0.8, 0.0, 0.0]], atol=1e-6)


def test_more_modalities_than_places_are_refused():
    with pytest.raises(UserError, match=r"at least the number of modalities \(2\).*received 1"):
        VoteFusion(dim=1)(two_modalities())
