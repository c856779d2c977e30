"""Training the second stage on what the first one returned."""

import pathlib

import numpy as np
import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.data.examples import HISTORY_EVENT, IS_TARGET
from tfrs_mm.data.exposures import read_exposures
from tfrs_mm.data.item_neighbours import KINDS
from tfrs_mm.errors import UserError
from tfrs_mm.index import ExactIndex
from tfrs_mm.policy import TwoStage
from tfrs_mm.ranking import (
    ItemToItem,
    RankingModel,
    RankingTables,
    TransitionTables,
    build_ranker,
    popularity_table,
)
from tfrs_mm.ranking.ranker import (
    BUCKET,
    CANDIDATES,
    HISTORY,
    LABELS,
    OWN_EVENT,
    QUERY,
    RETRIEVAL_SCORES,
    VALUES,
)
from tfrs_mm.retrieval import QueryModel
from tfrs_mm.training.context import context_spec, contexts_at
from tfrs_mm.training.knowledge import Knowledge
from tfrs_mm.training.linear import LinearModels
from tfrs_mm.training.loop import KeepBest, fit
from tfrs_mm.training.mining import RankingExamples, mine_examples
from tfrs_mm.training.retrieval import TrainedStage, make_optimizer
from tfrs_mm.training.sources import make_sources
from tfrs_mm.training.tasks import task_labels, task_rows
from tfrs_mm.training.validation import ranking_function, validation_of
from tfrs_mm.training.values import values_at

_ADAPT_EXAMPLES = 512


def make_ranking_tables(
    knowledge: Knowledge,
    item_vectors: np.ndarray,
    values: np.ndarray,
    linear: LinearModels,
    reads_vectors: bool,
) -> RankingTables:
    """What ranking reads of every item.

    Args:
        knowledge: of the data folder.
        item_vectors: `[items + 1, dim]`, the item tower's.
        values: `[items + 1, modality, reduced_dim]`.
        linear: of `fit_linear`.
        reads_vectors: see `RankingTables`.
    """
    counts, data, neighbours = knowledge.counts, knowledge.config.data, knowledge.neighbours
    kinds = {}
    if neighbours is not None:
        for name in KINDS:
            counted = getattr(neighbours, name)
            kinds[name] = ItemToItem(counted.neighbours, counted.weights, counted.support)
    kinds |= _as_kinds(linear)
    transitions = TransitionTables(kinds, data.transition_window, data.transition_half_life)
    return RankingTables(
        item_vectors,
        values,
        knowledge.catalogue.present,
        popularity_table(counts.counts, counts.time_edges, counts.first_time),
        knowledge.catalogue.categories,
        transitions if kinds else None,
        reads_vectors,
    )


def _as_kinds(linear: LinearModels) -> dict[str, ItemToItem]:
    return {
        name: ItemToItem(model.neighbours, model.weights, None) for name, model in linear.items()
    }


def train_ranking(
    knowledge: Knowledge,
    config: Config,
    query_model: QueryModel,
    tables: RankingTables,
    windows: dict[str, np.ndarray],
    linear: tuple[LinearModels, LinearModels],
    work_dir: pathlib.Path,
    epochs: int | None = None,
) -> TrainedStage:
    """Fits the ranker, stopped by validation NDCG@10 of both stages together.

    The untrained ranker, which keeps the order of retrieval, is validated first: what is kept is
    never worse than it on the validation queries.

    Args:
        knowledge: of the data folder.
        config: the whole tree.
        query_model: the trained first stage.
        tables: see `make_ranking_tables`.
        windows: of `read_windows`, the positives marked as targets.
        linear: models that do not know the positives, which stand in the tables while they are
            learnt from, and such as know all training events, which are validated and left there.
        work_dir: of checkpoints and TensorBoard curves; a fit interrupted there is gone on with.
        epochs: to fit without validation; None validates.

    Raises:
        UserError: no positive has a history to rank for, none was returned by retrieval, a task
            is no kind of event or has no positive, or the data knows no exposures or values.
    """
    settings, seed, schema = config.ranking, config.training.seed, knowledge.schema
    spec = context_spec(config, schema)
    rows = task_rows(knowledge.data_dir, settings.tasks)
    if settings.tasks:
        of_task = np.isin(windows[HISTORY_EVENT], rows)
        windows = windows | {IS_TARGET: windows[IS_TARGET] & of_task}
    index = ExactIndex(query_model.item_vectors)
    if not windows[IS_TARGET][:, 1:].any():
        raise UserError(
            f"{knowledge.data_dir}: no training event that is left to the ranker has one before "
            "it. Give more interactions, or another `ranking.holdout` than "
            f"{settings.holdout}."
        )
    learning, served = (_as_kinds(models) for models in linear)
    tables.replace_linear(learning)
    of_towers = min(settings.candidates, knowledge.schema.num_items)
    sources = make_sources(knowledge, config, tables)
    exposures = None
    if settings.negatives_from == "exposures":
        exposures = read_exposures(knowledge.data_dir, knowledge.users)
    examples = mine_examples(
        TwoStage(query_model, index, None, of_towers, sources),
        windows,
        knowledge.counts.time_edges,
        knowledge.warm,
        num_negatives=settings.negatives,
        limit=settings.max_examples,
        batch_size=config.training.evaluation_batch,
        half_life_days=knowledge.config.data.transition_half_life_days,
        seed=seed,
        of_a_user=settings.max_user_examples,
        moments=query_model.moments,
        exposures=exposures,
        exposure_hours=settings.exposure_hours,
    )
    if not len(examples):
        raise UserError(
            f"retrieval returned none of the ranker's positives among {settings.candidates} "
            "candidates, so there is nothing to rank. Raise `ranking.candidates`, or train "
            "retrieval for longer."
        )
    if exposures is not None and not examples.shown.any():
        raise UserError(
            f"none of the ranker's {len(examples)} positives has anything that its user was shown "
            f"within {settings.exposure_hours} hours of it and did not take. Raise "
            '`ranking.exposure_hours`, or set `ranking.negatives_from` to "retrieval".'
        )
    labels = task_labels(examples.event, rows, settings.tasks)
    ranker = build_ranker(config, schema, tables, spec)
    contexts = contexts_at(windows, examples.places, spec, schema)
    inputs = _inputs(examples) | contexts | ({LABELS: labels} if labels.size else {})
    if settings.value_head:
        inputs[VALUES] = values_at(windows, examples.places, config.data.values)
    ranker.adapt(_sampled_features(ranker, inputs, seed))
    if settings.loss == "pointwise":
        ranker.start_level(*_level(examples, labels))
    optimizer = make_optimizer(settings.learning_rate, 0.0, settings.average_decay)
    optimizer.build(ranker.trainable_variables)
    ranker.compile(optimizer=optimizer, jit_compile=config.training.jit_compile)

    two_stage = TwoStage(query_model, index, ranker, settings.candidates, sources)
    recommend = ranking_function(two_stage, k=10)
    validation = validation_of(knowledge, config) if epochs is None else None

    def validate() -> float | None:
        if validation is None:
            return None
        tables.replace_linear(served)
        figure = validation.ndcg(recommend, "validate ranking")
        tables.replace_linear(learning)
        return figure

    keep_best = KeepBest(
        ranker,
        optimizer,
        validate,
        settings.patience,
        work_dir / "checkpoints" / "ranking",
        averaged=settings.average_decay > 0,
    )
    if not keep_best.resumed:
        keep_best.consider()
    dataset = _batches(inputs, settings.batch_size, seed)
    steps = max(-(-len(examples) // settings.batch_size), settings.min_steps)
    fit(
        ranker, dataset, steps, settings.max_epochs if epochs is None else epochs, keep_best,
        work_dir / "tensorboard" / "ranking", "train ranking",
    )  # fmt: skip
    tables.replace_linear(served)
    return TrainedStage.of(ranker, keep_best)


def _inputs(examples: RankingExamples) -> dict[str, np.ndarray]:
    return {
        QUERY: examples.query,
        HISTORY: examples.history,
        BUCKET: examples.bucket,
        CANDIDATES: examples.candidates,
        RETRIEVAL_SCORES: examples.retrieval_scores.astype(np.float32),
        OWN_EVENT: examples.own_event,
    }


def _sampled_features(ranker: RankingModel, inputs: dict[str, np.ndarray], seed: int) -> tf.Tensor:
    """`[n, num_features]` of filled places of a few examples, to fit mean and variance on."""
    available = len(inputs[QUERY])
    size = min(_ADAPT_EXAMPLES, available)
    chosen = np.random.default_rng(seed).choice(available, size, replace=False)
    sampled = {name: tf.constant(column[chosen]) for name, column in inputs.items()}
    return tf.boolean_mask(ranker.features(sampled), sampled[CANDIDATES] > 0)


def _level(examples: RankingExamples, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Retrieval's scores of all filled places, and the share of each task's positives in them."""
    filled = examples.candidates > 0
    positives = labels.sum(axis=0) if labels.size else np.array([len(examples)])
    # One place more, for what is only ever shown with a positive of the task.
    shares = positives / (filled.sum() + 1)
    scores = examples.retrieval_scores[filled]
    return tf.constant(scores, tf.float32), tf.constant(shares, tf.float32)


def _batches(inputs: dict[str, np.ndarray], batch_size: int, seed: int) -> tf.data.Dataset:
    dataset, size = tf.data.Dataset.from_tensor_slices(inputs), len(inputs[QUERY])
    dataset = dataset.shuffle(size, seed=seed, reshuffle_each_iteration=True).repeat()
    return dataset.batch(batch_size, drop_remainder=True).prefetch(2)
