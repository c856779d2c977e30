"""Event logs as Arrow record batches: found, read in blocks, checked column by column.

One element is a record batch, never one event. What is wrong with a line is said in a reject; the
rest of the batch goes on.
"""

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystems import FileSystems
from pyarrow import csv

from tfrs_mm.data.vocabulary import is_legal_id
from tfrs_mm.errors import UserError

USER_ID, ITEM_ID, EVENT, TIMESTAMP, ORDER = "user_id", "item_id", "event", "timestamp", "order"
TIME, POSITION = "time", "position"
REQUIRED = (USER_ID, ITEM_ID, TIMESTAMP)
DEFAULT_EVENT = "interaction"
MISSING_TIME = "missing_time"

_BLOCK_BYTES = 4 * 2**20
_FILE_SHIFT = 2**40  # positions of one file lie below it, so files keep their order
_LARGEST_TIME = 2.0**53
_ESCAPES = re.compile("[\x00-\x1f\x7f]")


def find_files(input_dir: pathlib.Path, pattern: str) -> list[str]:
    """The log files below `input_dir`, in the order of their names.

    Raises:
        UserError: the pattern leaves the folder, matches nothing, or a file is no log.
    """
    if pathlib.PurePath(pattern).is_absolute() or ".." in pathlib.PurePath(pattern).parts:
        raise UserError(
            f"`data.interactions` must stay below the input folder, received {pattern!r}. "
            "Give a path relative to it."
        )
    if not input_dir.is_dir():
        raise UserError(f"the input folder {input_dir} does not exist. Give a folder with logs and catalogue.")
    paths = sorted(path for path in input_dir.glob(pattern) if path.is_file())
    if not paths:
        raise UserError(
            f"`data.interactions` is {pattern!r}, which matches no file in {input_dir}. "
            "Correct the pattern or the input folder."
        )
    for path in paths:
        if not path.resolve().is_relative_to(input_dir.resolve()):
            raise UserError(f"{path} leads out of the input folder {input_dir}. Put the file itself there.")
        _check_header(path)
    return [str(path) for path in paths]


def _check_header(path: pathlib.Path) -> None:
    try:
        with FileSystems.open(str(path)) as file, _open(file, None, []) as reader:
            names = reader.schema.names
    except pa.ArrowInvalid as error:
        what = "is empty" if path.stat().st_size == 0 else f"is no CSV table: {error}"
        raise UserError(f"the log {path} {what}. Give a CSV file with a header line.") from error
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        raise UserError(f"the log {path} has no column {absent}; it has {names}. Rename or add it.")


def read_events(path: str, place: int) -> Iterator[tuple[pa.RecordBatch, list[dict[str, Any]]]]:
    """A log as record batches of strings with a column of positions, and the lines that are no records.

    Args:
        path: of the file.
        place: of the file among all; later files come later in the global order.
    """
    name = pathlib.PurePath(path).name
    with FileSystems.open(path) as file, _open(file, None, []) as reader:
        wanted = [c for c in (USER_ID, ITEM_ID, EVENT, TIMESTAMP, ORDER) if c in reader.schema.names]
    broken: list[tuple[int | None, str]] = []
    position = place * _FILE_SHIFT
    with FileSystems.open(path) as file, _open(file, wanted, broken) as reader:
        for batch in reader:
            columns = [_as_text(column) for column in batch.columns]
            positions = pa.array(position + np.arange(batch.num_rows, dtype=np.int64))
            position += batch.num_rows
            rejects = [
                {"reason": "not as many cells as columns", "where": f"{name}:{number}", "record": {"line": text}}
                for number, text in broken
            ]
            broken.clear()
            yield pa.RecordBatch.from_arrays([*columns, positions], [*wanted, POSITION]), rejects


def _open(
    file: object, columns: list[str] | None, broken: list[tuple[int | None, str]]
) -> csv.CSVStreamingReader:
    def keep(row: csv.InvalidRow) -> str:
        broken.append((row.number, row.text))
        return "skip"

    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        convert_options=csv.ConvertOptions(
            include_columns=columns,
            column_types=None if columns is None else dict.fromkeys(columns, pa.binary()),
            strings_can_be_null=False,
        ),
    )


def _as_text(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([cell.decode("utf-8", "replace") for cell in column.to_pylist()], pa.string())


def check_events(
    batch: pa.RecordBatch, item_rows: np.ndarray, file_name: str
) -> tuple[pa.RecordBatch, list[dict[str, Any]]]:
    """The events that can be used, with numbers for items and times, and a reject for each other line.

    Args:
        batch: of `read_events`.
        item_rows: `[events]`, rows of the item vocabulary, 0 for an unknown id.
        file_name: said in the rejects.

    Returns:
        A batch of `user_id`, `event` (strings), `item` (int64), `time` (float64 seconds; where a line
        has no timestamp its `order`, else 0), `missing_time` (bool) and `position`; and the rejects.
    """
    users = batch.column(USER_ID)
    times, missing, unreadable = _times(batch)
    reasons = np.full(batch.num_rows, None, object)
    # What is checked last is what a line with several faults is rejected for.
    reasons[item_rows == 0] = "item is not in the catalogue"
    reasons[unreadable] = "timestamp is no number of seconds"
    reasons[_illegal(users)] = "user_id has control characters"
    reasons[pc.equal(batch.column(ITEM_ID), "").to_numpy(zero_copy_only=False)] = "item_id is empty"
    reasons[pc.equal(users, "").to_numpy(zero_copy_only=False)] = "user_id is empty"
    bad = np.not_equal(reasons, None)
    events = batch.column(EVENT) if EVENT in batch.schema.names else None
    if events is None:
        events = pa.array([DEFAULT_EVENT] * batch.num_rows, pa.string())
    else:
        unnamed = pa.array(_illegal(events) | pc.equal(events, "").to_numpy(zero_copy_only=False))
        events = pc.if_else(unnamed, DEFAULT_EVENT, events)
    checked = pa.RecordBatch.from_arrays(
        [
            users,
            events,
            pa.array(item_rows.astype(np.int64)),
            pa.array(times),
            pa.array(missing),
            batch.column(POSITION),
        ],
        [USER_ID, EVENT, "item", TIME, MISSING_TIME, POSITION],
    )
    rejects = [
        _reject(str(reasons[place]), batch, int(place), file_name) for place in np.flatnonzero(bad)
    ]
    return checked.filter(pa.array(~bad)), rejects


def _times(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[events]` seconds, whether the timestamp is empty, and whether it cannot be read."""
    texts = batch.column(TIMESTAMP)
    missing = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    if missing.any() and ORDER in batch.schema.names:
        texts = pc.if_else(pa.array(missing), batch.column(ORDER), texts)
    texts = pc.if_else(pc.equal(texts, ""), "0", texts)
    try:
        times = pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False).copy()
    except pa.ArrowInvalid:
        times = np.array([_number(text) for text in texts.to_pylist()])
    unreadable = ~(np.abs(times) < _LARGEST_TIME)  # not a number is not below anything
    times[unreadable] = 0.0
    return times, missing, unreadable


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _illegal(values: pa.Array) -> np.ndarray:
    """Which strings cannot stand in a vocabulary; empty ones aside. Looks at each distinct one once."""
    encoded = values.dictionary_encode()
    illegal = np.array([not is_legal_id(v) and v != "" for v in encoded.dictionary.to_pylist()], bool)
    return illegal[encoded.indices.to_numpy()] if len(illegal) else np.zeros(len(values), bool)


def _reject(reason: str, batch: pa.RecordBatch, place: int, file_name: str) -> dict[str, Any]:
    record = {
        name: _ESCAPES.sub("\ufffd", batch.column(name)[place].as_py())
        for name in batch.schema.names
        if name != POSITION
    }
    line = batch.column(POSITION)[place].as_py() % _FILE_SHIFT + 1
    return {"reason": reason, "where": f"{file_name}:record {line}", "record": record}
