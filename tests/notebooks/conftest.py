"""A finished demo folder, made without weights from the network and without a server."""

import pathlib

import pytest

import tfrs_mm  # noqa: F401  (selects legacy Keras before anything else touches tf.keras)
from tfrs_mm.artefacts import write_json
from tfrs_mm.config import load_config

NUM_ITEMS, NUM_USERS = 60, 60


@pytest.fixture(scope="session")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What `tfrs-mm demo` leaves behind: input, data, run, model and report.json.

    Pictures and text only; the picture of the catalogue's first item is missing.
    """
    from tfrs_mm.commands.evaluate import STAGES, evaluate_run
    from tfrs_mm.commands.export import export_run
    from tfrs_mm.commands.preprocess import preprocess
    from tfrs_mm.data.synthetic import synthesize
    from tfrs_mm.training.run import load_run
    from tfrs_mm.training.train import train

    folder = tmp_path_factory.mktemp("demo")
    synthesize(folder / "input", NUM_ITEMS, NUM_USERS)
    _first_picture(folder / "input").unlink()
    config = load_config(preset="tiny").with_overrides(
        {
            "encoders.image.small_epochs": 1,
            "encoders.text.small_epochs": 1,
            "encoders.audio.kind": "none",
            "encoders.video.kind": "none",
        }
    )
    preprocess(folder / "input", folder / "data", config, folder / "no-weights")
    train(folder / "data", folder / "run", config)
    loaded = load_run(folder / "run", folder / "data")
    export_run(loaded, folder / "model", config.index.kind)
    results = {stage: evaluate_run(loaded, stage, "test")[0] for stage in STAGES}
    write_json(
        folder / "report.json",
        {
            "metrics": {stage: result["metrics"] for stage, result in results.items()},
            "slices": {stage: result["slices"] for stage, result in results.items()},
            "steps": {},
            "served": {"users": [], "rest_equals_grpc": True, "served_equals_in_process": True},
            "config": config.to_dict(),
        },
    )
    return folder


def _first_picture(input_dir: pathlib.Path) -> pathlib.Path:
    import csv

    with open(input_dir / "items.csv", encoding="utf-8", newline="") as file:
        paths = (line["image_path"] for line in csv.DictReader(file))
        return input_dir / next(path for path in paths if path)
