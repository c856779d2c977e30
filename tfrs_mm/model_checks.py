"""Which settings of alignment, negatives and linear models make no sense, one line for each."""

import math
from typing import TYPE_CHECKING

from tfrs_mm.settings import AlignmentConfig, RetrievalConfig

if TYPE_CHECKING:
    from tfrs_mm.config import Config


def linear_faults(config: "Config") -> list[str]:
    """One line for each entry of the section `linear` that makes no sense."""
    linear = config.linear
    fitted = linear.top > 0
    wanted = [name for name in ("similar", "following") if getattr(config.sources, name)]
    rules = {
        "ridge": (0 < linear.ridge < math.inf, "above 0, and finite"),
        "max_items": (linear.max_items >= 2, "at least 2"),
        "top": (
            linear.top >= 0 and (fitted or not wanted),
            f"above 0 where sources.{wanted[0]} is" if wanted else "0 or more",
        ),
    }
    faults = [
        f"linear.{name}: must be {rule}, received {getattr(linear, name)!r}"
        for name, (holds, rule) in rules.items()
        if not holds
    ]
    if fitted and not config.ranking.holdout:
        faults.append(
            f"linear.top: must be 0 where ranking.holdout is 0, received {linear.top!r}: the model "
            "would know the events that the ranker learns from"
        )
    return faults


def negatives_faults(retrieval: RetrievalConfig) -> list[str]:
    """One line for each entry about negatives and their loss that makes no sense."""
    sampled = retrieval.negatives != "all"
    unsampled = "where retrieval.negatives is 'all' and nothing is sampled"
    rules = {
        "uniform_negatives": (retrieval.uniform_negatives >= 0, "0 or more"),
        "loss": (sampled or retrieval.loss != "gbce", f"'softmax' {unsampled}"),
        "negatives_queue": (
            retrieval.negatives_queue == 0 or (sampled and retrieval.negatives_queue > 0),
            "0 or more" if sampled else f"0 {unsampled}",
        ),
        "negatives_queue_warmup": (retrieval.negatives_queue_warmup >= 0, "0 or more"),
        "frequencies": (sampled or retrieval.frequencies == "counted", f"'counted' {unsampled}"),
        "frequency_buckets": (retrieval.frequency_buckets >= 1, "at least 1"),
        "frequency_hashes": (retrieval.frequency_hashes >= 1, "at least 1"),
        "frequency_rate": (0 < retrieval.frequency_rate < 1, "above 0 and below 1"),
        "hard_negatives": (
            retrieval.hard_negatives == 0
            or (sampled and retrieval.loss == "softmax" and retrieval.hard_negatives > 0),
            f"0 {unsampled}"
            if not sampled
            else "0 where retrieval.loss is 'gbce', which does not know how often they are drawn"
            if retrieval.loss == "gbce"
            else "0 or more",
        ),
        "gbce_calibration": (0 <= retrieval.gbce_calibration <= 1, "from 0 to 1"),
    }
    return [
        f"retrieval.{name}: must be {rule}, received {getattr(retrieval, name)!r}"
        for name, (holds, rule) in rules.items()
        if not holds
    ]


def alignment_faults(alignment: AlignmentConfig) -> list[str]:
    """One line for each entry of the section `alignment` that makes no sense."""
    rules = {
        "weight": (0 <= alignment.weight < math.inf, "0 or more, and finite"),
        "temperature": (alignment.temperature > 0, "above 0"),
        "agreement": (0 <= alignment.agreement < math.inf, "0 or more, and finite"),
        "behaviour": (
            alignment.kind == "none" or alignment.modalities or alignment.behaviour,
            "true where alignment.modalities is false, for there to be pairs",
        ),
    }
    return [
        f"alignment.{name}: must be {rule}, received {getattr(alignment, name)!r}"
        for name, (holds, rule) in rules.items()
        if not holds
    ]
