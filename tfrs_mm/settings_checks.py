"""Which values have the right type but make no sense, one line for each."""

import math
from typing import TYPE_CHECKING, Any

from tfrs_mm import encoder_settings, log_settings
from tfrs_mm.settings import DataConfig, EncoderConfig, EncodersConfig

if TYPE_CHECKING:
    from tfrs_mm.config import Config


def illegal_values(config: "Config") -> list[str]:
    """One line for each value that has the right type but makes no sense."""
    faults = []

    def demand(holds: bool, name: str, rule: str, value: Any) -> None:
        if not holds:
            faults.append(f"{name}: must be {rule}, received {value!r}")

    retrieval, ranking, data = config.retrieval, config.ranking, config.data
    for name, value in {
        "data.max_history": data.max_history,
        "data.shards": data.shards,
        "data.time_buckets": data.time_buckets,
        "data.max_categories": data.max_categories,
        "data.transition_top": data.transition_top,
        "data.profile_top": data.profile_top,
        "fusion.reduced_dim": config.fusion.reduced_dim,
        "retrieval.dim": retrieval.dim,
        "retrieval.layers": retrieval.layers,
        "retrieval.heads": retrieval.heads,
        "retrieval.batch_size": retrieval.batch_size,
        "retrieval.in_batch_negatives": retrieval.in_batch_negatives,
        "retrieval.max_epochs": retrieval.max_epochs,
        "retrieval.patience": retrieval.patience,
        "ranking.candidates": ranking.candidates,
        "ranking.cross_layers": ranking.cross_layers,
        "ranking.negatives": ranking.negatives,
        "ranking.max_examples": ranking.max_examples,
        "ranking.batch_size": ranking.batch_size,
        "training.evaluation_batch": config.training.evaluation_batch,
        "training.max_validation_queries": config.training.max_validation_queries,
        "export.k": config.export.k,
    }.items():
        demand(value >= 1, name, "at least 1", value)
    for name, value in {
        "fusion.modality_dropout": config.fusion.modality_dropout,
        "fusion.id_dropout": config.fusion.id_dropout,
        "retrieval.dropout": retrieval.dropout,
        "ranking.dropout": ranking.dropout,
        "ranking.holdout": ranking.holdout,
        "ranking.hide_events": ranking.hide_events,
        "retrieval.average_decay": retrieval.average_decay,
    }.items():
        demand(0.0 <= value < 1.0, name, "at least 0 and below 1", value)
    demand(
        0.0 <= data.max_reject_share <= 1.0,
        "data.max_reject_share",
        "from 0 to 1",
        data.max_reject_share,
    )
    for name, value in {
        "data.max_events_per_hour": data.max_events_per_hour,
        "data.min_user_events": data.min_user_events,
        "data.min_item_events": data.min_item_events,
    }.items():
        demand(value >= 0, name, "0 or more", value)
    for name in ("min_play_seconds", "near_duplicate_seconds", "session_gap_minutes"):
        value = getattr(data, name)
        demand(0.0 <= value < math.inf, f"data.{name}", "0 or more, and finite", value)
    half_life_days, category = data.profile_half_life_days, data.profile_category
    demand(
        0.0 < half_life_days < math.inf,
        "data.profile_half_life_days",
        "above 0, and finite",
        half_life_days,
    )
    demand(
        not category or category in data.category_columns,
        "data.profile_category",
        f"one of data.category_columns ({', '.join(data.category_columns)})",
        category,
    )
    faults += _anomaly_faults(data)
    demand(math.isfinite(data.min_rating), "data.min_rating", "finite", data.min_rating)
    faults += _log_faults(data)
    faults += _split_faults(data)
    window, half_life = data.transition_window, data.transition_half_life
    days = data.transition_half_life_days
    demand(window >= 0, "data.transition_window", "0 or more", window)
    demand(half_life > 0, "data.transition_half_life", "above 0", half_life)
    demand(days >= 0, "data.transition_half_life_days", "0 or more", days)
    demand(config.encoders.threads >= 0, "encoders.threads", "0 or more", config.encoders.threads)
    faults += _encoder_faults(config.encoders)
    scale = config.fusion.content_scale
    demand(scale > 0, "fusion.content_scale", "above 0", scale)
    demand(retrieval.temperature > 0, "retrieval.temperature", "above 0", retrieval.temperature)
    demand(
        retrieval.learning_rate > 0, "retrieval.learning_rate", "above 0", retrieval.learning_rate
    )
    demand(ranking.learning_rate > 0, "ranking.learning_rate", "above 0", ranking.learning_rate)
    negatives = retrieval.uniform_negatives
    demand(negatives >= 0, "retrieval.uniform_negatives", "0 or more", negatives)
    if retrieval.heads >= 1:
        demand(
            retrieval.dim % retrieval.heads == 0,
            "retrieval.dim",
            f"a multiple of retrieval.heads ({retrieval.heads})",
            retrieval.dim,
        )
    demand(
        config.export.k <= ranking.candidates,
        "export.k",
        f"at most ranking.candidates ({ranking.candidates})",
        config.export.k,
    )
    return faults


def _split_faults(data: DataConfig) -> list[str]:
    """One line for each setting of the split that makes no sense."""
    faults = []
    for name in ("cold_item_share", "cold_user_share", "split_valid_share"):
        value = getattr(data, name)
        if not 0.0 <= value < 1.0:
            faults.append(f"data.{name}: must be at least 0 and below 1, received {value!r}")
    train, valid = data.split_train_share, data.split_valid_share
    if not 0.0 < train <= 1.0:
        faults.append(f"data.split_train_share: must be above 0 and at most 1, received {train!r}")
    elif not train + valid <= 1.0:
        faults.append(
            "data.split_valid_share: must leave the sum with data.split_train_share "
            f"({train!r}) at most 1, received {valid!r}"
        )
    gap = data.split_gap_seconds
    if not 0.0 <= gap < math.inf:
        faults.append(f"data.split_gap_seconds: must be 0 or more, and finite, received {gap!r}")
    if gap and data.split != "temporal":
        faults.append(
            f"data.split_gap_seconds: must be 0 unless data.split is 'temporal', received {gap!r}"
        )
    return faults


def _log_faults(data: DataConfig) -> list[str]:
    """One line for each entry of the section `data` that is more than a number and makes no
    sense."""
    item_columns = (*log_settings.ITEM_COLUMNS, *data.category_columns)
    return [
        *log_settings.column_faults(
            data.interaction_columns, log_settings.LOG_COLUMNS, "data.interaction_columns"
        ),
        *log_settings.column_faults(data.item_columns, item_columns, "data.item_columns"),
        *log_settings.weight_faults(data.events, "data.events"),
        *log_settings.moment_faults(
            data.min_time, data.max_time, ("data.min_time", "data.max_time")
        ),
    ]


def _anomaly_faults(data: DataConfig) -> list[str]:
    """One line for each setting of statistics and anomalies that makes no sense."""
    faults = []
    for name, least in {
        "statistics_values": 100,  # the error of an estimate from fewer is no use
        "statistics_top": 1,
        "statistics_categories": 1,
    }.items():
        value = getattr(data, name)
        if value < least:
            faults.append(f"data.{name}: must be at least {least}, received {value!r}")
    for name in (
        "missing", "rejected", "single_events", "without_events", "dominant", "divergence",
        "difference", "new", "vanished", "drop",
    ):  # fmt: skip
        value = getattr(data, f"anomaly_{name}")
        if not 0.0 <= value <= 1.0:
            faults.append(f"data.anomaly_{name}: must be from 0 to 1, received {value!r}")
    if not data.anomaly_jump >= 0.0:
        faults.append(f"data.anomaly_jump: must be 0 or more, received {data.anomaly_jump!r}")
    if not data.statistics and (data.anomaly_stop or data.anomaly_previous):
        faults.append(
            "data.statistics: must be true for data.anomaly_stop and data.anomaly_previous, "
            "received False"
        )
    return faults


def _encoder_faults(encoders: EncodersConfig) -> list[str]:
    """One line for each entry of the section `encoders` that makes no sense."""
    faults = []
    for name in ("image", "text", "audio", "video"):
        chosen: EncoderConfig = getattr(encoders, name)
        sources = [key for key in ("file", "column") if getattr(chosen, key)]
        wanted = {
            "given": (["file"], ["column"]), "saved_model": (["file"],), "keras_cv": ([], ["file"]),
        }  # fmt: skip
        if chosen.kind in wanted and sources not in wanted[chosen.kind]:
            rule = {"given": "either a file or a column", "saved_model": "a file, no column"}.get(
                chosen.kind, "no column"
            )
            faults.append(
                f"encoders.{name}: kind {chosen.kind!r} must have {rule}, received file "
                f"{chosen.file!r} and column {chosen.column!r}"
            )
        if chosen.kind not in wanted and sources:
            faults.append(
                f"encoders.{name}.{sources[0]}: must be empty unless kind is one of "
                f"{', '.join(map(repr, wanted))}, received {getattr(chosen, sources[0])!r}"
            )
        faults += _backbone_faults(chosen, name) + _whitening_faults(chosen, name)
    faults += encoder_settings.pair_faults(encoders.cca, "encoders.cca")
    if encoders.cca_dim < 1:
        faults.append(f"encoders.cca_dim: must be at least 1, received {encoders.cca_dim!r}")
    if not 0 <= encoders.cca_ridge < math.inf:
        faults.append(
            f"encoders.cca_ridge: must be 0 or more and finite, received {encoders.cca_ridge!r}"
        )
    if not encoders.outlier_z > 0:
        faults.append(f"encoders.outlier_z: must be above 0, received {encoders.outlier_z!r}")
    cosine = encoders.near_duplicate_cosine
    if not 0 < cosine <= 1:
        faults.append(
            f"encoders.near_duplicate_cosine: must be above 0 and at most 1, received {cosine!r}"
        )
    if encoders.exact_near_duplicates < 0:
        faults.append(
            "encoders.exact_near_duplicates: must be 0 or more, received "
            f"{encoders.exact_near_duplicates!r}"
        )
    return faults


def _whitening_faults(chosen: EncoderConfig, name: str) -> list[str]:
    """One line for each setting of one modality's principal components that makes no sense."""
    faults = []
    if chosen.pca_dim < 0:
        faults.append(f"encoders.{name}.pca_dim: must be 0 or more, received {chosen.pca_dim!r}")
    if not 0 <= chosen.pca_epsilon < math.inf:
        faults.append(
            f"encoders.{name}.pca_epsilon: must be 0 or more and finite, "
            f"received {chosen.pca_epsilon!r}"
        )
    return faults


def _backbone_faults(chosen: EncoderConfig, name: str) -> list[str]:
    """One line for each setting of one modality's KerasCV backbone that makes no sense."""
    faults = encoder_settings.argument_faults(
        chosen.backbone_arguments, f"encoders.{name}.backbone_arguments"
    )
    where = f"encoders.{name}.kind"
    if chosen.kind != "keras_cv":
        given = {
            "backbone": chosen.backbone,
            "backbone_arguments": chosen.backbone_arguments,
            "random_seed": chosen.random_seed >= 0,
        }
        faults += [
            f"encoders.{name}.{key}: must be left out unless kind is 'keras_cv', "
            f"received {getattr(chosen, key)!r}"
            for key, value in given.items()
            if value
        ]
        return faults
    if name not in ("image", "video"):
        faults.append(f"{where}: must not be 'keras_cv', which takes pictures and films only")
    if bool(chosen.file) == (chosen.random_seed >= 0):
        faults.append(
            f"{where}: 'keras_cv' must have either weights in `file` or a `random_seed` of 0 or "
            f"more, received file {chosen.file!r} and random_seed {chosen.random_seed!r}"
        )
    return faults
