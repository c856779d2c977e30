import csv
import io
import pathlib
import tempfile

import connector_downloads as downloads
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfrs_mm.data.connectors import lines
from tfrs_mm.data.connectors.base import EVENTS
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.data.connectors.separated import read_rows

COLUMNS = ("a", "b", "c")


def read(content: bytes, **options: object) -> tuple[list[tuple], list[int]]:
    """Rows with their numbers, and the numbers of rejected lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "table.dat"
        path.write_bytes(content)
        file = io.StringIO()
        rejects, rows = Rejects(file), []
        for block in read_rows(path, COLUMNS, EVENTS, rejects, **options):
            cells = [block.columns[name].to_pylist() for name in COLUMNS]
            rows += zip(block.numbers.tolist(), *cells, strict=True)
    return rows, downloads.rejected_lines(file.getvalue())


def plainly(text: str, divide, header: bool) -> tuple[list[tuple], list[int]]:
    """What `read` should give, one line after the other."""
    rows, bad = [], []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or (header and number == 1):
            continue
        cells = divide(line)
        if cells is None or len(cells) != len(COLUMNS):
            bad.append(number)
        else:
            rows.append((number, *cells))
    return rows, bad


LINES = st.lists(st.text(st.sampled_from('ab:",é 1\x1f\r\t'), max_size=12), max_size=12)


@given(LINES)
@example(["1:::2::3", "1::2::3::", ":::::", "a::b::c\r"])
@settings(max_examples=150, deadline=None)
def test_double_colons_divide_as_in_python(rows):
    text = "\n".join(rows)
    found = read(
        text.encode("latin-1"), separator="::", quotes=False, header=False, encoding="latin-1"
    )
    assert found == plainly(text, lambda line: line.split("::"), header=False)


def csv_cells(line: str) -> list[str] | None:
    if '"' not in line:  # where a carriage return is a character like any other
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return None


@given(LINES, st.integers(4, 40))
@example(['"a,b",2,3', '"a""b",,', "1,2,3", '"open,2,3'], 8)
@settings(max_examples=150, deadline=None)
def test_lines_of_csv_are_read_each_alone_wherever_blocks_meet(rows, block_bytes):
    text = "h,h,h\n" + "\n".join(rows)
    content = text.encode("utf-8")
    longest = max(len(line) for line in content.split(b"\n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", max(block_bytes, longest))
        found = read(content)
    assert found == plainly(text, csv_cells, header=True)


@given(
    st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1)] * 3
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_what_csv_writes_comes_back(rows):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    found, bad = read(file.getvalue().encode("utf-8"), header=False)
    blank = [number for number, row in enumerate(rows, 1) if not ",".join(row).strip()]
    assert ([cells for _, *cells in found], bad, blank) == ([list(row) for row in rows], [], [])


def test_a_lost_quote_costs_one_line():
    assert read(b'x,y,z\n1,"lost,2\n3,4,5\n') == ([(3, "3", "4", "5")], [2])
