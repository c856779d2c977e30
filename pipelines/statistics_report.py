"""Summaries of tables as `statistics.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines import value_counts
from pipelines.activity import Activity, powers_of_two
from pipelines.column_report import describe
from pipelines.column_summary import ColumnSpec, Type
from pipelines.number_counts import NumberCounts
from pipelines.records import EVENT, ITEM_ID, USER_ID
from pipelines.row_sample import SAMPLED_ROWS
from pipelines.table_summary import TableSummary
from tfrs_mm.artefacts import write_json
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import UNKNOWN_ROW

VERSION = 1  # of the file's structure

# Columns that are derived; the blank keeps them apart from those of a table.
DERIVED = DAY, HAS_MEDIA, HAS_TEXT = "day number", "has media", "has text"


# What one pass over the input leaves: summaries of the kinds, times and days of the events that are
# kept, of other columns of the logs, of the catalogue, and the activity of users and items.
EVENTS, OTHERS, CATALOGUE, ACTIVITY = "events", "others", "catalogue", "activity"


def write_statistics(
    path: str,
    found: Mapping[str, Any],
    specs: Mapping[str, Sequence[ColumnSpec]],
    items_path: str,
    settings: DataConfig,
) -> None:
    """Writes the statistics, whole or not at all.

    Args:
        path: of the file.
        found: the summaries `EVENTS`, `OTHERS`, `CATALOGUE` and the activity `ACTIVITY`.
        specs: of the columns of the first three.
        items_path: the vocabulary of items.
        settings: how much is listed.
    """
    events, catalogue = found[EVENTS], found[CATALOGUE]
    activity: Activity = found[ACTIVITY]
    used = _columns(events, specs[EVENTS], settings)
    interactions = {
        "rows": events.rows,
        "columns": {
            USER_ID: _ids(events.rows, activity.users, dict(activity.busiest)),
            ITEM_ID: _item_ids(activity.items, items_path, settings.statistics_top),
            **used,
            **_columns(found[OTHERS], specs[OTHERS], settings),
        },
        "per_day": _per_day(events.columns[DAY].numbers),
        "per_kind": used[EVENT]["top"],
        "per_user": {"users": activity.users, "histogram": _named(activity.histogram)},
        "per_item": _per_item(activity.items),
    }
    write_json(
        path,
        {
            "version": VERSION,
            "interactions": interactions,
            "catalogue": {
                "rows": catalogue.rows,
                "columns": _columns(catalogue, specs[CATALOGUE], settings),
                "without_media": _count_of_false(catalogue.columns[HAS_MEDIA].numbers),
                "without_text": _count_of_false(catalogue.columns[HAS_TEXT].numbers),
            },
            "methods": _methods(settings.statistics_values),
        },
    )


def _columns(
    table: TableSummary, specs: Sequence[ColumnSpec], settings: DataConfig
) -> dict[str, Any]:
    return {
        spec.name: describe(
            table.columns[spec.name],
            spec,
            table.sample,
            settings.statistics_categories
            if spec.type == Type.CATEGORY
            else settings.statistics_top,
        )
        for spec in specs
        if spec.name not in DERIVED
    }


def _ids(rows: int, distinct: int, top: dict[str, int]) -> dict[str, Any]:
    return {
        "type": Type.ID.value, "rows": rows, "missing": 0, "distinct": distinct,
        "distinct_error": 0.0, "top": top, "top_error": 0.0, "complete": len(top) == distinct,
    }  # fmt: skip


def _item_ids(counts: np.ndarray, items_path: str, listed: int) -> dict[str, Any]:
    """The column of items, from `[items + 1]` counts by row."""
    # By row where counts are equal.
    rows = np.argsort(-counts, kind="stable")[:listed]
    rows = rows[counts[rows] > 0]
    ids = Vocabulary.read(items_path).ids_of(rows)
    top = dict(zip(ids.tolist(), counts[rows].tolist(), strict=True))
    return _ids(int(counts.sum()), int(np.count_nonzero(counts)), top)


def _per_day(days: NumberCounts) -> dict[str, Any]:
    """Events by day; if there are more days than are counted, those of a bucket under its first."""
    numbers = np.ceil(days.values()[0] - days.values()[1]).astype(np.int64)
    names = np.datetime_as_string(numbers.astype("datetime64[D]")).tolist()
    return {"exact": days.exact, "days": dict(zip(names, days.counts.tolist(), strict=True))}


def _per_item(counts: np.ndarray) -> dict[str, Any]:
    counts = np.delete(counts, UNKNOWN_ROW)
    histogram = _named(powers_of_two(counts[counts > 0]))
    without = int(np.count_nonzero(counts == 0))
    return {"items": len(counts), "without_events": without, "histogram": histogram}


def _named(histogram: np.ndarray) -> dict[str, int]:
    """Counts under "1", "2", "4" and so on: the least number of events; without empty ends."""
    end = int(np.flatnonzero(histogram).max(initial=-1)) + 1
    return {str(2**power): int(histogram[power]) for power in range(end)}


def _count_of_false(flags: NumberCounts) -> int:
    return int(flags.counts[flags.values()[0] == 0.0].sum())


def _methods(limit: int) -> dict[str, str]:
    return {
        "exact": f"values, numbers and days of a column up to {limit} distinct ones; rows, missing "
        "cells, users, items, and events of each, always",
        "distinct": f"beyond that by a {value_counts.METHOD} of the {limit} smallest of 64-bit "
        "hashes",
        "top": f"beyond that from a uniform sample of {SAMPLED_ROWS} rows, chosen by a hash of the "
        "row's number",
        "quantiles": "beyond that from counts of floats without their lowest bits, as many as make "
        f"at most {limit} buckets",
    }
