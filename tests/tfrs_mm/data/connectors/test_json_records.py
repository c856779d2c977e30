import io
import json
import pathlib
import tempfile

import connector_downloads as downloads
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfrs_mm.data.connectors import json_records
from tfrs_mm.data.connectors.base import EVENTS
from tfrs_mm.data.connectors.json_records import objects_of, read_records
from tfrs_mm.data.connectors.rejects import Rejects

SCHEMA = pa.schema([("s", pa.string()), ("n", pa.int64()), ("x", pa.float64()), ("b", pa.bool_())])


def read(rows: list[str]) -> tuple[list[tuple[int, dict]], list[int]]:
    """Records with the numbers of their lines, and the numbers of rejected lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "records.jsonl"
        path.write_bytes("\n".join(rows).encode("utf-8", "surrogatepass"))
        file = io.StringIO()
        found = [
            (number, record)
            for table, numbers in read_records(path, SCHEMA, EVENTS, Rejects(file))
            for number, record in zip(numbers.tolist(), table.to_pylist(), strict=True)
        ]
    return found, downloads.rejected_lines(file.getvalue())


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(-1e9, 1e9),
    st.sampled_from([2**53 + 1, 10**308, 10**309, -(10**400)]),
    st.text(max_size=5), st.lists(st.integers(), max_size=2), st.just("\ud800"),
)  # fmt: skip
RECORDS = st.dictionaries(st.sampled_from(["s", "n", "x", "b", "other"]), VALUES)
ROWS = st.lists(
    st.one_of(RECORDS.map(json.dumps), st.sampled_from(["", " ", "{", "[1]", '{"n": NaN}', "7"])),
    max_size=8,
)


@given(ROWS)
@example(['{"s": "a"}{"s": "b"}', '{"n": 1}'])
@example(['{"s": "a", "s": "b"}', '{"n": 1.0}', '{"x": 3}'])
@example(['{"x": 9007199254740993}'])
@example(['{"x": 1' + "0" * 400 + "}", '{"x": 1e400}', '{"x": 1}'])
@settings(max_examples=60, deadline=None)
def test_a_block_read_at_once_and_line_by_line_is_the_same(rows):
    found = read(rows)
    at_once = json_records._read_block
    json_records._read_block = lambda *_: None
    try:
        assert found == read(rows)
    finally:
        json_records._read_block = at_once


def test_records_of_a_wrong_type_are_rejected_and_the_rest_is_kept():
    rows = ['{"s": "a", "n": 1, "x": 2.5, "b": true}', '{"n": "1"}', "", "{", '{"other": [1]}']
    nothing = {"s": None, "n": None, "x": None, "b": None}
    assert read(rows) == (
        [(1, {"s": "a", "n": 1, "x": 2.5, "b": True}), (5, nothing)],
        [2, 4],
    )


def test_a_whole_number_is_rounded_to_the_nearest_double_and_none_is_infinite():
    rows = [f'{{"x": {2**53 + 1}}}', f'{{"x": 1{"0" * 309}}}', '{"x": -1e309}']
    nothing = {"s": None, "n": None, "b": None}
    assert read(rows) == ([(1, nothing | {"x": 2.0**53})], [2, 3])


def test_brackets_without_end_are_no_object():
    assert objects_of("[" * 10**6) is None
    assert read(['{"other": ' + "[" * 10**5 + "]" * 10**5 + "}", '{"n": 2}'])[0][-1][1]["n"] == 2
