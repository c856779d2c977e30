"""A last fit on data without validation, for as long as an earlier run found best."""

import json
import math
import pathlib
import shutil

import numpy as np
import pytest

from tfrs_mm.config import load_config
from tfrs_mm.errors import UserError
from tfrs_mm.training.knowledge import read_knowledge
from tfrs_mm.training.last_fit import read_last_fit
from tfrs_mm.training.run import load_run
from tfrs_mm.training.train import train


def changed(folder: pathlib.Path, name: str, **values) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture(scope="module")
def last_data(data_dir, tmp_path_factory) -> pathlib.Path:
    """The same records, made as if what was validation had been added to them."""
    folder = tmp_path_factory.mktemp("last") / "data"
    shutil.copytree(data_dir, folder)
    data = json.loads((folder / "config.json").read_text())["data"]
    changed(folder, "config.json", data=data | {"train_on_validation": True})
    changed(folder, "manifest.json", fingerprint="1" * 16)
    return folder


def config_of(run_dir: pathlib.Path, **overrides):
    config = load_config(run_dir / "config.json")
    values = {name.replace("__", "."): value for name, value in overrides.items()}
    return config.with_overrides({"data.train_on_validation": True} | values)


def test_it_fits_the_best_epochs_and_validates_nothing(run_dir, last_data, tmp_path):
    first = json.loads((run_dir / "report.json").read_text())
    report = train(last_data, tmp_path / "run", config_of(run_dir), run_dir)
    assert report["epochs"] == report["best_epochs"] == first["best_epochs"]
    assert report["validation_ndcg@10"] == {"retrieval": None, "ranking": None}
    assert report["history"] == {"retrieval": [], "ranking": []}
    made_from = json.loads((tmp_path / "run" / "manifest.json").read_text())["made_from"]
    of_first = json.loads((run_dir / "manifest.json").read_text())["fingerprint"]
    assert made_from["epochs"] == of_first
    # The same events, seed and number of epochs make the same towers.
    loaded = load_run(tmp_path / "run")
    np.testing.assert_allclose(
        loaded.item_vectors[1:], load_run(run_dir).item_vectors[1:], atol=2e-3
    )


def test_the_best_epoch_is_the_one_of_the_best_figure(run_dir):
    report = json.loads((run_dir / "report.json").read_text())
    for stage, before in (("retrieval", 0), ("ranking", 1)):
        history = report["history"][stage]
        # The untrained ranker is validated as well, and counts as epoch 0.
        assert report["best_epochs"][stage] == int(np.argmax(history)) + 1 - before
        assert math.isclose(max(history), report["validation_ndcg@10"][stage])


def test_data_without_validation_needs_a_run_that_had_one(run_dir, last_data, tmp_path):
    with pytest.raises(UserError, match=r"no validation to stop a fit by\. Give --epochs-from"):
        train(last_data, tmp_path / "run", config_of(run_dir))


def test_data_with_validation_stops_by_its_own(run_dir, data_dir, tmp_path):
    config = load_config(run_dir / "config.json")
    with pytest.raises(UserError, match="has a validation of its own"):
        train(data_dir, tmp_path / "run", config, run_dir)


def test_epochs_of_other_settings_or_other_records_are_refused(run_dir, last_data, tmp_path):
    knowledge = read_knowledge(last_data)
    other = config_of(run_dir, retrieval__learning_rate=0.5, ranking__dropout=0.0)
    with pytest.raises(UserError, match=r"differs from that of .* in retrieval, ranking"):
        read_last_fit(run_dir, knowledge, other)
    # What is served and how it is searched may differ.
    assert read_last_fit(run_dir, knowledge, config_of(run_dir, export__k=5)).retrieval >= 1
    stranger = tmp_path / "run"
    shutil.copytree(run_dir, stranger)
    changed(stranger, "manifest.json", schema="0" * 16)
    with pytest.raises(UserError, match="Preprocess the same input twice"):
        read_last_fit(stranger, knowledge, config_of(run_dir))


def test_a_run_whose_report_knows_no_best_epochs_is_refused(run_dir, last_data, tmp_path):
    older = tmp_path / "run"
    shutil.copytree(run_dir, older)
    report = json.loads((older / "report.json").read_text())
    del report["best_epochs"]
    (older / "report.json").write_text(json.dumps(report))
    with pytest.raises(UserError, match=r"does not say which epochs were best.*Train again"):
        read_last_fit(older, read_knowledge(last_data), config_of(run_dir))


def test_a_split_without_queries_cannot_be_measured_on(run_dir, monkeypatch):
    from tfrs_mm.commands.answers import answer
    from tfrs_mm.data import input_pipeline

    read = input_pipeline.read_queries
    monkeypatch.setattr(input_pipeline, "read_queries", lambda *of: read(*of).take(np.arange(0)))
    with pytest.raises(UserError, match=r"no valid queries to measure on.*other split with --on"):
        answer(load_run(run_dir), "retrieval", "valid")
