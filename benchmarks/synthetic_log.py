"""An event log of any size and its catalogue, drawn by seed, for benchmarks.

Items follow Zipf's law, users' activity is lognormal, each user comes in sessions over a year, and
the log is in the order of time, as a company's is. Users come back to items, one event in a
thousand is of an item that is not in the catalogue, and times are whole seconds, so that some of
them tie.
"""

import pathlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

KINDS, KIND_SHARES = ("view", "click", "like", "purchase"), (0.8, 0.12, 0.05, 0.03)

_START_TIME = 1_704_067_200  # midnight of 2024-01-01, UTC
_YEAR_S, _SESSION_S = 365 * 86_400, 3_600
_EVENTS_OF_A_SESSION = 8
_ZIPF_EXPONENT = 1.0
_ACTIVITY_SIGMA = 1.2
_UNKNOWN_SHARE = 0.001
_BLOCK = 1_000_000  # events that are written at once


def write_log(folder: pathlib.Path, events: int, users: int, items: int, seed: int) -> pathlib.Path:
    """Writes `interactions.csv` and `items.csv`; the folder, for calls in a row.

    Args:
        folder: to make.
        events: rows of the log.
        users: that may have events.
        items: of the catalogue.
        seed: of all that is drawn.
    """
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    names = pa.array([f"i{number:07d}" for number in range(items)])
    titles = pa.array([f"Item number {number}" for number in range(items)])
    _write([pa.table({"item_id": names, "title": titles})], folder / "items.csv")
    columns = _draw(generator, events, users, items)
    _write(
        (
            _rows({name: column[start : start + _BLOCK] for name, column in columns.items()})
            for start in range(0, events, _BLOCK)
        ),
        folder / "interactions.csv",
    )
    return folder


def _draw(
    generator: np.random.Generator, events: int, users: int, items: int
) -> dict[str, np.ndarray]:
    """Columns of `[events]` numbers, by time."""
    activity = generator.lognormal(sigma=_ACTIVITY_SIGMA, size=users)
    owners = generator.choice(users, events, p=activity / activity.sum())
    popularity = np.arange(1, items + 1) ** -_ZIPF_EXPONENT
    ranks = generator.choice(items, events, p=popularity / popularity.sum())
    chosen = generator.permutation(items)[ranks]
    chosen[generator.random(events) < _UNKNOWN_SHARE] = items  # one more than there are
    # A session begins at a random second that the user and its number decide.
    per_user = np.bincount(owners, minlength=users)
    sessions = -(-per_user // _EVENTS_OF_A_SESSION)
    first = np.cumsum(sessions) - sessions
    session = first[owners] + generator.integers(sessions[owners])
    starts = generator.integers(_YEAR_S - _SESSION_S, size=int(sessions.sum()))
    times = _START_TIME + starts[session] + generator.integers(_SESSION_S, size=events)
    kinds = generator.choice(len(KINDS), events, p=KIND_SHARES).astype(np.int8)
    order = np.argsort(times, kind="stable")
    return {
        "user_id": owners[order],
        "item_id": chosen[order],
        "event": kinds,
        "timestamp": times[order],
    }


def _rows(columns: dict[str, np.ndarray]) -> pa.Table:
    def named(prefix: str, column: str) -> pa.Array:
        digits = pc.utf8_lpad(pc.cast(pa.array(columns[column]), pa.string()), 7, "0")
        return pc.binary_join_element_wise(prefix, digits, "")

    return pa.table({
        "user_id": named("u", "user_id"),
        "item_id": named("i", "item_id"),
        "event": pa.array(KINDS).take(pa.array(columns["event"])),
        "timestamp": pa.array(columns["timestamp"]),
    })  # fmt: skip


def _write(tables: Iterable[pa.Table], path: pathlib.Path) -> None:
    tables = iter(tables)
    table = next(tables)
    options = csv.WriteOptions(quoting_style="none")
    with csv.CSVWriter(str(path), table.schema, write_options=options) as writer:
        writer.write_table(table)
        for table in tables:
            writer.write_table(table)
