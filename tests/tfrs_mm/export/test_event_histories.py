"""What the user tower knows of events reaches it alike when evaluated and when served, and several
interests are searched alike."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from serving.client import ClientError, Query, RecommenderClient
from serving.loading import read_signature_defs
from tfrs_mm import signatures
from tfrs_mm.cli import main
from tfrs_mm.commands.answers import ask_sources, rank_with
from tfrs_mm.commands.export import export_run
from tfrs_mm.data.input_pipeline import read_queries
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.retrieval import QueryModel, build_two_tower
from tfrs_mm.training.retrieval import make_item_tables
from tfrs_mm.training.run import load_run

CHOSEN = (0, 7, 41)


@pytest.fixture(scope="module")
def loaded(run_dir):
    """The run of the small world, whose tower has two interests, and reads times and kinds with
    embeddings by chance."""
    base = load_run(run_dir)
    config = base.config.with_overrides(
        {"retrieval.time_gaps": 8, "retrieval.event_kinds": True, "retrieval.interests": 2}
    )
    knowledge, counts = base.knowledge, base.knowledge.target_counts
    tables = make_item_tables(knowledge, base.modality_values, counts)
    two_tower = build_two_tower(config, knowledge.schema, tables, counts)
    tf.train.Checkpoint(model=two_tower).read(
        str(run_dir / "retrieval" / "weights")
    ).expect_partial()
    for seed, weight in enumerate(two_tower.user_tower.trainable_variables):
        if "history_" in weight.name:
            weight.assign(3 * tf.random.stateless_normal(weight.shape, [seed, 1]))
    query_model = QueryModel(two_tower.user_tower, base.item_vectors)
    index = ExactIndex(query_model.item_vectors)
    model = TwoStage(query_model, index, base.model.ranker, config.ranking.candidates)
    return dataclasses.replace(base, config=config, model=model)


@pytest.fixture(scope="module")
def model_dir(loaded, tmp_path_factory):
    return export_run(loaded, tmp_path_factory.mktemp("events") / "m", "exact").parent


@pytest.fixture(scope="module")
def client(model_dir):
    with RecommenderClient.in_process(model_dir) as client:
        yield client


@pytest.fixture(scope="module")
def queries(loaded):
    """Three queries of the test split, whose gaps are made to differ."""
    knowledge = loaded.knowledge
    found = read_queries(knowledge.data_dir, knowledge.schema, "test").take(np.array(CHOSEN))
    filled = found.history_items > 0
    times = np.cumsum(2 ** (np.arange(found.history_items.shape[1]) % 5), axis=0)
    return dataclasses.replace(found, history_times=np.where(filled, times, 0))


def histories(loaded, queries):
    item_ids = loaded.knowledge.catalogue.item_ids
    return [[item_ids[row] for row in rows if row] for rows in queries.history_items]


def ids_of(loaded, ranked):
    item_ids = loaded.knowledge.catalogue.item_ids
    return [[item_ids[row] for row in rows[:10]] for rows in ranked.rows]


def test_a_history_with_times_in_a_request_is_answered_as_it_is_evaluated(loaded, queries, client):
    asked = [
        Query("", history, (), times[: len(history)].tolist(), ["view"] * len(history))
        for history, times in zip(histories(loaded, queries), queries.history_times, strict=True)
    ]
    for stage, signature in (("retrieval", "retrieve"), ("ranking", "recommend")):
        wanted = ids_of(loaded, rank_with(loaded, stage, queries, "rank"))
        answers = client.recommend_many(asked, signature=signature)
        assert [[item.item_id for item in answer] for answer in answers] == wanted
    plain = client.recommend_many([Query("", q.history) for q in asked], signature="retrieve")
    assert [[item.score for item in answer] for answer in plain] != [
        [item.score for item in answer]
        for answer in client.recommend_many(asked, signature="retrieve")
    ]


def test_a_kept_history_is_answered_with_its_own_times(loaded, client):
    knowledge = loaded.knowledge
    users = read_queries(knowledge.data_dir, knowledge.schema, "users").take(np.array(CHOSEN))
    wanted = ids_of(loaded, rank_with(loaded, "retrieval", users, "rank"))
    for user_id, ids in zip(knowledge.users.ids_of(users.user), wanted, strict=True):
        assert [item.item_id for item in client.retrieve(user_id)] == ids


def test_sources_are_asked_with_times_as_well(loaded, queries):
    told = rank_with(loaded, "retrieval", queries, "rank").rows
    # The last of the candidates that the towers find where they know the times.
    relevant = list(
        told[:, loaded.config.ranking.candidates - 5 : loaded.config.ranking.candidates]
    )
    assert ask_sources(loaded, queries, relevant)["union"]["recall"] == pytest.approx(1.0)
    unknown = np.full_like(queries.history_times, signatures.NO_TIME)
    unknown = dataclasses.replace(queries, history_times=unknown)
    assert ask_sources(loaded, unknown, relevant)["union"]["recall"] < 0.99


def test_a_request_without_times_says_that_they_are_unknown(client):
    history = ["item-2", "item-6", "item-10"]
    told = client.recommend(history=history, times=[None] * 3)
    assert told == client.recommend(history=history)
    assert told != client.recommend(history=history, times=[10, 20, 30])
    # Unknown to the model where it lies, not where it is written.
    spread = ["item-2", "", "item-6", "item-10"]
    assert client.recommend(history=spread, times=[10, 99, 20, 30], kinds=["view"] * 4) == (
        client.recommend(history=history, times=[10, 20, 30], kinds=["view"] * 3)
    )


def test_what_does_not_fit_the_history_is_refused(client):
    with pytest.raises(ClientError, match=r"kinds must be empty or have one entry .* received 1"):
        client.recommend(history=["item-2", "item-6"], kinds=["view"])
    with pytest.raises(ClientError, match=r"times must hold whole seconds or None, received 1\.5"):
        client.recommend(history=["item-2"], times=[1.5])
    with pytest.raises(ClientError, match=r"history_kinds: the model does not know.*bogus"):
        client.recommend(history=["item-2"], kinds=["bogus"])


def test_the_signatures_of_events_are_the_declared_ones(model_dir, client):
    declared = read_signature_defs(model_dir / "1")
    wanted = {
        tensor.name: (tf.as_dtype(tensor.dtype).as_datatype_enum, len(tensor.shape))
        for tensor in signatures.EVENT_INPUTS
    }
    for name in signatures.EVENT_SIGNATURES.values():
        assert {
            key: (info.dtype, len(info.tensor_shape.dim))
            for key, info in declared[name].inputs.items()
        } == wanted
    two = np.array([[b"item-2", b"item-6"]], object)
    inputs = {
        "user_id": two[:, 0], "history_item_ids": two, "exclude_item_ids": two,
        "history_times": np.array([[1]]), "history_kinds": two,
    }  # fmt: skip
    with pytest.raises(ClientError, match="history_times must have one value for each"):
        client._transport.predict("recommend_events", inputs, (), None)


def test_the_command_takes_times_and_kinds(client, capsys, monkeypatch):
    monkeypatch.setattr(RecommenderClient, "in_process", lambda _: client)
    command = ["recommend", "--model-dir", "m", "--history", "item-2,item-6", "--k", "3"]
    assert main([*command, "--times", "10,20", "--kinds", "view,view"]) == 0
    shown = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    wanted = client.recommend(history=["item-2", "item-6"], times=[10, 20], kinds=["view"] * 2)
    assert shown == [item.item_id for item in wanted[:3]]
    assert main([*command, "--times", "soon"]) == 2
    assert "--times must be whole seconds, received 'soon'" in capsys.readouterr().err
