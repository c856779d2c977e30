"""Which values have the right type but make no sense, one line for each."""

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any

from tfrs_mm import encoder_settings
from tfrs_mm.data_checks import data_faults
from tfrs_mm.model_checks import alignment_faults, linear_faults, negatives_faults
from tfrs_mm.ranking_settings import ranking_faults
from tfrs_mm.settings import EncoderConfig, EncodersConfig

if TYPE_CHECKING:
    from tfrs_mm.config import Config


def illegal_values(config: "Config") -> list[str]:
    """One line for each value that has the right type but makes no sense."""
    faults = data_faults(config.data)

    def demand(holds: bool, name: str, rule: str, value: Any) -> None:
        if not holds:
            faults.append(f"{name}: must be {rule}, received {value!r}")

    retrieval, ranking = config.retrieval, config.ranking
    for name, value in {
        "fusion.heads": config.fusion.heads,
        "fusion.reduced_dim": config.fusion.reduced_dim,
        "retrieval.dim": retrieval.dim,
        "retrieval.layers": retrieval.layers,
        "retrieval.heads": retrieval.heads,
        "retrieval.interests": retrieval.interests,
        "retrieval.batch_size": retrieval.batch_size,
        "retrieval.in_batch_negatives": retrieval.in_batch_negatives,
        "retrieval.max_epochs": retrieval.max_epochs,
        "retrieval.patience": retrieval.patience,
        "training.evaluation_batch": config.training.evaluation_batch,
        "training.max_validation_queries": config.training.max_validation_queries,
        "export.k": config.export.k,
    }.items():
        demand(value >= 1, name, "at least 1", value)
    for name, value in {
        "fusion.modality_dropout": config.fusion.modality_dropout,
        "fusion.id_dropout": config.fusion.id_dropout,
        "retrieval.dropout": retrieval.dropout,
        "retrieval.hide_events": retrieval.hide_events,
        "retrieval.average_decay": retrieval.average_decay,
    }.items():
        demand(0.0 <= value < 1.0, name, "at least 0 and below 1", value)
    demand(
        0 <= retrieval.time_gaps <= 62, "retrieval.time_gaps", "from 0 to 62", retrieval.time_gaps
    )
    demand(
        not (retrieval.lengths and retrieval.user_tower == "gru" and config.training.jit_compile),
        "retrieval.lengths",
        "empty where retrieval.user_tower is 'gru' and training.jit_compile is true, because XLA "
        "compiles no loop inside a choice of lengths",
        list(retrieval.lengths),
    )
    half_life = retrieval.recency_half_life
    demand(
        half_life == 0 or (retrieval.user_tower == "mean" and 0 < half_life < math.inf),
        "retrieval.recency_half_life",
        "0, or above 0 and finite where retrieval.user_tower is 'mean'",
        half_life,
    )
    ascending = [0, *retrieval.lengths]
    demand(
        all(a < b for a, b in itertools.pairwise(ascending)),
        "retrieval.lengths", "numbers above 0 that ascend", list(retrieval.lengths),
    )  # fmt: skip
    for field in dataclasses.fields(config.sources):
        size = getattr(config.sources, field.name)
        demand(size >= 0, f"sources.{field.name}", "0 or more", size)
    faults += linear_faults(config)
    faults += ranking_faults(ranking)
    head = ranking.value_head
    known = not head or config.data.values != "none"
    demand(known, "ranking.value_head", "false where data.values is 'none'", head)
    demand(config.encoders.threads >= 0, "encoders.threads", "0 or more", config.encoders.threads)
    faults += _encoder_faults(config.encoders)
    scale = config.fusion.content_scale
    demand(scale > 0, "fusion.content_scale", "above 0", scale)
    demand(retrieval.temperature > 0, "retrieval.temperature", "above 0", retrieval.temperature)
    demand(
        retrieval.learning_rate > 0, "retrieval.learning_rate", "above 0", retrieval.learning_rate
    )
    ridge = config.fusion.imputation_ridge
    oov_rows = config.fusion.oov_rows
    demand(
        oov_rows == 0 or (oov_rows > 0 and config.fusion.id_dropout > 0),
        "fusion.oov_rows", "0 or more, and 0 where fusion.id_dropout is 0 and none would be learnt",
        oov_rows,
    )  # fmt: skip
    demand(0 < ridge < math.inf, "fusion.imputation_ridge", "above 0, and finite", ridge)
    faults += alignment_faults(config.alignment)
    faults += negatives_faults(retrieval)
    if retrieval.heads >= 1:
        demand(
            retrieval.dim % retrieval.heads == 0,
            "retrieval.dim",
            f"a multiple of retrieval.heads ({retrieval.heads})",
            retrieval.dim,
        )
    if config.fusion.kind == "attention" and config.fusion.heads >= 1:
        demand(
            retrieval.dim % config.fusion.heads == 0,
            "retrieval.dim",
            f"a multiple of fusion.heads ({config.fusion.heads})",
            retrieval.dim,
        )
    demand(
        config.export.k <= ranking.candidates,
        "export.k",
        f"at most ranking.candidates ({ranking.candidates})",
        config.export.k,
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
