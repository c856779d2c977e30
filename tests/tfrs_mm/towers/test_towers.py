import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.fusion import COMPLETIONS, FUSIONS
from tfrs_mm.towers import ItemTables, ItemTower
from tfrs_mm.towers.item import ITEM
from tfrs_mm.towers.tabular import CategoryEmbedding, IdEmbedding


def make_item_tower(**changes):
    settings = {
        "num_rows": 6, "dim": 4, "fusion": "gated", "modality_dropout": 0.0, "id_dropout": 0.0,
        "categories": {"genres": 3}, "normalize": True, "seed": 1,
    } | changes  # fmt: skip
    return ItemTower(**settings)


def make_tables(warm=(False, True, True, True, True, False), unknown=None):
    generator = np.random.default_rng(0)
    present = np.array([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0], [1, 1]], bool)
    values = generator.normal(size=(6, 2, 3)).astype(np.float32) * present[..., None]
    return ItemTables(
        values,
        present,
        {"genres": np.array([[0], [1], [2], [1], [0], [2]], np.int32)},
        np.array(warm),
        unknown=unknown,
    )


def test_an_item_without_training_events_is_looked_up_as_an_unknown_id():
    gathered = make_tables().gather(tf.range(6))
    assert gathered[ITEM].numpy().tolist() == [0, 1, 2, 3, 4, 0]


@pytest.mark.parametrize("normalize", [True, False])
def test_item_vectors_have_length_one_if_asked_for(normalize):
    tower = make_item_tower(normalize=normalize)
    lengths = np.linalg.norm(tower(make_tables().gather(tf.range(6))), axis=1)
    assert np.allclose(lengths, 1.0, atol=1e-5) == normalize


def test_content_enters_as_many_times_as_its_scale():
    inputs = make_tables().gather(tf.range(6))
    tower = make_item_tower(content_scale=3.0, normalize=False)
    plain = make_item_tower(normalize=False)
    for each in (tower, plain):
        each(inputs)
    plain.set_weights(tower.get_weights())
    larger = inputs | {"modality/values": 3.0 * inputs["modality/values"]}
    np.testing.assert_allclose(tower(inputs), plain(larger), atol=1e-6)


def test_tables_are_no_weights():
    tower, tables = make_item_tower(), make_tables()
    tower(tables.gather(tf.range(6)))
    assert not any("table/" in v.name for v in tower.weights)


def test_an_item_with_two_categories_is_their_mean_and_with_none_is_zero():
    layer = CategoryEmbedding(4, 3)
    layer(tf.constant([[1]]))
    table = layer.get_weights()[0]
    result = layer(tf.constant([[1, 3], [2, 0], [0, 0]])).numpy()
    np.testing.assert_allclose(result[0], (table[1] + table[3]) / 2, atol=1e-6)
    np.testing.assert_allclose(result[1], table[2], atol=1e-6)
    np.testing.assert_allclose(result[2], 0.0)


def test_hidden_ids_look_like_the_unknown_row():
    layer = IdEmbedding(4, 3, hide=0.5, seed=1)
    rows = tf.fill([2000], 2)
    layer(rows)
    table = layer.get_weights()[0]
    hidden = (layer(rows, training=True).numpy() == table[0]).all(axis=1)
    # 2,000 draws at 0.5: standard deviation 22
    assert abs(hidden.sum() - 1000) < 120
    np.testing.assert_allclose(layer(rows, training=False), np.tile(table[2], (2000, 1)))


def test_an_unknown_id_shows_a_row_of_its_own_and_is_not_known():
    unknown = np.array([0, 7, 6, 7, 6, 7])
    tables = make_tables(unknown=unknown)
    inputs = tables.gather(tf.range(6))
    assert inputs[ITEM].numpy().tolist() == [0, 1, 2, 3, 4, 7]
    tower = make_item_tower(oov_rows=2, categories={}, normalize=False, fusion="vote")
    vectors = tower(inputs).numpy()
    content = tower(inputs | {ITEM: tf.zeros(6, tf.int32)}).numpy()
    table = next(weight for weight in tower.get_weights() if weight.shape == (8, 4))
    np.testing.assert_allclose(vectors[5] - content[5], table[7] - table[0], atol=1e-6)
    assert tower.parts(inputs).known.numpy().tolist() == [False, True, True, True, True, False]
    again = ItemTower.from_config(tower.get_config())
    again(inputs)
    again.set_weights(tower.get_weights())
    np.testing.assert_allclose(again(inputs), vectors, atol=1e-6)


def test_hidden_ids_are_shown_as_any_row_for_unknown_ones():
    layer = IdEmbedding(4, 3, hide=0.5, seed=1, oov_rows=2)
    rows = tf.fill([2000], 2)
    layer(rows)
    table = layer.get_weights()[0]
    assert table.shape == (6, 3)
    shown = layer(rows, training=True).numpy()
    counts = [(shown == line).all(axis=1).sum() for line in table]
    assert counts[0] == counts[1] == counts[3] == 0
    # 2,000 draws at a half and at quarters: standard deviations 22 and 19
    np.testing.assert_allclose(counts[2], 1000, atol=120)
    np.testing.assert_allclose(counts[4:], [500, 500], atol=100)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_the_item_tower_saves_and_reloads_with_every_fusion(fusion, tmp_path):
    tables = make_tables()
    tower = make_item_tower(fusion=fusion)
    expected = tower(tables.gather(tf.range(6)))
    again = ItemTower.from_config(tower.get_config())
    again(tables.gather(tf.range(6)))
    tf.train.Checkpoint(tower=tower).write(str(tmp_path / "w"))
    tf.train.Checkpoint(tower=again).read(str(tmp_path / "w")).assert_existing_objects_matched()
    np.testing.assert_allclose(again(tables.gather(tf.range(6))), expected, atol=1e-6)


def test_decisions_are_added_and_not_mixed():
    inputs = make_tables().gather(tf.constant([1]))
    tower = make_item_tower(fusion="late", normalize=False, categories={})
    whole = tower(inputs)
    hidden = [
        tower(inputs | {"modality/present": tf.constant([present])})
        for present in ([True, False], [False, True], [False, False])
    ]
    # alone a modality has all the weight, together each has half of it
    np.testing.assert_allclose(whole, (hidden[0] + hidden[1]) / 2, atol=1e-6)
    assert not any("dense" in v.name or "norm" in v.name for v in tower.weights)


@pytest.mark.parametrize("missing", sorted(COMPLETIONS))
def test_a_hidden_modality_is_completed_in_training_as_a_missing_one_is_when_scored(missing):
    inputs = make_tables().gather(tf.range(6))
    tower = make_item_tower(missing=missing, modality_dropout=1.0 - 1e-9)
    tower(inputs)
    tower.adapt(inputs["modality/values"].numpy(), inputs["modality/present"].numpy(), ridge=0.1)
    nothing = tf.zeros_like(inputs["modality/present"])
    np.testing.assert_allclose(
        tower(inputs, training=True), tower(inputs | {"modality/present": nothing}), atol=1e-6
    )


def test_a_fusion_that_learns_what_is_missing_needs_no_second_vector():
    towers = [make_item_tower(fusion="concat", missing=missing) for missing in ("none", "learned")]
    for tower in towers:
        tower(make_tables().gather(tf.range(6)))
    assert [len(tower.weights) for tower in towers] == [len(towers[0].weights)] * 2
