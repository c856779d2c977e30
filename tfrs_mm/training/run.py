"""A run folder: both trained stages, what they were made from, and how to load them again.

RUN/manifest.json config.json schema.json report.json
    retrieval/ ranking/          weights, TensorFlow checkpoints
    item_vectors.npy             [items + 1, dim], the item tower's
    modality_values.npy          [items + 1, modality, reduced_dim]
    target_counts.npy            [items + 1], targets of retrieval's training
    reductions/<modality>.npz    how the latter were made
    tensorboard/                 curves of both fits
"""

import dataclasses
import json
import os
import pathlib
import shutil
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrs_mm import _runtime
from tfrs_mm.artefacts import fingerprint_tree, read_manifest, write_json, write_manifest
from tfrs_mm.config import Config, load_config
from tfrs_mm.data.examples import IS_TARGET
from tfrs_mm.data.input_pipeline import read_windows
from tfrs_mm.errors import UserError
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.ranking import build_ranker
from tfrs_mm.retrieval import QueryModel, build_two_tower
from tfrs_mm.schema import Modality
from tfrs_mm.training.holdout import Holdout, count_targets
from tfrs_mm.training.knowledge import Knowledge, fit_reductions, read_knowledge, reduced_values
from tfrs_mm.training.ranking import make_ranking_tables, train_ranking
from tfrs_mm.training.retrieval import corpus_vectors, make_item_tables, train_retrieval

_WORK = "work.json"


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run, ready to answer.

    Attributes:
        run_dir: the folder.
        fingerprint: of its manifest.
        config: it was trained with.
        knowledge: of the data folder it was trained on.
        item_vectors: `[items + 1, dim]`.
        modality_values: `[items + 1, modality, reduced_dim]`.
        model: both stages, over the exact index.
    """

    run_dir: pathlib.Path
    fingerprint: str
    config: Config
    knowledge: Knowledge
    item_vectors: np.ndarray
    modality_values: np.ndarray
    model: TwoStage


def train(
    data_dir: str | os.PathLike[str], run_dir: str | os.PathLike[str], config: Config
) -> dict[str, Any]:
    """Trains both stages and writes a run folder, whole or not at all.

    Work goes on in `RUN.partial`; what an interruption left there is gone on with if it was started
    from the same data and configuration.

    Returns:
        The report: validation figures and seconds.

    Raises:
        UserError: `run_dir` exists, the data folder is none, the configuration contradicts the
            data, or another work in progress stands in the way.
    """
    run_dir = pathlib.Path(run_dir)
    if run_dir.exists():
        raise UserError(f"{run_dir} exists. Give another --output, or remove it.")
    knowledge = read_knowledge(data_dir)
    for section in ("data", "encoders"):
        if config.fingerprint(section) != knowledge.config.fingerprint(section):
            raise UserError(
                f"the configuration's section {section!r} is not the one {data_dir} was made with. "
                "Leave it out when training, or preprocess again."
            )
    made_from = {"data": knowledge.fingerprint, "config": config.fingerprint()}
    work_dir = _work_folder(run_dir, made_from)
    _runtime.seed_everything(config.training.seed)

    started = time.monotonic()
    dim = config.fusion.reduced_dim
    reductions = fit_reductions(knowledge, dim)
    values = reduced_values(knowledge, reductions, dim)
    windows = read_windows(data_dir, knowledge.schema)
    holdout = Holdout.of_newest(windows, config.ranking.holdout, config.training.seed)
    held = holdout.is_held(windows)
    target_counts = count_targets(windows, windows[IS_TARGET] & ~held, knowledge.schema.num_items)
    retrieval = train_retrieval(knowledge, config, values, holdout, target_counts, work_dir)
    item_vectors = corpus_vectors(retrieval.model, knowledge.schema.num_items + 1)
    retrieval_seconds = time.monotonic() - started

    started = time.monotonic()
    query_model = QueryModel(retrieval.model.user_tower, item_vectors)
    tables = make_ranking_tables(knowledge, item_vectors, values)
    if config.ranking.holdout > 0:
        windows = windows | {IS_TARGET: held}
    ranking = train_ranking(knowledge, config, query_model, tables, windows, work_dir)
    report = {
        "validation_ndcg@10": {"retrieval": retrieval.best, "ranking": ranking.best},
        "epochs": {"retrieval": retrieval.epochs, "ranking": ranking.epochs},
        "history": {"retrieval": retrieval.history, "ranking": ranking.history},
        "resumed": retrieval.resumed or ranking.resumed,
        "seconds": {"retrieval": retrieval_seconds, "ranking": time.monotonic() - started},
    }

    tf.train.Checkpoint(model=retrieval.model).write(str(work_dir / "retrieval" / "weights"))
    tf.train.Checkpoint(model=ranking.model).write(str(work_dir / "ranking" / "weights"))
    np.save(work_dir / "item_vectors.npy", item_vectors)
    np.save(work_dir / "modality_values.npy", values)
    np.save(work_dir / "target_counts.npy", target_counts)
    (work_dir / "reductions").mkdir(exist_ok=True)
    for modality, reduction in reductions.items():
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


def load_run(
    run_dir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    without: Sequence[Modality] = (),
) -> Run:
    """Loads a run folder and the data it was trained on.

    Args:
        run_dir: that `train` wrote.
        data_dir: where the data folder is now, if it was moved.
        without: modalities to take away from every item, as if none had them.

    Raises:
        UserError: it is no run folder, or the data folder is not the one it was trained on.
    """
    run_dir = pathlib.Path(run_dir)
    manifest = read_manifest(run_dir, "run")
    data_dir = pathlib.Path(data_dir or manifest["data_dir"])
    read_manifest(data_dir, "data")
    knowledge = read_knowledge(data_dir)
    if knowledge.fingerprint != manifest["made_from"]["data"]:
        raise UserError(
            f"{run_dir} was trained on data {manifest['made_from']['data']}, but {data_dir} is "
            f"{knowledge.fingerprint}. Train again, or give the data it was trained on."
        )
    config = load_config(run_dir / "config.json")
    item_vectors = np.load(run_dir / "item_vectors.npy", allow_pickle=False)
    values = np.load(run_dir / "modality_values.npy", allow_pickle=False)
    if without:
        knowledge, values = _take_away(knowledge, values, without)

    counts = np.load(run_dir / "target_counts.npy", allow_pickle=False)
    tables = make_item_tables(knowledge, values, counts)
    two_tower = build_two_tower(config, knowledge.schema, tables, counts)
    _restore(two_tower, run_dir / "retrieval" / "weights")
    if without:
        item_vectors = corpus_vectors(two_tower, knowledge.schema.num_items + 1)
    query_model = QueryModel(two_tower.user_tower, item_vectors)
    ranker = build_ranker(
        config, knowledge.schema, make_ranking_tables(knowledge, item_vectors, values)
    )
    _restore(ranker, run_dir / "ranking" / "weights")
    model = TwoStage(
        query_model, ExactIndex(query_model.item_vectors), ranker, config.ranking.candidates
    )
    return Run(run_dir, manifest["fingerprint"], config, knowledge, item_vectors, values, model)


def _take_away(
    knowledge: Knowledge, values: np.ndarray, without: Sequence[Modality]
) -> tuple[Knowledge, np.ndarray]:
    """The same data with some modalities absent from every item."""
    strangers = [
        modality.value for modality in without if modality not in knowledge.schema.modalities
    ]
    if strangers:
        raise UserError(
            f"--without names {strangers}, but the data has "
            f"{[modality.value for modality in knowledge.schema.modalities]}."
        )
    places = [knowledge.schema.modalities.index(modality) for modality in without]
    present, values = knowledge.catalogue.present.copy(), values.copy()
    present[:, places], values[:, places] = False, 0.0
    catalogue = dataclasses.replace(knowledge.catalogue, present=present)
    return dataclasses.replace(knowledge, catalogue=catalogue), values


def _restore(model: tf.keras.Model, path: pathlib.Path) -> None:
    status = tf.train.Checkpoint(model=model).read(str(path))
    try:
        status.assert_existing_objects_matched()
    except AssertionError as error:
        raise UserError(
            f"{path} does not hold the weights of this version's model. "
            "Train again with `tfrs-mm train`."
        ) from error
    status.expect_partial()


def _work_folder(run_dir: pathlib.Path, made_from: dict[str, str]) -> pathlib.Path:
    """`RUN.partial`, new or left by an interrupted training from the same sources."""
    work_dir = run_dir.with_name(run_dir.name + ".partial")
    marker = work_dir / _WORK
    if work_dir.exists():
        left = json.loads(marker.read_text("utf-8")) if marker.is_file() else {}
        if left != made_from:
            raise UserError(
                f"{work_dir} holds an interrupted training from other data or another "
                "configuration. Remove it to start anew."
            )
    else:
        work_dir.mkdir(parents=True)
        write_json(marker, made_from)
    return work_dir
