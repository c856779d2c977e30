"""The summary of a table against plain Python, one cell after another."""

import collections
import itertools
import json
import math
import pickle

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import table_summary
from pipelines.column_report import describe
from pipelines.column_summary import ColumnSpec, Type
from pipelines.runners import new_pipeline
from pipelines.table_summary import SummariseTable, TableSummary
from pipelines.tables import ROW_NUMBER

LIMIT, LISTED = 50, 4
SPECS = (
    ColumnSpec("free"),
    ColumnSpec("genres", Type.CATEGORY, "|"),
    ColumnSpec("number"),
    ColumnSpec("day"),
    ColumnSpec("path", Type.PATH),
)
rows = st.fixed_dictionaries(
    {
        "free": st.sampled_from(["", "a", "b", "4", "2020-01-01", "nan"]),
        "genres": st.sampled_from(["", "x", "x|y", " y |x|x", "|", "z"]),
        "number": st.sampled_from(["", "1", "1.0", "-2.5", "inf", "nan"]),
        "day": st.sampled_from(["", "2020-01-01", "2020-01-02 12:00:00"]),
        "path": st.sampled_from(["", "images/1.jpg", "7"]),
    }
)
tables = st.lists(rows, max_size=25)
# 2020-01-01 is day 18262, and 18262 * 86400 = 1577836800
SECONDS = {"2020-01-01": 1577836800.0, "2020-01-02 12:00:00": 1577966400.0}


def batch_of(table: list[dict[str, str]], first: int = 0) -> pa.RecordBatch:
    columns = {spec.name: [row[spec.name] for row in table] for spec in SPECS}
    numbers = np.arange(first, first + len(table), dtype=np.int64)
    return pa.RecordBatch.from_arrays(
        [*(pa.array(cells, pa.string()) for cells in columns.values()), pa.array(numbers)],
        [*columns, ROW_NUMBER],
    )


def summary_of(parts: list[list[pa.RecordBatch]], limit: int = LIMIT) -> TableSummary:
    combine = SummariseTable(SPECS, limit)
    accumulators = []
    for part in parts:
        accumulator = combine.create_accumulator()
        for batch in part:
            accumulator = combine.add_input(accumulator, batch)
        accumulators.append(pickle.loads(pickle.dumps(combine.compact(accumulator))))
    return combine.extract_output(combine.merge_accumulators(accumulators))


def described(summary: TableSummary) -> dict:
    reports = {
        spec.name: describe(summary.columns[spec.name], spec, summary.sample, LISTED)
        for spec in SPECS
    }
    return json.loads(json.dumps(reports, allow_nan=False))


def by_hand(cells: list[str], spec: ColumnSpec) -> dict:
    """What `describe` should say, without distribution."""
    separator = spec.separator
    lists = [
        sorted({part.strip() for part in cell.split(separator)} - {""}) if separator
        else [cell] * bool(cell)
        for cell in cells
    ]  # fmt: skip
    values = [value for own in lists for value in own]
    counted = collections.Counter(values)
    top = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:LISTED]
    if len(counted) > LISTED:
        top = [pair for pair in top if pair[1] > 1]
    kind, numbers = spec.type, []
    if kind is None:
        kind = Type.TEXT
        if all(value in SECONDS for value in values):
            kind, numbers = Type.TIME, [SECONDS[value] for value in values]
        elif not set(values) & {"a", "b", "2020-01-01"}:
            kind, numbers = Type.NUMBER, [float(value) for value in values]
    report = {
        "type": kind if values else Type.EMPTY,
        "rows": len(cells),
        "missing": lists.count([]),
        "distinct": len(counted),
        "distinct_error": 0.0,
        "top": dict(top),
        "top_error": 0.0,
        "complete": len(top) == len(counted),
    }
    if separator:
        report["values"] = len(values)
    if numbers:
        finite = sorted(number for number in numbers if math.isfinite(number))
        report["not_finite"] = len(numbers) - len(finite)
        if finite:
            shares = {"min": 0, "1%": 0.01, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75,
                      "95%": 0.95, "99%": 0.99, "max": 1}  # fmt: skip
            report["quantiles"] = {
                name: finite[max(math.ceil(share * len(finite)), 1) - 1]
                for name, share in shares.items()
            }
            points = sorted(set(finite))
            report["quantile_error"] = 0.0
            report["distribution"] = {
                "points": points,
                "below": [sum(number < point for number in finite) for point in points],
                "up_to": [sum(number <= point for number in finite) for point in points],
            }
    return report


@settings(deadline=None)
@given(tables)
def test_a_column_is_described_as_by_hand(table):
    found = described(summary_of([[batch_of(table)]]))
    for spec in SPECS:
        assert found[spec.name] == by_hand([row[spec.name] for row in table], spec)


@settings(deadline=None)
@given(tables, st.lists(st.integers(0, 25), max_size=3), st.integers(3, 5), st.randoms())
def test_the_order_and_the_parts_mean_nothing(table, cuts, limit, random):
    whole = summary_of([[batch_of(table)]], limit)
    edges = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    batches = [batch_of(table[start:end], start) for start, end in itertools.pairwise(edges)]
    random.shuffle(batches)
    cut = random.randint(0, len(batches))
    found = summary_of([batches[:cut], [], batches[cut:]], limit)
    assert described(found) == described(whole)
    assert found.rows == whole.rows == len(table)
    if table:
        assert found.sample.rows.equals(whole.sample.rows)


def test_batches_that_wait_are_summarised_when_they_are_many(monkeypatch):
    table = [{"free": str(n), "genres": "x", "number": "1", "day": "", "path": ""}
             for n in range(40)]  # fmt: skip
    batches = [batch_of(table[place : place + 3], place) for place in range(0, 40, 3)]
    expected = described(summary_of([batches]))
    monkeypatch.setattr(table_summary, "_PENDING_ROWS", 5)
    assert described(summary_of([batches])) == expected
    monkeypatch.setattr(table_summary, "_PENDING_BYTES", 1)
    combine = SummariseTable(SPECS, LIMIT)
    assert not combine.add_input(combine.create_accumulator(), batches[0]).pending


def test_in_a_pipeline_it_is_the_same():
    table = [{"free": "a", "genres": "x|y", "number": str(n % 7), "day": "2020-01-01", "path": ""}
             for n in range(50)]  # fmt: skip
    expected = described(summary_of([[batch_of(table)]]))

    def check(found: list[TableSummary]) -> None:
        assert [described(summary) for summary in found] == [expected]

    batches = [batch_of(table[place : place + 9], place) for place in range(0, 50, 9)]
    with new_pipeline([]) as pipeline:
        made = pipeline | beam.Create(batches) | beam.CombineGlobally(SummariseTable(SPECS, LIMIT))
        assert_that(made, check)


def test_beyond_the_limit_everything_says_its_error():
    generator = np.random.default_rng(6)
    # "often" is in a third of the rows, the rest are all different.
    texts = [f"text {n}" if n % 3 else "often" for n in range(30_000)]
    numbers = generator.normal(100, 15, 30_000)
    batch = pa.RecordBatch.from_arrays(
        [pa.array(texts), pa.array(numbers), pa.array(np.arange(30_000))],
        ["text", "number", ROW_NUMBER],
    )
    specs = (ColumnSpec("text"), ColumnSpec("number", Type.NUMBER))
    combine = SummariseTable(specs, 1000)
    found = combine.extract_output(combine.add_input(combine.create_accumulator(), batch))
    text, number = (describe(found.columns[s.name], s, found.sample, LISTED) for s in specs)
    # 20,001 distinct values, and 1 / sqrt(998) = 3.2 %
    assert text["distinct_error"] == pytest.approx(0.0317, abs=1e-3)
    assert abs(text["distinct"] - 20_001) < 3 * 0.0317 * 20_001
    assert list(text["top"]) == ["often"]
    assert abs(text["top"]["often"] / 30_000 - 1 / 3) < 3 * text["top_error"]
    assert text["complete"] is False
    assert abs(number["distinct"] - 30_000) < 3 * 0.0317 * 30_000
    for name, share in {"5%": 0.05, "50%": 0.5, "99%": 0.99}.items():
        exact = np.quantile(numbers, share, method="inverted_cdf")
        assert abs(number["quantiles"][name] - exact) <= number["quantile_error"]
    assert 0 < number["quantile_error"] < 1
    assert number["quantiles"]["min"] == numbers.min()
    assert (len(number["distribution"]["points"]) <= 101, number["top"]) == (True, {})


@pytest.mark.parametrize(
    ("column", "kind", "missing"),
    [
        (pa.array([1, None, 3]), Type.NUMBER, 1),
        (pa.array([True, False, None]), Type.NUMBER, 1),
        (pa.array([0, 86_400_000], pa.timestamp("ms")), Type.TIME, 0),
        (pa.array([["x", "y"], [], None]), Type.TEXT, 2),
        (pa.array(["2020-01-01T00:00:00Z", "2020-01-02T00:00:00+02:00"]), Type.TIME, 0),
        # With and without a zone: nobody knows what the second one means.
        (pa.array(["2020-01-01T00:00:00Z", "2020-01-02T00:00:00"]), Type.TEXT, 0),
    ],
)
def test_columns_of_other_types_are_read(column, kind, missing):
    spec = ColumnSpec("column", None, "|" if pa.types.is_list(column.type) else "")
    batch = pa.RecordBatch.from_arrays(
        [column, pa.array(np.arange(len(column)))], ["column", ROW_NUMBER]
    )
    combine = SummariseTable((spec,), LIMIT)
    halves = [batch.slice(0, 1), batch.slice(1)]
    found = combine.extract_output(
        combine.merge_accumulators(
            [combine.add_input(combine.create_accumulator(), half) for half in halves]
        )
    )
    report = describe(found.columns["column"], spec, found.sample, LISTED)
    assert (report["type"], report["missing"], report["distinct"]) == (
        kind, missing, 2,
    )  # fmt: skip
