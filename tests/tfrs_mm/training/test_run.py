import json
import pathlib
import shutil

import numpy as np
import pytest

from tfrs_mm.config import load_config
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality
from tfrs_mm.training.run import load_run
from tfrs_mm.training.train import train


def config_of(data_dir: pathlib.Path, **overrides):
    config = load_config(data_dir / "config.json")
    return config.with_overrides(
        {name.replace("__", "."): value for name, value in overrides.items()}
    )


def test_a_run_holds_both_stages_and_what_they_were_made_from(run_dir, data_dir):
    report = json.loads((run_dir / "report.json").read_text())
    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert (
        manifest["made_from"]["data"]
        == json.loads((data_dir / "manifest.json").read_text())["fingerprint"]
    )
    assert report["validation_ndcg@10"]["ranking"] >= report["validation_ndcg@10"]["retrieval"]
    assert list((run_dir / "tensorboard" / "retrieval").rglob("events*"))
    assert not (run_dir / "checkpoints").exists()


def test_a_loaded_run_has_the_item_vectors_it_was_saved_with(run_dir):
    loaded = load_run(run_dir)
    again = load_run(run_dir, without=[Modality.IMAGE])
    np.testing.assert_allclose(loaded.item_vectors[1:], np.load(run_dir / "item_vectors.npy")[1:])
    changed = np.abs(again.item_vectors - loaded.item_vectors).max(axis=1) > 1e-4
    has_image = loaded.knowledge.catalogue.present[:, 0]
    assert changed[1:].tolist() == has_image[1:].tolist()


def test_a_modality_that_the_data_lacks_cannot_be_taken_away(run_dir):
    with pytest.raises(
        UserError, match=r"--without names \['video'\], but the data has \['image', 'text'\]"
    ):
        load_run(run_dir, without=[Modality.VIDEO])


def test_an_existing_run_is_not_replaced(run_dir, data_dir):
    with pytest.raises(UserError, match="exists"):
        train(data_dir, run_dir, config_of(data_dir))


def test_settings_that_made_the_data_cannot_be_changed_when_training(data_dir, tmp_path):
    with pytest.raises(UserError, match="section 'data'"):
        train(data_dir, tmp_path / "run", config_of(data_dir, data__max_history=20))
    assert not list(tmp_path.iterdir())


def test_a_run_refuses_other_data(run_dir, data_dir, tmp_path):
    other = tmp_path / "data"
    shutil.copytree(data_dir, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["fingerprint"] = "0" * 16
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="Train again, or give the data it was trained on"):
        load_run(run_dir, other)


@pytest.mark.slow
def test_an_interrupted_training_goes_on_where_it_stopped(data_dir, tmp_path, monkeypatch):
    import tfrs_mm.training.train as run_module

    config = config_of(data_dir, retrieval__max_epochs=3, ranking__max_epochs=1)

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "train_ranking", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(data_dir, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()
    assert (tmp_path / "run.partial" / "checkpoints" / "retrieval").is_dir()
    with pytest.raises(
        UserError, match="interrupted training from other data or another configuration"
    ):
        train(data_dir, tmp_path / "run", config_of(data_dir, retrieval__max_epochs=2))
    report = train(data_dir, tmp_path / "run", config)
    assert report["resumed"]
    assert report["history"]["retrieval"] == []  # nothing was fitted twice
    assert (tmp_path / "run" / "manifest.json").is_file()
    assert not (tmp_path / "run.partial").exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(data_dir, run_dir, tmp_path):
    train(data_dir, tmp_path / "again", config_of(data_dir))
    np.testing.assert_allclose(
        np.load(tmp_path / "again" / "item_vectors.npy"),
        np.load(run_dir / "item_vectors.npy"),
        atol=2e-3,
    )


def test_weights_of_another_model_are_refused(run_dir, tmp_path):
    import tensorflow as tf

    other = tmp_path / "run"
    shutil.copytree(run_dir, other)
    for path in (other / "ranking").iterdir():
        path.unlink()
    tf.train.Checkpoint(other=tf.Variable(1.0)).write(str(other / "ranking" / "weights"))
    with pytest.raises(UserError, match="Train again with `tfrs-mm train`"):
        load_run(other)


def test_a_reloaded_run_repeats_its_validation_figures(run_dir):
    from tfrs_mm.commands.evaluate import evaluate_run

    loaded = load_run(run_dir)
    reported = json.loads((run_dir / "report.json").read_text())["validation_ndcg@10"]
    for stage in ("retrieval", "ranking"):
        result, _, _ = evaluate_run(loaded, stage, "valid")
        np.testing.assert_allclose(
            result["metrics"]["ndcg@10"]["value"], reported[stage], atol=1e-6
        )
