"""Some hundred damaged lines; `benchmarks/fuzz_logs.py` makes ten thousand of the same kind."""

import importlib.util
import json
import pathlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.records import REQUIRED, check_events
from pipelines.tables import ROW_NUMBER, read_table
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

spec = importlib.util.spec_from_file_location(
    "fuzz_logs", pathlib.Path(__file__).parents[2] / "benchmarks" / "fuzz_logs.py"
)
fuzz_logs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_logs)

ITEMS = Vocabulary(("000", "001", "é"))
cells = st.one_of(st.text(max_size=12), st.sampled_from(["000", "1e3", "2024-01-01", "nan"]))


@pytest.mark.parametrize("seed", [11, 12])
def test_damaged_lines_crash_nothing_and_the_totals_add_up(tmp_path, seed):
    faults, report = fuzz_logs.faults_of(tmp_path / "world", 600, seed)
    assert faults == []
    assert report["events rejected"] > 100 and report["train"] > 50


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=20))
def test_whatever_stands_in_cells_is_an_event_or_a_reject_with_its_reason(rows):
    names = (*REQUIRED, "event")
    columns = [pa.array([_legal(cell) for cell in column]) for column in zip(*rows, strict=True)]
    batch = pa.RecordBatch.from_arrays(
        [*columns, pa.array(range(2, len(rows) + 2), pa.int64())], [*names, ROW_NUMBER]
    )
    events, rejects = check_events(batch, ITEMS, 0, "log.csv")
    assert events.num_rows + len(rejects) == len(rows)
    places = [int(reject["where"].removeprefix("log.csv:")) for reject in rejects]
    kept = events.column("position").to_pylist()
    assert sorted([*places, *kept]) == list(range(2, len(rows) + 2))
    assert all(reject["reason"] and json.dumps(reject) for reject in rejects)


def _legal(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([".csv", ".jsonl", ".csv.gz", ".jsonl.zst"]))
def test_bytes_without_a_meaning_are_rows_or_one_clear_error(tmp_path_factory, data, suffix):
    path = tmp_path_factory.getbasetemp() / f"log{suffix}"
    path.write_bytes(b"user_id,item_id,timestamp\n" + data if suffix == ".csv" else data)
    read = 0
    try:
        for batch, broken in read_table(str(path), REQUIRED):
            read += batch.num_rows + len(broken)
    except UserError as error:
        assert path.name in str(error)
    if suffix == ".jsonl":  # every line that is not blank
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        assert read == sum(bool(line.strip(" \t\r")) for line in text.split("\n"))
