"""What is served by request: candidates of further sources, modalities as the query looks at them,
and answers that are varied.
"""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm import cli
from tfrs_mm.artefacts import write_json
from tfrs_mm.commands.export import export_run
from tfrs_mm.config import load_config
from tfrs_mm.data.input_pipeline import read_queries
from tfrs_mm.ranking import build_ranker
from tfrs_mm.training.run import load_run

USERS = 16


@pytest.fixture(scope="module")
def loaded(run_dir, tmp_path_factory):
    """The trained towers, with few candidates of theirs and many of others, and a ranker that
    thinks little of their order, looks at modalities and counts ratings."""
    base = load_run(run_dir)
    folder = tmp_path_factory.mktemp("sources") / "run"
    shutil.copytree(run_dir, folder)
    config = load_config(folder / "config.json").with_overrides(
        {
            "ranking.candidates": 6, "export.k": 6, "sources.covisited": 8, "sources.next": 8,
            "sources.popular": 5, "sources.fresh": 3, "ranking.fusion": "cross_attention",
            "ranking.value_head": True, "data.values": "rating",
        }
    )  # fmt: skip
    ranker = build_ranker(config, base.knowledge.schema, base.model.ranker.tables)
    for place, variable in enumerate(ranker.trainable_variables):
        variable.assign_add(tf.random.stateless_normal(variable.shape, [place, 1]) * 0.3)
    tf.train.Checkpoint(model=ranker).write(str(folder / "ranking" / "weights"))
    write_json(folder / "config.json", config.to_dict())
    return load_run(folder)


@pytest.fixture(scope="module")
def model_dir(loaded, tmp_path_factory):
    return export_run(loaded, tmp_path_factory.mktemp("model") / "m", "exact").parent


@pytest.fixture(scope="module")
def served(model_dir):
    return tf.saved_model.load(str(model_dir / "1"))


@pytest.fixture(scope="module")
def users(loaded):
    queries = read_queries(loaded.knowledge.data_dir, loaded.knowledge.schema, "users")
    return queries.take(np.arange(USERS))


def ask_model(loaded, users, diversity=None):
    """The ids and scores of the model itself, asked by rows, and what the towers alone find."""
    seen = np.zeros((USERS, users.seen.lengths.max()), np.int32)
    for place, rows in enumerate(users.seen):
        seen[place, : len(rows)] = rows
    history = tf.constant(users.history_items)
    bucket = tf.fill([USERS], loaded.model.ranker.tables.last_bucket)
    found = loaded.model.recommend(history, tf.constant(seen), bucket, 6, diversity=diversity)
    ids = np.array(loaded.knowledge.catalogue.item_ids)[found.rows.numpy()]
    by_towers = loaded.model.retrieve(history, tf.constant(seen), 6).rows.numpy()
    return ids.tolist(), found.scores.numpy(), by_towers, found.rows.numpy()


def ask_served(served, loaded, users, diversity=None):
    nothing = tf.fill([len(users), 1], "")
    inputs = {
        "user_id": tf.constant(loaded.knowledge.users.ids_of(users.user)),
        "history_item_ids": nothing,
        "exclude_item_ids": nothing,
    }
    name = "recommend"
    if diversity is not None:
        name, inputs["diversity"] = "recommend_diversified", tf.constant(diversity, tf.float32)
    answer = served.signatures[name](**inputs)
    ids = [[item.decode() for item in row] for row in answer["item_ids"].numpy()]
    return ids, answer["scores"].numpy()


def test_candidates_of_all_sources_are_served_as_the_model_ranks_them(served, loaded, users):
    ids, scores, by_towers, rows = ask_model(loaded, users)
    # Something of the further sources is among the best.
    assert any(set(best) - set(near) for best, near in zip(rows, by_towers, strict=True))
    found = ask_served(served, loaded, users)
    assert found[0] == ids
    np.testing.assert_allclose(found[1], scores, rtol=1e-5, atol=1e-4)


def test_each_list_of_a_request_is_as_varied_as_it_asks(served, loaded, users):
    diversity = np.linspace(0, 1, USERS).astype(np.float32)
    diversity[::3] = 0.0
    ids, scores, *_ = ask_model(loaded, users, tf.constant(diversity))
    found = ask_served(served, loaded, users, diversity)
    assert found[0] == ids
    np.testing.assert_allclose(found[1], scores, rtol=1e-5, atol=1e-4)
    plain = ask_served(served, loaded, users)
    assert found[0][::3] == plain[0][::3] and found[0] != plain[0]
    np.testing.assert_array_equal(found[1][::3], plain[1][::3])


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_diversity_that_is_no_share_is_refused(served, loaded, users, value):
    with pytest.raises(tf.errors.InvalidArgumentError, match="diversity must be from 0 to 1"):
        ask_served(served, loaded, users.take([0, 1]), [0.5, value])


def test_a_diversity_is_given_for_each_user(served, loaded, users):
    with pytest.raises(tf.errors.InvalidArgumentError, match="one value for each user_id"):
        ask_served(served, loaded, users.take([0, 1]), [0.5])


def test_the_command_asks_for_varied_lists(model_dir, served, loaded, users, capsys):
    (user,) = loaded.knowledge.users.ids_of(users.user[:1])
    arguments = ["recommend", "--model-dir", str(model_dir), "--user", user, "--diversity", "0.9"]
    assert cli.main(arguments) == 0
    listed = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    assert listed == ask_served(served, loaded, users.take([0]), [0.9])[0][0]
    assert cli.main([*arguments, "--stage", "retrieval"]) == 2
    assert "Leave out --stage retrieval" in capsys.readouterr().err
