"""Which values of the section `data` have the right type but make no sense, one line for each."""

import math
from typing import Any

from tfrs_mm import log_settings
from tfrs_mm.data_settings import DataConfig

_DECIMALS = 9  # of a sum of shares


def data_faults(data: DataConfig) -> list[str]:
    """One line for each value that has the right type but makes no sense."""
    faults = []

    def demand(holds: bool, name: str, rule: str, value: Any) -> None:
        if not holds:
            faults.append(f"{name}: must be {rule}, received {value!r}")

    for name in (
        "max_history", "shards", "time_buckets", "max_categories", "transition_top", "profile_top",
    ):  # fmt: skip
        value = getattr(data, name)
        demand(value >= 1, f"data.{name}", "at least 1", value)
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
    demand(math.isfinite(data.min_rating), "data.min_rating", "finite", data.min_rating)
    window, half_life = data.transition_window, data.transition_half_life
    days = data.transition_half_life_days
    demand(window >= 0, "data.transition_window", "0 or more", window)
    demand(half_life > 0, "data.transition_half_life", "above 0", half_life)
    demand(days >= 0, "data.transition_half_life_days", "0 or more", days)
    return [*faults, *_anomaly_faults(data), *_log_faults(data), *_split_faults(data)]


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
    elif round(train + valid, _DECIMALS) > 1.0:
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
