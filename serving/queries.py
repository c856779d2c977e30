"""Whom to recommend to, and the input tensors of a served recommender made of it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from serving.transports import ClientError
from tfrs_mm import signatures


@dataclasses.dataclass(frozen=True)
class Query:
    """Whom to recommend to.

    Attributes:
        user_id: empty for a user who is not known.
        history: item ids, oldest first.
        exclude: item ids that must not be recommended.
        times: when each item of the history was taken, in seconds, None where that is unknown;
            empty for none. A model that reads neither times nor kinds of events refuses both.
        kinds: of the event of each item of the history, an empty string where that is unknown;
            empty for none.
        diversity: from 0, the best scores, to 1: how much the answer's variety counts; None for
            what the model was exported with.
    """

    user_id: str = ""
    history: Sequence[str] = ()
    exclude: Sequence[str] = ()
    times: Sequence[int | None] = ()
    kinds: Sequence[str] = ()
    diversity: float | None = None


def events_of(queries: Sequence[Query], width: int) -> dict[str, np.ndarray]:
    """Times and kinds of all histories, `[batch, width]`, unknown where a query tells none."""
    times = np.full((len(queries), width), signatures.NO_TIME, np.int64)
    for row, query in zip(times, queries, strict=True):
        for name in ("times", "kinds"):
            given = getattr(query, name)
            if len(given) not in (0, len(query.history)):
                raise ClientError(
                    f"{name} must be empty or have one entry for each of the history's "
                    f"{len(query.history)} items, received {len(given)}."
                )
        for place, time in enumerate(query.times):
            if time is None:
                continue
            if isinstance(time, bool) or not isinstance(time, int | np.integer):
                raise ClientError(f"times must hold whole seconds or None, received {time!r}.")
            row[place] = time
    kinds = [[*query.kinds] or [signatures.EMPTY_ID] * len(query.history) for query in queries]
    return {
        signatures.HISTORY_TIMES: times,
        signatures.HISTORY_KINDS: id_table(kinds, "kinds"),
    }


def diversities_of(values: Sequence[float | None]) -> np.ndarray:
    """As float32 `[batch]`."""
    if any(value is None for value in values):
        raise ClientError(
            "diversity must be given for all queries of one request or for none. Ask twice."
        )
    for value in values:
        if not 0 <= value <= 1:
            raise ClientError(f"diversity must be from 0 to 1, received {value}.")
    return np.array(values, np.float32)


def id_column(ids: Sequence[str], argument: str) -> np.ndarray:
    """Ids as UTF-8 in an object array `[batch]`."""
    if isinstance(ids, str):
        raise ClientError(f"{argument} must be a sequence of ids, received the string {ids!r}.")
    column = np.empty(len(ids), object)
    for place, value in enumerate(ids):
        if not isinstance(value, str):
            raise ClientError(f"{argument} must hold strings, received {value!r}.")
        try:
            column[place] = value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ClientError(f"{argument} must hold Unicode text, received {value!r}.") from error
    return column


def id_table(rows: Sequence[Sequence[str]], argument: str) -> np.ndarray:
    """Ids as UTF-8 in an object array `[batch, longest row]`, short rows filled with empty ids."""
    columns = [id_column(row, argument) for row in rows]
    table = np.full((len(rows), max((len(column) for column in columns), default=0)), b"", object)
    for row, column in zip(table, columns, strict=True):
        row[: len(column)] = column
    return table
