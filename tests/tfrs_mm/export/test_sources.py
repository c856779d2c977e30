"""A model with further sources of candidates serves what it answers in this process."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.artefacts import write_json
from tfrs_mm.commands.export import export_run
from tfrs_mm.config import load_config
from tfrs_mm.data.input_pipeline import read_queries
from tfrs_mm.training.run import load_run

USERS = 16


@pytest.fixture(scope="module")
def loaded(run_dir, tmp_path_factory):
    """The trained run, with few candidates of the two towers and many of others."""
    folder = tmp_path_factory.mktemp("sources") / "run"
    shutil.copytree(run_dir, folder)
    config = load_config(folder / "config.json").with_overrides(
        {
            "ranking.candidates": 6, "export.k": 6, "sources.covisited": 8, "sources.next": 8,
            "sources.popular": 5, "sources.fresh": 3,
        }
    )  # fmt: skip
    write_json(folder / "config.json", config.to_dict())
    run = load_run(folder)
    # A ranker that thinks little of the towers' order, so that others' candidates come up.
    for place, variable in enumerate(run.model.ranker.trainable_variables):
        variable.assign_add(tf.random.stateless_normal(variable.shape, [place, 1]) * 0.5)
    return run


@pytest.fixture(scope="module")
def users(loaded):
    return read_queries(loaded.knowledge.data_dir, loaded.knowledge.schema, "users").take(
        np.arange(USERS)
    )


def test_served_lists_are_those_of_the_model(loaded, users, tmp_path):
    knowledge = loaded.knowledge
    seen = np.zeros((USERS, users.seen.lengths.max()), np.int32)
    for place, rows in enumerate(users.seen):
        seen[place, : len(rows)] = rows
    history = tf.constant(users.history_items)
    bucket = tf.fill([USERS], loaded.model.ranker.tables.last_bucket)
    wanted = loaded.model.recommend(history, tf.constant(seen), bucket, 6)
    by_towers = loaded.model.retrieve(history, tf.constant(seen), 6).rows.numpy()
    # Something of the further sources is among the best.
    assert any(set(a) - set(b) for a, b in zip(wanted.rows.numpy(), by_towers, strict=True))

    served = tf.saved_model.load(str(export_run(loaded, tmp_path / "m", "exact")))
    nothing = tf.fill([USERS, 1], "")
    answer = served.signatures["recommend"](
        user_id=tf.constant(knowledge.users.ids_of(users.user)),
        history_item_ids=nothing,
        exclude_item_ids=nothing,
    )
    ids = np.array(knowledge.catalogue.item_ids)[wanted.rows.numpy()]
    assert np.char.decode(answer["item_ids"].numpy().astype(bytes)).tolist() == ids.tolist()
    np.testing.assert_allclose(answer["scores"], wanted.scores, rtol=1e-5)
