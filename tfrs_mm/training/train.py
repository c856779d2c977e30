"""`train`: from a data folder to a run folder, alone or as one of several workers."""

import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow as tf

from tfrs_mm import _runtime
from tfrs_mm.artefacts import fingerprint_tree, write_json, write_manifest
from tfrs_mm.config import Config
from tfrs_mm.data.examples import IS_TARGET
from tfrs_mm.data.input_pipeline import read_windows
from tfrs_mm.data.reduction import Reduction
from tfrs_mm.errors import UserError
from tfrs_mm.ranking.calibration import CALIBRATION_FILE, write_calibration
from tfrs_mm.retrieval import QueryModel
from tfrs_mm.schema import Modality
from tfrs_mm.training.calibration import calibrate
from tfrs_mm.training.holdout import Holdout, count_targets
from tfrs_mm.training.knowledge import Knowledge, fit_reductions, read_knowledge, reduced_values
from tfrs_mm.training.last_fit import LastFit, read_last_fit
from tfrs_mm.training.linear import LINEAR_FILE, LinearModels, fit_linear, write_linear
from tfrs_mm.training.ranking import make_ranking_tables, train_ranking
from tfrs_mm.training.retrieval import (
    TrainedStage,
    corpus_vectors,
    train_retrieval,
)
from tfrs_mm.training.strategy import make_strategy, worker_of

_WORK = "work.json"


def train(
    data_dir: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    config: Config,
    epochs_from: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Trains both stages and writes a run folder, whole or not at all.

    Work goes on in `RUN.partial`; what an interruption left there is gone on with if it was started
    from the same data and configuration. Of several workers, which share the folders, the first
    one trains the ranker and writes; the others help with the towers.

    Args:
        data_dir: that `tfrs-mm preprocess` wrote.
        run_dir: to write.
        config: the whole tree.
        epochs_from: for data made with `data.train_on_validation`, the run that says how long to
            fit, see `read_last_fit`.

    Returns:
        The report: validation figures and seconds, of this worker.

    Raises:
        UserError: `run_dir` exists, the data folder is none, the configuration contradicts the
            data, `epochs_from` does not belong to both, or another work in progress stands in the
            way.
    """
    run_dir = pathlib.Path(run_dir)
    if run_dir.exists():
        raise UserError(f"{run_dir} exists. Give another --output, or remove it.")
    strategy = make_strategy(config.training.strategy, config.retrieval.batch_size)
    worker = worker_of(strategy)
    knowledge = read_knowledge(data_dir)
    for section in ("data", "encoders"):
        if config.fingerprint(section) != knowledge.config.fingerprint(section):
            raise UserError(
                f"the configuration's section {section!r} is not the one {data_dir} was made with. "
                "Leave it out when training, or preprocess again."
            )
    last_fit = read_last_fit(epochs_from, knowledge, config)
    made_from = {"data": knowledge.fingerprint, "config": config.fingerprint()}
    if last_fit is not None:
        made_from["epochs"] = last_fit.fingerprint
    saved_dir = run_dir.with_name(run_dir.name + ".partial")
    _runtime.seed_everything(config.training.seed)
    _check_left(saved_dir, made_from)
    if worker > 0:
        with tempfile.TemporaryDirectory() as scratch:
            towers = _fit_towers(
                knowledge, config, strategy, pathlib.Path(scratch), saved_dir, last_fit
            )
        return _report({"retrieval": towers.stage}, {"retrieval": towers.seconds})

    work_dir = _work_folder(saved_dir, made_from)
    towers = _fit_towers(knowledge, config, strategy, work_dir, saved_dir, last_fit)
    retrieval, item_vectors, values = towers.stage, towers.item_vectors, towers.modality_values
    started = time.monotonic()
    query_model = QueryModel(retrieval.model.user_tower, item_vectors)
    linear = towers.linear
    tables = make_ranking_tables(knowledge, item_vectors, values, linear[1], config.ranking.vectors)
    ranking = train_ranking(
        knowledge, config, query_model, tables, towers.left_to_ranker, linear, work_dir,
        None if last_fit is None else last_fit.ranking,
    )  # fmt: skip
    report = _report(
        {"retrieval": retrieval, "ranking": ranking},
        {"retrieval": towers.seconds, "ranking": time.monotonic() - started},
    )

    if config.ranking.calibration != "none":
        if last_fit is None:
            calibration, report["calibration"] = calibrate(
                knowledge, config, query_model, ranking.model
            )
        else:
            calibration = last_fit.calibration
        (work_dir / "ranking").mkdir(exist_ok=True)
        write_calibration(work_dir / "ranking" / CALIBRATION_FILE, calibration)
    tf.train.Checkpoint(model=retrieval.model).write(str(work_dir / "retrieval" / "weights"))
    tf.train.Checkpoint(model=ranking.model).write(str(work_dir / "ranking" / "weights"))
    if linear[1]:
        write_linear(linear[1], work_dir / LINEAR_FILE)
    np.save(work_dir / "item_vectors.npy", item_vectors)
    np.save(work_dir / "modality_values.npy", values)
    np.save(work_dir / "target_counts.npy", towers.target_counts)
    (work_dir / "reductions").mkdir(exist_ok=True)
    for modality, reduction in towers.reductions.items():
        np.savez(work_dir / "reductions" / f"{modality.value}.npz", **dataclasses.asdict(reduction))
    shutil.rmtree(work_dir / "checkpoints")
    (work_dir / _WORK).unlink()
    write_json(work_dir / "config.json", config.to_dict())
    write_json(work_dir / "report.json", report)
    knowledge.schema.write(work_dir / "schema.json")
    write_manifest(
        work_dir,
        "run",
        made_from | {"weights": fingerprint_tree(work_dir / "retrieval")},
        data_dir=str(knowledge.data_dir.resolve()),
        schema=knowledge.schema.fingerprint(),
    )
    os.rename(work_dir, run_dir)
    return report


@dataclasses.dataclass(frozen=True)
class _Towers:
    """The trained first stage, and what it leaves to the second.

    Attributes:
        stage: how the fit went.
        reductions: of each modality.
        modality_values: `[items + 1, modality, reduced_dim]`.
        target_counts: `[items + 1]`, how often each row was a target.
        item_vectors: `[items + 1, dim]`.
        left_to_ranker: windows whose targets are the ranker's positives.
        linear: models that do not know these, and such as know all events.
        seconds: it took.
    """

    stage: TrainedStage
    reductions: dict[Modality, Reduction]
    modality_values: np.ndarray
    target_counts: np.ndarray
    item_vectors: np.ndarray
    left_to_ranker: dict[str, np.ndarray]
    linear: tuple[LinearModels, LinearModels]
    seconds: float


def _fit_towers(
    knowledge: Knowledge,
    config: Config,
    strategy: tf.distribute.Strategy,
    work_dir: pathlib.Path,
    saved_dir: pathlib.Path,
    last_fit: LastFit | None,
) -> _Towers:
    started = time.monotonic()
    schema, dim, share = knowledge.schema, config.fusion.reduced_dim, config.ranking.holdout
    reductions = fit_reductions(knowledge, dim)
    values = reduced_values(knowledge, reductions, dim)
    windows = read_windows(knowledge.data_dir, schema)
    holdout = Holdout.of_newest(windows, share, config.training.seed)
    held = holdout.is_held(windows)
    counts = count_targets(windows, windows[IS_TARGET] & ~held, schema.num_items)
    stage = train_retrieval(
        knowledge, config, values, holdout, counts, strategy, work_dir, saved_dir,
        None if last_fit is None else last_fit.retrieval,
    )  # fmt: skip
    vectors = corpus_vectors(stage.model, schema.num_items + 1)
    left = windows | {IS_TARGET: held} if share > 0 else windows
    linear = tuple(
        fit_linear(windows, events, schema.num_items, config.linear)
        for events in (windows[IS_TARGET] & ~held, windows[IS_TARGET])
    )
    seconds = time.monotonic() - started
    return _Towers(stage, reductions, values, counts, vectors, left, linear, seconds)


def _report(stages: dict[str, TrainedStage], seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "validation_ndcg@10": {name: stage.best for name, stage in stages.items()},
        "epochs": {name: stage.epochs for name, stage in stages.items()},
        "best_epochs": {name: stage.best_epoch for name, stage in stages.items()},
        "history": {name: stage.history for name, stage in stages.items()},
        "resumed": any(stage.resumed for stage in stages.values()),
        "seconds": seconds,
    }


def _work_folder(work_dir: pathlib.Path, made_from: dict[str, str]) -> pathlib.Path:
    """`RUN.partial`, new or left by an interrupted training from the same sources."""
    work_dir.mkdir(parents=True, exist_ok=True)
    if not (work_dir / _WORK).is_file():
        write_json(work_dir / _WORK, made_from)
    return work_dir


def _check_left(work_dir: pathlib.Path, made_from: dict[str, str]) -> None:
    """Passes if `work_dir` is not there, is empty, or was begun from the same sources.

    Raises:
        UserError: it is another work in progress, or something else.
    """
    marker = work_dir / _WORK
    if not work_dir.exists() or (work_dir.is_dir() and not any(work_dir.iterdir())):
        return
    if not marker.is_file() or json.loads(marker.read_text("utf-8")) != made_from:
        raise UserError(
            f"{work_dir} holds an interrupted training from other data or another "
            "configuration. Remove it to start anew."
        )
