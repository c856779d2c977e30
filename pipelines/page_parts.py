"""The charts of the page of statistics, each with what it shows as a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.column_summary import Type
from pipelines.distances import reached
from pipelines.job_report import REASONS
from pipelines.page_charts import bar_chart, column_chart
from pipelines.page_html import escaped, figure, number_of, share_of, table, value_of
from pipelines.records import READ
from pipelines.statistics import PATHS

_COLUMNS = 300  # most columns of a chart of days
_BINS = 24  # of a number's distribution
_VALUES = 15  # shown of a category
_FEW = 30  # numbers that get a column each
_SPANS = {"day": "D", "week": "W", "month": "M", "year": "Y"}


def days_part(interactions: Mapping[str, Any]) -> str:
    """Events per day, or per longer span where there are too many days."""
    days = interactions["per_day"]["days"]
    if not days:
        return "<p>No event has a time.</p>"
    span, labels, counts = _spans(days)
    title = f"Events per {span}, UTC"
    most = int(np.argmax(counts))
    said = (
        f"From {min(days)} to {max(days)}; most events, {number_of(counts[most])}, in the {span} "
        f"of {labels[most]}."
    )
    rows = [(label, number_of(count)) for label, count in zip(labels, counts, strict=True) if count]
    chart = column_chart(title, said, labels, counts)
    return f"<p>{escaped(title)}. {escaped(said)}</p>" + figure(
        chart, table(title, (span.capitalize(), "Events"), rows, ("", "number"))
    )


def activity_part(interactions: Mapping[str, Any]) -> str:
    """Kinds of events, and how many events users and items have."""
    users, items = interactions["per_user"], interactions["per_item"]
    without = {"0": items["without_events"]}
    return (
        _shares("Kinds of events", "Kind", interactions["per_kind"], interactions["rows"])
        + _histogram("Events per user", "users", users["histogram"])
        + _histogram("Events per item", "items", without | items["histogram"])
    )


def rejects_part(report: Mapping[str, Any]) -> str:
    """Why events were rejected."""
    reasons = report[REASONS]
    if not reasons:
        return f"<p>None of {number_of(report[READ])} events was rejected.</p>"
    ordered = dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))
    return _shares("Reasons of rejects, as shares of the events read", "Reason", ordered,
                   report[READ])  # fmt: skip


def categories_part(catalogue: Mapping[str, Any]) -> str:
    """The most frequent values of each category column."""
    parts = []
    for name, column in catalogue["columns"].items():
        if column["type"] != Type.CATEGORY:
            continue
        top = dict(list(column["top"].items())[:_VALUES])
        of_all = f", {len(top)} of {number_of(column['distinct'])} values"
        parts.append(
            _shares(
                f"Share of items by {name}{of_all if len(top) < column['distinct'] else ''}",
                "Value", top, catalogue["rows"],
            )
        )  # fmt: skip
    return "".join(parts) or "<p>The catalogue has no category column with values.</p>"


def media_part(catalogue: Mapping[str, Any], report: Mapping[str, Any] | None) -> str:
    """Which share of the items has each medium: as embedded, or else as the catalogue names it."""
    if report is None:
        columns = catalogue["columns"]
        named = {
            name: columns[name]["rows"] - columns[name]["missing"]
            for name in PATHS
            if name in columns
        }
        said = "<p>The media job has not run in this folder; this is what the catalogue names.</p>"
        if not named:
            return f"{said}<p>It has none of the columns {', '.join(PATHS)}.</p>"
        return said + _shares("Items that name a file", "Column", named, catalogue["rows"])
    items = report["items"]
    parts = [_shares("Items with each modality", "Modality", report["present"], items)]
    rows = [
        (
            value_of(name),
            number_of(report["present"][name]),
            number_of(report["missing"][name]),
            number_of(sum(rejected.values())),
            "; ".join(f"{value_of(why)} ({number_of(count)})" for why, count in rejected.items()),
        )
        for name, rejected in report["rejected"].items()
    ]
    header = ("Modality", "Present", "Missing", "Rejected", "Why")
    kinds = ("", "number", "number", "number", "words")
    return "".join(parts) + table("Media of the items", header, rows, kinds)


def numbers_part(statistics: Mapping[str, Any]) -> str:
    """How the numbers of each column are distributed."""
    parts = []
    for name in ("interactions", "catalogue"):
        for column_name, column in statistics[name]["columns"].items():
            if column["type"] == Type.NUMBER and "distribution" in column:
                parts.append(_distribution(f"{column_name} ({name})", column))
    return "".join(parts) or "<p>There is no column of numbers.</p>"


def _shares(title: str, head: str, counts: Mapping[str, int], whole: int) -> str:
    labels, values = list(counts), list(counts.values())
    figures = [f"{number_of(value)} ({share_of(value, whole)})" for value in values]
    if not labels:
        return f"<h3>{escaped(title)}</h3><p>There is none.</p>"
    said = f"Most: {labels[0]}, {figures[0]}."
    rows = [
        (value_of(label), number_of(value), share_of(value, whole))
        for label, value in counts.items()
    ]
    shown = table(title, (head, "Count", "Share"), rows, ("", "number", "number"))
    chart = bar_chart(title, said, labels, values, figures)
    return f"<h3>{escaped(title)}</h3>" + figure(chart, shown)


def _histogram(title: str, noun: str, histogram: Mapping[str, int]) -> str:
    """Counts by powers of two."""
    labels = []
    for key in histogram:
        low = int(key)
        high = max(2 * low - 1, low)
        labels.append("–".join(number_of(end) for end in dict.fromkeys((low, high))))
    values = list(histogram.values())
    most = int(np.argmax(values)) if values else 0
    events = "event" if labels[most : most + 1] == ["1"] else "events"
    said = (
        f"Most {noun}, {number_of(values[most])}, have {labels[most]} {events}." if values else ""
    )
    rows = [(label, number_of(value)) for label, value in zip(labels, values, strict=True)]
    shown = table(title, ("Events", noun.capitalize()), rows, ("", "number"))
    return f"<h3>{title}</h3><p>{said}</p>" + figure(
        column_chart(title, said, labels, values), shown
    )


def _distribution(title: str, column: Mapping[str, Any]) -> str:
    distribution = column["distribution"]
    points, rows = distribution["points"], distribution["up_to"][-1]
    gaps = np.subtract(distribution["below"][1:], distribution["up_to"][:-1])
    if len(points) <= _FEW and not np.any(gaps):
        counts = np.subtract(distribution["up_to"], distribution["below"]).tolist()
        labels, said = [number_of(point) for point in points], "Rows by value."
    else:
        low, high = column["quantiles"]["1%"], column["quantiles"]["99%"]
        edges = np.linspace(low, high, _BINS + 1)
        counts = (np.diff(reached(distribution, edges)) * rows).round().tolist()
        labels = [number_of(float(f"{edge:.4g}")) for edge in edges[:-1]]
        said = "About so many rows; the lowest and the highest 1 % are left out."
    shown = table(
        title, ("From" if len(counts) == _BINS else "Value", "Rows"),
        [(label, number_of(count)) for label, count in zip(labels, counts, strict=True)],
        ("", "number"),
    )  # fmt: skip
    chart = column_chart(title, said, labels, counts)
    return f"<h3>{value_of(title)}</h3><p>{escaped(said)}</p>" + figure(chart, shown)


def _spans(days: Mapping[str, int]) -> tuple[str, list[str], list[int]]:
    """The shortest span of time of which there are few enough: its name, labels and counts."""
    moments = np.array(list(days), "datetime64[D]")
    by_span = {
        span: moments.astype(f"datetime64[{unit}]").astype(np.int64)
        for span, unit in _SPANS.items()
    }
    few = (span for span, places in by_span.items() if np.ptp(places) < _COLUMNS)
    span = next(few, "year")
    places, unit = by_span[span], _SPANS[span]
    first, last = int(places.min()), int(places.max())
    step = 1 + (last - first) // _COLUMNS  # of years, where there are too many of them
    places = (places - first) // step
    counts = np.bincount(places, weights=list(days.values()), minlength=int(places.max()) + 1)
    starts = np.array([first + step * place for place in range(len(counts))])
    labels = np.datetime_as_string(starts.astype(f"datetime64[{unit}]")).tolist()
    return span if step == 1 else f"{step} years", labels, counts.astype(int).tolist()
