"""The tables of the page of statistics that tell of every column."""

import datetime
from collections.abc import Mapping
from typing import Any

from pipelines.column_report import QUANTILES
from pipelines.column_summary import Type
from pipelines.page_html import escaped, number_of, share_of, table, value_of

_TOP = 3  # most frequent values that are named
_CHARACTERS = 60  # of such a value


def columns_part(statistics: Mapping[str, Any]) -> str:
    """All columns, and quantiles of those that are numbers or times."""
    parts = []
    for name in ("interactions", "catalogue"):
        columns = statistics[name]["columns"]
        rows = [
            (
                value_of(column_name),
                escaped(column["type"]),
                number_of(column["rows"]),
                share_of(column["missing"], column["rows"]),
                _about(column["distinct"], column["distinct_error"]),
                _top(column),
            )
            for column_name, column in columns.items()
        ]
        header = ("Column", "Type", "Rows", "Missing", "Distinct", "Most frequent")
        kinds = ("", "", "number", "number", "number", "words")
        parts.append(table(f"Columns of the {name}", header, rows, kinds))
        rows = [
            (
                value_of(column_name),
                *(_cell(column["quantiles"][share], column["type"]) for share in QUANTILES),
                _error(column),
            )
            for column_name, column in columns.items()
            if "quantiles" in column
        ]
        if rows:
            header = ("Column", *QUANTILES, "Error")
            kinds = ("", *["number"] * (len(QUANTILES) + 1))
            parts.append(table(f"Quantiles of the {name}; times are UTC", header, rows, kinds))
    return "".join(parts)


def _about(value: int, error: float) -> str:
    return (
        number_of(value)
        if not error
        else f"about {number_of(value)} (± {error:.1%})".replace("%", "\u00a0%")
    )


def _top(column: Mapping[str, Any]) -> str:
    about = "about " if column["top_error"] else ""
    if column["type"] in (Type.TIME, Type.PATH):
        return ""
    return ", ".join(
        f"{value_of(_short(value))} ({about}{number_of(count)})"
        for value, count in list(column["top"].items())[:_TOP]
    )


def _short(value: str) -> str:
    return value if len(value) <= _CHARACTERS else value[: _CHARACTERS - 1] + "…"


def _cell(value: float, kind: str) -> str:
    if kind != Type.TIME:
        return number_of(float(f"{value:.6g}"))
    try:
        moment = datetime.datetime.fromtimestamp(value, datetime.UTC)
    except (OverflowError, ValueError, OSError):  # years that no calendar here has
        return f"{number_of(value)} s"
    return moment.strftime("%Y-%m-%d")


def _error(column: Mapping[str, Any]) -> str:
    error = column["quantile_error"]
    unit = " s" if column["type"] == Type.TIME else ""
    return "exact" if not error else f"± {number_of(float(f'{error:.2g}'))}{unit}"
