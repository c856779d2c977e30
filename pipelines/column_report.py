"""A column's summary as plain values, as `statistics.json` holds it.

type            see `Type`
rows, missing   of the table; rows with nothing in this column
distinct        values; `distinct_error` is its relative standard error, 0 where it is exact
top             the most frequent values and their counts; `top_error` is the standard error of
                their share of the rows, 0 where they are exact; `complete` says whether these
                are all values that there are
quantiles       of numbers, and of times in seconds since 1970; each lies within
                `quantile_error` of the one it stands for, 0 where it is exact
distribution    numbers `points`, and how many rows lie `below` and `up_to` each of them
not_finite      rows with an infinite number or none ("nan")
"""

from typing import Any

import numpy as np

from pipelines.column_summary import ColumnSpec, ColumnSummary, Type, texts_of
from pipelines.number_counts import NumberCounts
from pipelines.row_sample import STANDARD_ERROR, RowSample
from pipelines.value_counts import ValueCounts

QUANTILES = {
    "min": 0.0, "1%": 0.01, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95,
    "99%": 0.99, "max": 1.0,
}  # fmt: skip

_POINTS = 101  # of a distribution: the percentiles, or all numbers where there are no more
_MIN_SEEN = 8  # a value of the sample is listed from so many rows on; fewer are mostly chance


def describe(
    summary: ColumnSummary, spec: ColumnSpec, sample: RowSample | None, listed: int
) -> dict[str, Any]:
    """See the module.

    Args:
        summary: of the column.
        spec: what was known of it beforehand.
        sample: of the table's rows.
        listed: most values of `top`.
    """
    distinct, error = summary.values.distinct()
    top, top_error = _top(summary, spec, sample, listed)
    report = {
        "type": summary.type(spec).value,
        "rows": summary.rows,
        "missing": summary.missing,
        "distinct": distinct,
        "distinct_error": round(error, 6),
        "top": {str(value): count for value, count in top},
        "top_error": round(top_error, 6),
        "complete": summary.values.complete and len(top) == distinct,
    }
    if spec.separator:
        report["values"] = summary.values.total
    if summary.type(spec) in (Type.NUMBER, Type.TIME):
        report |= _numbers(summary.numbers) | {"not_finite": summary.not_finite}
    return report


def _top(
    summary: ColumnSummary, spec: ColumnSpec, sample: RowSample | None, listed: int
) -> tuple[list[tuple[Any, int]], float]:
    """The most frequent values with their counts, and the standard error of their shares."""
    values = summary.values
    if values.complete:
        top = values.most_frequent(listed)
        # Where not all are listed, those that came once say nothing.
        return [(v, n) for v, n in top if n > 1 or len(values.hashes) <= listed], 0.0
    if sample is None or spec.name not in sample.rows.column_names:
        # Numbers of many different values: their distribution says more than any of them.
        return [], 0.0
    texts, _ = texts_of(sample.rows.column(spec.name).combine_chunks(), spec.separator)
    counted = ValueCounts.of_texts(texts, max(len(texts), 1))
    scale = summary.rows / sample.rows.num_rows
    seen = [(value, n) for value, n in counted.most_frequent(listed) if n >= _MIN_SEEN]
    return [(value, round(n * scale)) for value, n in seen], STANDARD_ERROR


def _numbers(numbers: NumberCounts) -> dict[str, Any]:
    if not numbers.total:
        return {}
    values, error = numbers.quantiles(list(QUANTILES.values()))
    quantiles = dict(zip(QUANTILES, values.tolist(), strict=True))
    # These two are known exactly however many bits the buckets lost.
    quantiles |= {"min": numbers.smallest, "max": numbers.largest}
    places = np.arange(len(numbers.counts))
    if len(places) > _POINTS:
        places = np.unique(numbers.places(np.linspace(0, 1, _POINTS)))
    up_to = np.cumsum(numbers.counts)
    return {
        "quantiles": quantiles,
        "quantile_error": error,
        "distribution": {
            "points": numbers.values()[0][places].tolist(),
            "below": (up_to - numbers.counts)[places].tolist(),
            "up_to": up_to[places].tolist(),
        },
    }
