"""Every variant of the ranker trains on the small world, saves, reloads and answers the same."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tfrs_mm.artefacts import write_json
from tfrs_mm.commands.answers import ask_sources
from tfrs_mm.commands.evaluate import evaluate_run
from tfrs_mm.config import load_config
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.data.negative_feedback import NEGATIVES_FILE
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.policy import TwoStage, diversifier_of
from tfrs_mm.ranking.calibration import CALIBRATION_FILE, write_calibration
from tfrs_mm.training.calibration import calibrate
from tfrs_mm.training.linear import LINEAR_FILE, read_linear
from tfrs_mm.training.ranking import make_ranking_tables, train_ranking
from tfrs_mm.training.run import Run, load_run
from tfrs_mm.training.train import train

# Each option by itself is held to its contract beside the layer that it switches on.
VARIANTS = {
    "network, tasks, points, dpp, isotonic": {
        "structure": "parallel", "projection_dim": 0, "attention": "modalities",
        "attention_dim": 4, "fusion": "cross_attention", "fusion_dim": 4, "histogram_bins": 5,
        "tasks": ["view", "purchase"],
        "task_balance": "uncertainty", "loss": "pointwise", "diversity": 0.3,
        "diversifier": "dpp", "calibration": "isotonic", "negatives_from": "exposures",
        "exposure_hours": 0.01, "value_head": True, "vectors": False,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def base(run_dir: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of the small world, whose data knows a second kind of events, and what every other
    user was shown at any of them."""
    loaded = load_run(run_dir)
    data_dir = tmp_path_factory.mktemp("kinds") / "data"
    shutil.copytree(loaded.knowledge.data_dir, data_dir)
    Vocabulary(("view", "purchase")).write(data_dir / "vocabulary" / "events.txt")
    windows = read_windows(data_dir, loaded.knowledge.schema)
    rows, times = windows["history/item"], windows["history/time"]
    window, place = np.nonzero((rows > 0) & (windows["user"] % 2 == 0)[:, None])
    table = {
        "user_id": loaded.knowledge.users.ids_of(windows["user"][window]).tolist(),
        "item": rows[window, place].astype(np.int64) % 50 + 1,
        "time": times[window, place].astype(np.float64),
    }
    pq.write_table(pa.table(table), data_dir / "behaviour" / NEGATIVES_FILE)
    return dataclasses.replace(
        loaded, knowledge=dataclasses.replace(loaded.knowledge, data_dir=data_dir)
    )


def windows_of(base):
    """Every third event is a purchase, and two of three have a rating."""
    windows = read_windows(base.knowledge.data_dir, base.knowledge.schema)
    events = np.broadcast_to(
        np.arange(windows["history/event"].shape[1]) % 3 // 2 + 1, windows["history/event"].shape
    )
    return windows | {
        "history/event": events,
        "history/value": (windows["history/item"] % 5).astype(np.float32),
        "history/value_present": (events == 1).astype(np.int64),
    }


def tables_of(base, config, linear):
    return make_ranking_tables(
        base.knowledge, base.item_vectors, base.modality_values, linear, config.ranking.vectors
    )


def answers(model, queries):
    """Lists and scores for a few users."""
    history = tf.constant(queries.history_items[:16])
    found = model.recommend(history, history, tf.zeros([16], tf.int32), 6)
    return found.rows.numpy(), found.scores.numpy()


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_variant_trains_reloads_and_answers_the_same(name, base, run_dir, tmp_path):
    knowledge, query_model = base.knowledge, base.model.query_model
    settings = {"max_epochs": 1, "learning_rate": 0.01, "max_examples": 128} | VARIANTS[name]
    settings = {f"ranking.{key}": value for key, value in settings.items()}
    config = base.config.with_overrides(settings | {"data.values": "rating"})
    linear = read_linear(run_dir / LINEAR_FILE, config.linear)
    tables = tables_of(base, config, linear)
    stage = train_ranking(
        knowledge,
        config,
        query_model,
        tables,
        windows_of(base),
        (linear, linear),
        tmp_path / "work",
    )
    assert stage.epochs == 1 and stage.best >= stage.history[0]
    # Whatever was best on so few users, what is saved is a ranker that has learnt something.
    for place, variable in enumerate(stage.model.trainable_variables):
        variable.assign_add(tf.random.stateless_normal(variable.shape, [place, 1]) * 0.05)

    copy = tmp_path / "run"
    shutil.copytree(run_dir, copy)
    write_json(copy / "config.json", config.to_dict())
    tf.train.Checkpoint(model=stage.model).write(str(copy / "ranking" / "weights"))
    calibration = None
    if config.ranking.calibration != "none":
        calibration, report = calibrate(knowledge, config, query_model, stage.model)
        assert report["ece"]["after"] < report["ece"]["before"]
        write_calibration(copy / "ranking" / CALIBRATION_FILE, calibration)
    model = TwoStage(
        query_model, base.model.towers.index, stage.model, config.ranking.candidates, (),
        diversifier_of(config.ranking), calibration,
    )  # fmt: skip
    queries = read_queries(knowledge.data_dir, knowledge.schema, "valid")
    expected, found = answers(model, queries), answers(load_run(copy).model, queries)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5)


def test_exposures_that_no_positive_has_are_told(base, tmp_path):
    config = base.config.with_overrides(
        {"ranking.negatives_from": "exposures", "ranking.exposure_hours": 1e-6}
    )
    windows = read_windows(base.knowledge.data_dir, base.knowledge.schema)
    windows["is_target"] = windows["is_target"] & (windows["user"] % 2 == 1)[:, None]
    tables = tables_of(base, config, {})
    with pytest.raises(UserError, match=r"Raise `ranking.exposure_hours`, or set"):
        train_ranking(
            base.knowledge, config, base.model.query_model, tables, windows, ({}, {}), tmp_path
        )


def test_a_run_of_several_sources_answers_with_calibrated_probabilities(data_dir, tmp_path):
    config = load_config(data_dir / "config.json").with_overrides(
        {
            "retrieval.max_epochs": 1, "ranking.max_epochs": 1, "ranking.max_examples": 128,
            "ranking.loss": "pairwise", "ranking.calibration": "platt",
            "ranking.candidates": 20, "sources.covisited": 8, "sources.next": 8,
            "sources.popular": 5, "sources.fresh": 3,
        }
    )  # fmt: skip
    report = train(data_dir, tmp_path / "run", config)
    assert report["calibration"]["kind"] == "platt"
    assert report["calibration"]["ece"]["after"] < report["calibration"]["ece"]["before"]
    assert report == json.loads((tmp_path / "run" / "report.json").read_text())
    run = load_run(tmp_path / "run")
    result, ranked, _ = evaluate_run(run, "ranking", "valid")
    np.testing.assert_allclose(
        result["metrics"]["ndcg@10"]["value"], report["validation_ndcg@10"]["ranking"], atol=1e-6
    )
    scores = ranked.scores[ranked.rows > 0]
    assert 0 < scores.min() and scores.max() < 1
    queries = read_queries(data_dir, run.knowledge.schema, "valid")
    found = ask_sources(run, queries, [np.unique(rows) for rows in queries.targets])
    assert list(found["sources"]) == ["two_tower", "covisited", "next", "popular", "fresh"]
    assert all(of["items"] > 0 for of in found["sources"].values())
    assert found["union"]["recall"] >= max(of["recall"] for of in found["sources"].values())
