"""Training the first stage."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.data.input_pipeline import count_windows, read_windows, window_batches
from tfrs_mm.data.vocabulary import hash_buckets
from tfrs_mm.retrieval import QueryModel, TwoTowerModel, build_two_tower
from tfrs_mm.towers import ItemTables
from tfrs_mm.training.hard_negatives import disliked_items, nearest_items
from tfrs_mm.training.holdout import Holdout
from tfrs_mm.training.knowledge import Knowledge
from tfrs_mm.training.loop import KeepBest, fit
from tfrs_mm.training.validation import validation_of

_CORPUS_BATCH = 4096


@dataclasses.dataclass(frozen=True)
class TrainedStage:
    """How a fit went.

    Attributes:
        model: with its best weights.
        best: validation NDCG@10 of these; None for a fit without validation.
        best_epoch: behind which these weights stood.
        history: validation NDCG@10 after each epoch.
        epochs: fitted.
        resumed: whether it went on from a saved state.
    """

    model: tf.keras.Model
    best: float | None
    best_epoch: int
    history: list[float]
    epochs: int
    resumed: bool

    @classmethod
    def of(cls, model: tf.keras.Model, kept: KeepBest) -> "TrainedStage":
        """What a fit has left in `model`."""
        return cls(model, kept.best, kept.best_epoch, kept.history, kept.epochs_done, kept.resumed)


def make_item_tables(
    knowledge: Knowledge,
    values: np.ndarray,
    target_counts: np.ndarray,
    ids: np.ndarray | None = None,
    oov_rows: int = 0,
) -> ItemTables:
    """What the item tower reads of every item.

    Args:
        knowledge: of the data folder.
        values: `[items + 1, modality, reduced_dim]`.
        target_counts: `[items + 1]`, how often each row is a target of retrieval's training.
        ids: see `ItemTables`.
        oov_rows: of `fusion.oov_rows`, by which unknown ids are shared out.
    """
    catalogue, unknown = knowledge.catalogue, None
    if oov_rows:
        unknown = len(target_counts) + hash_buckets(catalogue.item_ids, oov_rows)
        unknown[0] = 0
    return ItemTables(
        values, catalogue.present, catalogue.categories, target_counts > 0, ids, unknown
    )


def corpus_vectors(model: TwoTowerModel, num_rows: int) -> np.ndarray:
    """The item tower's vector of every row, `[num_rows, dim]`; row 0 is zeros."""
    parts = [
        model.encode_items(tf.range(start, min(start + _CORPUS_BATCH, num_rows))).numpy()
        for start in range(0, num_rows, _CORPUS_BATCH)
    ]
    vectors = np.concatenate(parts)
    vectors[0] = 0.0
    return vectors


def make_optimizer(
    learning_rate: float, weight_decay: float, average_decay: float
) -> tf.keras.optimizers.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019), with a moving average of the weights if asked for."""
    return tf.keras.optimizers.AdamW(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        use_ema=average_decay > 0,
        ema_momentum=average_decay,
        ema_overwrite_frequency=None,
        jit_compile=False,
    )


def train_retrieval(
    knowledge: Knowledge,
    config: Config,
    values: np.ndarray,
    holdout: Holdout,
    target_counts: np.ndarray,
    strategy: tf.distribute.Strategy,
    work_dir: pathlib.Path,
    saved_dir: pathlib.Path,
    epochs: int | None = None,
) -> TrainedStage:
    """Fits the two towers, stopped by validation NDCG@10.

    Args:
        knowledge: of the data folder.
        config: the whole tree.
        values: `[items + 1, modality, reduced_dim]`, see `reduced_values`.
        holdout: events that are no targets here.
        target_counts: `[items + 1]`, how often each row is one.
        strategy: of `make_strategy`.
        work_dir: of checkpoints and TensorBoard curves.
        saved_dir: where an interrupted fit is looked for, to be gone on with; of several workers
            each has its own `work_dir`, and all look into the chief's.
        epochs: to fit without validation; None validates.
    """
    settings, schema = config.retrieval, knowledge.schema
    steps = -(-count_windows(knowledge.data_dir, schema) // settings.batch_size)
    dataset = holdout.without(
        window_batches(
            knowledge.data_dir,
            schema,
            settings.batch_size,
            config.training.seed,
            lengths=settings.lengths,
        )
    )
    with strategy.scope():
        model = build_two_tower(
            config,
            schema,
            make_item_tables(knowledge, values, target_counts, oov_rows=config.fusion.oov_rows),
            target_counts,
        )
        model.item_tower.adapt(values, knowledge.catalogue.present, config.fusion.imputation_ridge)
        optimizer = make_optimizer(
            settings.learning_rate, settings.weight_decay, settings.average_decay
        )
        optimizer.build(model.trainable_variables)
        model.compile(optimizer=optimizer, jit_compile=config.training.jit_compile)

    hard, warm = model.hard_negatives, target_counts > 0
    if hard is not None and hard.by_user:
        windows = read_windows(knowledge.data_dir, schema)
        hard.fill(disliked_items(knowledge, windows, warm, settings.hard_negatives))
    num_rows = schema.num_items + 1
    query_model = QueryModel(model.user_tower, np.zeros((num_rows, settings.dim), np.float32))
    query = tf.function(query_model)
    validation = validation_of(knowledge, config) if epochs is None else None

    def validate() -> float | None:
        vectors = corpus_vectors(model, num_rows)
        if hard is not None and not hard.by_user:
            hard.fill(nearest_items(vectors, warm, settings.hard_negatives))
        if validation is None:
            return None
        query_model.item_vectors.assign(vectors)
        return validation.ndcg_of_vectors(query, vectors, "validate retrieval")

    keep_best = KeepBest(
        model,
        optimizer,
        validate,
        settings.patience,
        work_dir / "checkpoints" / "retrieval",
        averaged=settings.average_decay > 0,
        restore_from=saved_dir / "checkpoints" / "retrieval",
        state=model.training_state,
    )
    fit(
        model, dataset, steps, settings.max_epochs if epochs is None else epochs, keep_best,
        work_dir / "tensorboard" / "retrieval", "train retrieval",
    )  # fmt: skip
    return TrainedStage.of(model, keep_best)
