"""From a configuration to a two-tower model."""

import numpy as np
import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.errors import UserError
from tfrs_mm.retrieval.frequencies import StreamingFrequencies
from tfrs_mm.retrieval.hard_negatives import HardNegatives
from tfrs_mm.retrieval.negatives import AllItems, MixedNegatives
from tfrs_mm.retrieval.queue import NegativesQueue
from tfrs_mm.retrieval.sampler import NegativeSampler
from tfrs_mm.retrieval.two_tower import TwoTowerModel
from tfrs_mm.schema import Schema
from tfrs_mm.towers import ItemTables, ItemTower, UserTower, build_alignment, moments_of
from tfrs_mm.towers.moments import Moment


def build_two_tower(
    config: Config, schema: Schema, tables: ItemTables, target_counts: np.ndarray
) -> TwoTowerModel:
    """The one place that makes a two-tower model out of a configuration; its weights are built.

    Args:
        config: the whole tree.
        schema: of the data folder.
        tables: what is known of every item.
        target_counts: `[items + 1]`, how often each row is a target in training.
    """
    settings, seed = config.retrieval, config.training.seed
    normalize = settings.similarity == "cosine"
    item_tower = ItemTower(
        num_rows=schema.num_items + 1,
        dim=settings.dim,
        fusion=config.fusion.kind,
        modality_dropout=config.fusion.modality_dropout,
        id_dropout=config.fusion.id_dropout,
        categories={feature.name: feature.size for feature in schema.categories},
        normalize=normalize,
        seed=seed,
        dropout=settings.dropout,
        content_scale=config.fusion.content_scale,
        fusion_options={"heads": config.fusion.heads} if config.fusion.kind == "attention" else {},
        missing=config.fusion.missing,
        oov_rows=config.fusion.oov_rows,
        name="item_tower",
    )
    user_tower = UserTower(
        dim=settings.dim,
        layers=settings.layers,
        heads=settings.heads,
        max_history=schema.max_history,
        dropout=settings.dropout,
        normalize=normalize,
        kind=settings.user_tower,
        half_life=settings.recency_half_life,
        time_gaps=settings.time_gaps,
        event_kinds=schema.feature("event").size if settings.event_kinds else 0,
        hide_events=settings.hide_events,
        seed=seed,
        interests=settings.interests,
        moments=_moments(config, schema),
        name="user_tower",
    )
    model = TwoTowerModel(
        item_tower,
        user_tower,
        tables,
        _sampler(config, target_counts),
        temperature=settings.temperature,
        log_q_correction=settings.log_q_correction,
        remove_accidental_hits=settings.remove_accidental_hits,
        mask_history=settings.mask_history,
        lengths=settings.lengths,
        alignment=build_alignment(config.alignment, len(schema.modalities)),
        agreement=config.alignment.agreement,
        hard_negatives=_hard_negatives(config, schema),
        gbce_calibration=settings.gbce_calibration if settings.loss == "gbce" else None,
    )
    vectors = model.item_vectors(tf.range(2))
    user_tower(tf.zeros([1, schema.max_history, vectors.shape[-1]]))
    if model.alignment is not None:
        model.aligned(tf.range(2))
    return model


def _moments(config: Config, schema: Schema) -> tuple[Moment, ...]:
    if not config.retrieval.profiles:
        return ()
    moments = moments_of(schema)
    if not moments:
        raise UserError(
            "`retrieval.profiles` is true, but the records hold neither profiles nor times. Set it "
            "to false, or preprocess again with data.profiles or data.time_features."
        )
    return moments


def _sampler(config: Config, target_counts: np.ndarray) -> NegativeSampler:
    settings = config.retrieval
    if settings.negatives == "all":
        return NegativeSampler(AllItems(target_counts))
    negatives = MixedNegatives(
        target_counts,
        in_batch=settings.in_batch_negatives,
        uniform=settings.uniform_negatives,
        seed=config.training.seed,
    )
    queue = None
    if settings.negatives_queue:
        queue = NegativesQueue(
            settings.negatives_queue, settings.dim, settings.negatives_queue_warmup
        )
    frequencies = None
    if settings.frequencies == "streaming":
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        frequencies = StreamingFrequencies(
            settings.frequency_buckets,
            settings.frequency_hashes,
            settings.frequency_rate,
            initial=max(np.count_nonzero(target_counts), 1)
            / (replicas * settings.in_batch_negatives),
            seed=config.training.seed,
        )
    return NegativeSampler(negatives, queue, frequencies)


def _hard_negatives(config: Config, schema: Schema) -> HardNegatives | None:
    size, by_user = config.retrieval.hard_negatives, config.retrieval.hard_negatives_from == "log"
    if not size:
        return None
    num_rows = (schema.num_users if by_user else schema.num_items) + 1
    return HardNegatives(num_rows, size, by_user, config.training.seed + 2)
