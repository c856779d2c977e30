import gzip
import io
import pathlib
import tempfile

import connector_downloads as downloads
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrs_mm.data.connectors import lines
from tfrs_mm.data.connectors.base import EVENTS
from tfrs_mm.data.connectors.lines import encoding_of, header_of, read_lines
from tfrs_mm.data.connectors.rejects import Rejects
from tfrs_mm.errors import UserError


def read(path: pathlib.Path, encoding: str = "utf-8") -> tuple[list[tuple[int, str]], list[int]]:
    """Numbered lines, and the numbers of those that are too long."""
    file = io.StringIO()
    found = [
        (number, line)
        for block in read_lines(path, EVENTS, Rejects(file), encoding)
        for number, line in enumerate(block.split(), block.first)
    ]
    return found, downloads.rejected_lines(file.getvalue())


@given(
    st.lists(st.text(st.sampled_from("abé\r\x85\u2028"), max_size=20), max_size=20),
    st.integers(1, 12),
    st.sampled_from(["", ".gz"]),
)
@settings(max_examples=200, deadline=None)
def test_lines_are_numbered_and_those_beyond_a_block_rejected(texts, block_bytes, suffix):
    content = "\n".join(texts).encode("utf-8")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = pathlib.Path(folder) / f"lines{suffix}"
        path.write_bytes(gzip.compress(content) if suffix else content)
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        found, too_long = read(path)
    expected = [(number, line) for number, line in enumerate(texts, 1)]
    if not texts or not texts[-1]:  # what ends with a line break has no line behind it
        expected = expected[:-1]
    fits = {number: len(line.encode("utf-8")) <= block_bytes for number, line in expected}
    assert found == [(n, line.removesuffix("\r")) for n, line in expected if fits[n]]
    assert too_long == [number for number, _ in expected if not fits[number]]


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "marked.csv"
    path.write_bytes(b"\xef\xbb\xbfuser,item\r\n1,2\r\n")
    assert header_of(path) == "user,item"
    assert read(path)[0] == [(1, "user,item"), (2, "1,2")]


def test_bytes_that_are_no_utf8_cost_themselves_only(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_bytes(b"a\xffb\nc\n")
    assert read(path)[0] == [(1, "a\ufffdb"), (2, "c")]


def test_the_encoding_is_told_by_the_bytes(tmp_path):
    path = tmp_path / "movies.dat"
    path.write_bytes("73::Misérables, Les (1995)::Drama\n".encode("latin-1"))
    assert encoding_of(path) == "latin-1"
    path.write_bytes("73::Misérables, Les (1995)::Drama\n".encode())
    assert encoding_of(path) == "utf-8"


def test_a_file_that_was_cut_off_is_the_users_mistake(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 500)[:-300])
    with pytest.raises(UserError, match="cannot be read to its end"):
        list(read_lines(path, EVENTS, None))


def test_an_empty_file_has_no_lines_and_no_header(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    assert read(tmp_path / "empty") == ([], [])
    assert header_of(tmp_path / "empty") == ""
