"""A last fit on training and validation events, as long as another run has found best.

Early stopping needs events that nobody has learnt from. Once it has said how many epochs are best,
those events are the newest there are to learn from.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

from tfrs_mm.artefacts import read_manifest
from tfrs_mm.config import Config, load_config
from tfrs_mm.errors import UserError
from tfrs_mm.ranking.calibration import CALIBRATION_FILE, Calibration, read_calibration
from tfrs_mm.training.knowledge import Knowledge

_SETTING = "train_on_validation"


@dataclasses.dataclass(frozen=True)
class LastFit:
    """What an earlier run has found.

    Attributes:
        fingerprint: of its manifest.
        retrieval: the epoch of the first stage that was best on validation.
        ranking: the same of the second one; 0 left it untrained.
        calibration: that was fitted on validation; None where the settings want none.
    """

    fingerprint: str
    retrieval: int
    ranking: int
    calibration: Calibration | None


def read_last_fit(
    run_dir: str | os.PathLike[str] | None, knowledge: Knowledge, config: Config
) -> LastFit | None:
    """What a run found that was validated, checked to be of the same items, users and settings.

    Args:
        run_dir: of that run; None for a fit that is validated itself.
        knowledge: of the data folder to be learnt from.
        config: to be learnt with.

    Returns:
        None where `run_dir` is.

    Raises:
        UserError: the data needs such a run and there is none, or the reverse, or it does not
            belong to the data or the settings.
    """
    last = knowledge.config.data.train_on_validation
    if run_dir is None:
        if last:
            raise UserError(
                f"{knowledge.data_dir} was made with data.{_SETTING} and has no validation to stop "
                "a fit by. Give --epochs-from, a run on the same logs with validation."
            )
        return None
    if not last:
        raise UserError(
            f"--epochs-from is for data made with data.{_SETTING}=true, but {knowledge.data_dir} "
            "has a validation of its own. Leave it out, or preprocess with that setting."
        )
    run_dir = pathlib.Path(run_dir)
    manifest = read_manifest(run_dir, "run")
    if manifest["schema"] != knowledge.schema.fingerprint():
        raise UserError(
            f"{run_dir} was trained on records of the schema {manifest['schema']}, but "
            f"{knowledge.data_dir} has {knowledge.schema.fingerprint()}. Preprocess the same input "
            f"twice, with and without data.{_SETTING}."
        )
    theirs, ours = _compared(load_config(run_dir / "config.json")), _compared(config)
    sections = [name for name in ours if theirs.get(name) != ours[name]]
    if sections:
        raise UserError(
            f"the configuration differs from that of {run_dir} in {', '.join(sections)}. The "
            "epochs it found hold for its own settings alone: give the same ones."
        )
    with open(run_dir / "report.json", encoding="utf-8") as file:
        epochs = json.load(file).get("best_epochs")
    if epochs is None:
        raise UserError(
            f"{run_dir}/report.json does not say which epochs were best; an earlier version wrote "
            "it. Train again with `tfrs-mm train`."
        )
    calibration = None
    if config.ranking.calibration != "none":
        path = run_dir / "ranking" / CALIBRATION_FILE
        calibration = read_calibration(path, config.ranking.calibration)
    return LastFit(manifest["fingerprint"], epochs["retrieval"], epochs["ranking"], calibration)


def _compared(config: Config) -> dict[str, Any]:
    """The sections that shape a fit, without the setting that two runs differ in."""
    sections = config.to_dict()
    del sections["data"][_SETTING], sections["export"], sections["index"]
    return sections
