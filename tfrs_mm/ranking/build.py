"""A ranker out of a configuration."""

import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.errors import UserError
from tfrs_mm.log_settings import weights_of
from tfrs_mm.ranking.context import ContextSpec
from tfrs_mm.ranking.features import RankingTables
from tfrs_mm.ranking.ranker import (
    BUCKET,
    CANDIDATES,
    HISTORY,
    QUERY,
    RETRIEVAL_SCORES,
    RankingModel,
)
from tfrs_mm.ranking_settings import task_weights_of
from tfrs_mm.schema import Schema


def build_ranker(
    config: Config, schema: Schema, tables: RankingTables, context: ContextSpec | None = None
) -> RankingModel:
    """The one place that makes a ranker out of a configuration; its weights are built.

    Raises:
        UserError: modalities are to be fused, but the data has none.
    """
    settings = config.ranking
    if settings.fusion != "none" and not tables.modality_vectors.shape[1]:
        raise UserError(
            f"`ranking.fusion` is {settings.fusion!r}, but the items have no modality to look at. "
            'Set it to "none", or preprocess with media.'
        )
    model = RankingModel(
        tables,
        cross_layers=settings.cross_layers,
        projection_dim=settings.projection_dim,
        hidden=settings.hidden,
        dropout=settings.dropout,
        category_dim=settings.category_dim,
        categories={feature.name: feature.size for feature in schema.categories},
        temperature=config.retrieval.temperature,
        hide_events=settings.hide_events,
        seed=config.training.seed,
        structure=settings.structure,
        attention=settings.attention,
        attention_dim=settings.attention_dim,
        histogram_bins=settings.histogram_bins,
        loss=settings.loss,
        task_weights=task_weights_of(settings, weights_of(config.data.events)),
        task_balance=settings.task_balance,
        experts=settings.experts,
        expert_dim=settings.expert_dim,
        context=context,
        fusion=settings.fusion,
        fusion_dim=settings.fusion_dim,
        fusion_heads=settings.fusion_heads,
        value_weight=settings.value_weight if settings.value_head else 0.0,
    )
    model(
        {
            QUERY: tf.zeros([1, tables.item_vectors.shape[1]]),
            HISTORY: tf.zeros([1, schema.max_history], tf.int32),
            BUCKET: tf.zeros([1], tf.int32),
            CANDIDATES: tf.zeros([1, 2], tf.int32),
            RETRIEVAL_SCORES: tf.zeros([1, 2]),
            **(context.blank(1) if context else {}),
        }
    )
    return model
