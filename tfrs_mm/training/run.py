"""A run folder: both trained stages, what they were made from, and how to load them again.

RUN/manifest.json config.json schema.json report.json
    retrieval/ ranking/          weights, TensorFlow checkpoints
    ranking/calibration.npz      where `ranking.calibration` is set
    linear_items.npz             item-to-item models, where `linear.top` is above 0
    item_vectors.npy             [items + 1, dim], the item tower's
    modality_values.npy          [items + 1, modality, reduced_dim]
    target_counts.npy            [items + 1], targets of retrieval's training
    reductions/<modality>.npz    how the modality values were made
    tensorboard/                 curves of both fits
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm.artefacts import read_manifest
from tfrs_mm.config import Config, load_config
from tfrs_mm.errors import UserError
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage, diversifier_of
from tfrs_mm.ranking import build_ranker
from tfrs_mm.ranking.calibration import CALIBRATION_FILE, read_calibration
from tfrs_mm.retrieval import QueryModel, build_two_tower
from tfrs_mm.schema import Modality
from tfrs_mm.training.context import context_spec
from tfrs_mm.training.knockout import ItemInputs
from tfrs_mm.training.knowledge import Knowledge, read_knowledge
from tfrs_mm.training.linear import LINEAR_FILE, read_linear
from tfrs_mm.training.ranking import make_ranking_tables
from tfrs_mm.training.retrieval import (
    corpus_vectors,
    make_item_tables,
)
from tfrs_mm.training.sources import make_sources


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run, ready to answer.

    Attributes:
        run_dir: the folder.
        fingerprint: of its manifest.
        config: it was trained with.
        knowledge: of the data folder it was trained on.
        items: what it is told of every item.
        item_vectors: `[items + 1, dim]`.
        model: both stages, over the exact index.
    """

    run_dir: pathlib.Path
    fingerprint: str
    config: Config
    knowledge: Knowledge
    items: ItemInputs
    item_vectors: np.ndarray
    model: TwoStage

    @property
    def modality_values(self) -> np.ndarray:
        """`[items + 1, modality, reduced_dim]`."""
        return self.items.values


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
    strangers = [
        modality.value for modality in without if modality not in knowledge.schema.modalities
    ]
    if strangers:
        raise UserError(
            f"--without names {strangers}, but the data has "
            f"{[modality.value for modality in knowledge.schema.modalities]}."
        )
    values = np.load(run_dir / "modality_values.npy", allow_pickle=False)
    items = ItemInputs.of_run(knowledge, values, _target_counts(run_dir))
    if without:
        items, item_vectors = items.absent([modality.value for modality in without]), None
    else:
        item_vectors = np.load(run_dir / "item_vectors.npy", allow_pickle=False)
    return _assemble(run_dir, manifest["fingerprint"], config, knowledge, items, item_vectors)


def with_items(run: Run, items: ItemInputs) -> Run:
    """The same run, told other things of the items; nothing is trained."""
    return _assemble(run.run_dir, run.fingerprint, run.config, run.knowledge, items, None)


def _assemble(
    run_dir: pathlib.Path,
    fingerprint: str,
    config: Config,
    knowledge: Knowledge,
    items: ItemInputs,
    item_vectors: np.ndarray | None,
) -> Run:
    """Both stages with the weights of `run_dir`; without `item_vectors` they are computed."""
    catalogue = dataclasses.replace(
        knowledge.catalogue, present=items.present, categories=items.categories
    )
    knowledge = dataclasses.replace(knowledge, catalogue=catalogue)
    values, counts = items.values, _target_counts(run_dir)
    tables = make_item_tables(knowledge, values, counts, items.ids, config.fusion.oov_rows)
    two_tower = build_two_tower(config, knowledge.schema, tables, counts)
    _restore(two_tower, run_dir / "retrieval" / "weights")
    if item_vectors is None:
        item_vectors = corpus_vectors(two_tower, knowledge.schema.num_items + 1)
    query_model = QueryModel(two_tower.user_tower, item_vectors)
    linear = read_linear(run_dir / LINEAR_FILE, config.linear)
    ranking_tables = make_ranking_tables(
        knowledge, item_vectors, values, linear, config.ranking.vectors
    )
    spec = context_spec(config, knowledge.schema)
    ranker = build_ranker(config, knowledge.schema, ranking_tables, spec)
    _restore(ranker, run_dir / "ranking" / "weights")
    calibration = None
    if config.ranking.calibration != "none":
        path = run_dir / "ranking" / CALIBRATION_FILE
        calibration = read_calibration(path, config.ranking.calibration)
    model = TwoStage(
        query_model,
        ExactIndex(query_model.item_vectors),
        ranker,
        config.ranking.candidates,
        make_sources(knowledge, config, ranking_tables),
        diversifier_of(config.ranking),
        calibration,
    )
    return Run(run_dir, fingerprint, config, knowledge, items, item_vectors, model)


def _target_counts(run_dir: pathlib.Path) -> np.ndarray:
    return np.load(run_dir / "target_counts.npy", allow_pickle=False)


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
