"""Every variant of the ranker trains on the small world, saves, reloads and answers the same."""

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.artefacts import write_json
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.policy import TwoStage, diversifier_of
from tfrs_mm.ranking.calibration import CALIBRATION_FILE, write_calibration
from tfrs_mm.training.calibration import calibrate
from tfrs_mm.training.ranking import make_ranking_tables, train_ranking
from tfrs_mm.training.run import Run, load_run

VARIANTS = {
    "parallel and full rank": {"structure": "parallel", "projection_dim": 0},
    "attention and histograms": {
        "attention": "modalities", "attention_dim": 4, "histogram_bins": 5,
    },
    "pairwise, varied by mmr, platt": {
        "loss": "pairwise", "diversity": 0.3, "calibration": "platt",
    },
    "pointwise, varied by dpp, isotonic": {
        "loss": "pointwise", "diversity": 0.3, "diversifier": "dpp", "calibration": "isotonic",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def base(run_dir: pathlib.Path) -> Run:
    return load_run(run_dir)


def answers(model, queries):
    """Lists and scores for a few users."""
    history = tf.constant(queries.history_items[:16])
    found = model.recommend(history, history, tf.zeros([16], tf.int32), 6)
    return found.rows.numpy(), found.scores.numpy()


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_variant_trains_reloads_and_answers_the_same(name, base, run_dir, tmp_path):
    knowledge, query_model = base.knowledge, base.model.query_model
    settings = {"max_epochs": 1, "learning_rate": 0.01, "max_examples": 128} | VARIANTS[name]
    config = base.config.with_overrides({f"ranking.{key}": v for key, v in settings.items()})
    tables = make_ranking_tables(knowledge, base.item_vectors, base.modality_values)
    windows = read_windows(knowledge.data_dir, knowledge.schema)
    stage = train_ranking(knowledge, config, query_model, tables, windows, tmp_path / "work")
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
        query_model, base.model.index, stage.model, config.ranking.candidates,
        diversifier_of(config.ranking), calibration,
    )  # fmt: skip
    queries = read_queries(knowledge.data_dir, knowledge.schema, "valid")
    expected, found = answers(model, queries), answers(load_run(copy).model, queries)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5)
    assert (found[0] != answers(base.model, queries)[0]).any()
