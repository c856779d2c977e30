"""The main job on a synthetic catalogue: media files in, answers over the wire out.

Small encoders stand in for the pretrained ones, so that nothing is downloaded.
"""

import json
import pathlib

import numpy as np
import pytest

from tfrs_mm.cli import main
from tfrs_mm.commands.evaluate import evaluate_run
from tfrs_mm.data.input_pipeline import Queries, read_queries
from tfrs_mm.schema import Modality, Schema
from tfrs_mm.training.run import load_run

pytestmark = pytest.mark.slow
NUM_ITEMS, NUM_USERS = 300, 600
SHOWN = 20


@pytest.fixture(scope="module")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A finished demo; the package registry is not asked, as if it could not be reached."""
    folder = tmp_path_factory.mktemp("e2e")
    settings = [f"encoders.{modality.value}.kind=small" for modality in Modality]
    settings += [f"encoders.{modality.value}.small_epochs=8" for modality in Modality]
    settings += [
        "encoders.video.small_size_px=32",
        "encoders.image.small_size_px=48",
    ]
    with pytest.MonkeyPatch.context() as patch:
        import tfrs_mm.weights

        patch.setattr(
            tfrs_mm.weights, "install_weights", lambda directory: ["weights: not asked for"]
        )
        arguments = ["demo", "--output", str(folder / "demo"), "--weights", str(folder / "weights")]
        arguments += ["--items", str(NUM_ITEMS), "--users", str(NUM_USERS)]
        for setting in settings:
            arguments += ["--set", setting]
        assert main(arguments) == 0
    return folder / "demo"


@pytest.fixture(scope="module")
def report(demo_dir: pathlib.Path) -> dict:
    return json.loads((demo_dir / "report.json").read_text())


def test_both_stages_beat_popularity(report):
    figures = {stage: report["metrics"][stage]["ndcg@10"]["value"] for stage in report["metrics"]}
    assert figures["retrieval"] > 1.4 * figures["popularity"]
    assert figures["ranking"] > 1.4 * figures["popularity"]


def test_items_that_nobody_had_are_recommended_by_their_media_alone(report, demo_dir):
    # Chance: 20 places for each of the items that a user has not had, fewer than all.
    had = np.mean([len(rows) for rows in held_out(demo_dir).seen])
    chance = SHOWN / (NUM_ITEMS - had)
    assert cold_recall(report["slices"]["retrieval"]) >= 3 * chance


def test_without_media_items_that_nobody_had_fall_back_to_chance(demo_dir):
    run = load_run(demo_dir / "run", without=list(Modality))
    result, _, _ = evaluate_run(run, "retrieval", "test")
    had = np.mean([len(rows) for rows in held_out(demo_dir).seen])
    # They all look the same now, so they stand together in every list, mostly far down.
    assert cold_recall(result["slices"]) <= 2 * SHOWN / (NUM_ITEMS - had)


def cold_recall(slices: dict) -> float:
    return slices["cold_items"]["metrics"][f"recall@{SHOWN}"]["value"]


def held_out(demo_dir: pathlib.Path) -> Queries:
    data_dir = demo_dir / "data"
    return read_queries(data_dir, Schema.read(data_dir / "schema.json"), "test")


def test_seconds_of_every_step_are_reported(report):
    assert set(report["steps"]) == {
        "synthesise", "weights", "preprocess", "train", "evaluate", "export", "serve and ask",
    }  # fmt: skip


def test_a_second_run_says_what_it_uses_again(demo_dir, capsys, monkeypatch):
    import tfrs_mm.weights

    monkeypatch.setattr(tfrs_mm.weights, "install_weights", lambda directory: [])
    config = json.loads((demo_dir / "report.json").read_text())["config"]
    path = demo_dir / "config.json"
    path.write_text(json.dumps(config))
    weights = str(demo_dir.parent / "weights")
    arguments = ["demo", "--output", str(demo_dir), "--weights", weights, "--config", str(path)]
    assert main([*arguments, "--items", str(NUM_ITEMS), "--users", str(NUM_USERS)]) == 0
    printed = capsys.readouterr().out
    for step in ("synthesise", "preprocess", "train", "export"):
        assert f"[{step}] reused: " in printed
