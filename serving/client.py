"""Asks a served recommender for items: over REST or gRPC, this project's server or TF Serving.

`RecommenderClient("http://127.0.0.1:8501").recommend(user_id="u7", history=["i1", "i2"], k=5)`
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from serving import DEFAULT_MODEL_NAME
from serving.in_process import LoadedModel
from serving.tensors import DTYPES, DeclaredTensor
from serving.transports import ClientError, connect
from tfrs_mm import signatures
from tfrs_mm.signatures import RECOMMEND, RECOMMEND_DIVERSIFIED, RETRIEVE, SIMILAR_ITEMS

__all__ = ["ClientError", "Query", "Recommendation", "RecommenderClient"]

_NUMBER_OF = {"string" if dtype.is_string else dtype.numpy.name: dtype.number for dtype in DTYPES}
_OUTPUTS = tuple(
    DeclaredTensor(output.name, _NUMBER_OF[output.dtype], output.shape, role="output")
    for output in signatures.OUTPUTS
)


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """One recommended item; a higher score is better, and scores compare only within one answer."""

    item_id: str
    score: float


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


class RecommenderClient:
    """A client of one model; it may be used from several threads, and closed or used in `with`."""

    def __init__(
        self, url: str, model_name: str = DEFAULT_MODEL_NAME, timeout_s: float = 10.0
    ) -> None:
        """Remembers where to ask; nothing is sent yet.

        Args:
            url: `http://host:port` for REST, `grpc://host:port` for gRPC.
            model_name: the name that the server gives the model.
            timeout_s: how long one request may take.

        Raises:
            ClientError: the URL is not of these forms, or gRPC is not installed.
        """
        if not timeout_s > 0:
            raise ClientError(f"timeout_s must be above 0, received {timeout_s}.")
        self._transport = connect(url, model_name, timeout_s)

    @classmethod
    def in_process(cls, model_dir: str | os.PathLike[str]) -> "RecommenderClient":
        """A client of the newest version in `model_dir`, loaded into this process; no server is
        asked.

        Raises:
            UserError: there is no model, or it cannot be loaded.
        """
        client = cls.__new__(cls)
        client._transport = LoadedModel(model_dir)
        return client

    def recommend(
        self,
        user_id: str = "",
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int | None = None,
        version: int | None = None,
        signature: str = RECOMMEND,
        times: Sequence[int | None] = (),
        kinds: Sequence[str] = (),
        diversity: float | None = None,
    ) -> list[Recommendation]:
        """Items for one user, best first.

        Args:
            user_id: empty for a user who is not known.
            history: item ids, oldest first.
            exclude: item ids that must not be recommended.
            k: how many at most; all that the model gives if None.
            version: of the model; the newest if None.
            signature: of the model.
            times: of the history, see `Query`.
            kinds: of the history, see `Query`.
            diversity: from 0, the best scores, to 1: how much the answer's variety counts; None
                for what the model was exported with.

        Raises:
            ClientError: an argument makes no sense, or the server cannot be reached or refuses.
        """
        query = Query(user_id, history, exclude, times, kinds, diversity)
        return self.recommend_many([query], k=k, version=version, signature=signature)[0]

    def recommend_many(
        self,
        queries: Sequence[Query],
        k: int | None = None,
        version: int | None = None,
        signature: str = RECOMMEND,
    ) -> list[list[Recommendation]]:
        """Items for several users in one request; short histories are filled up with empty ids.

        A diversity is given for all of them or for none.
        """
        inputs = {
            signatures.USER_ID: _id_column([query.user_id for query in queries], "user_id"),
            signatures.HISTORY_ITEM_IDS: _id_table([query.history for query in queries], "history"),
            signatures.EXCLUDE_ITEM_IDS: _id_table([query.exclude for query in queries], "exclude"),
        }
        of_events = any(len(query.times) or len(query.kinds) for query in queries)
        diversified = any(query.diversity is not None for query in queries)
        if of_events and diversified:
            raise ClientError(
                "no signature takes both diversity and times or kinds. Ask for one of them."
            )
        if of_events:
            signature = signatures.EVENT_SIGNATURES.get(signature, signature)
            histories = inputs[signatures.HISTORY_ITEM_IDS]
            inputs |= _of_events(queries, histories.shape[1])
        if diversified:
            inputs[signatures.DIVERSITY] = _diversities([query.diversity for query in queries])
            signature = RECOMMEND_DIVERSIFIED if signature == RECOMMEND else signature
        return self._ask(signature, inputs, len(queries), k, version)

    def retrieve(
        self,
        user_id: str = "",
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int | None = None,
        version: int | None = None,
        times: Sequence[int | None] = (),
        kinds: Sequence[str] = (),
    ) -> list[Recommendation]:
        """As `recommend`, by the retrieval step alone."""
        return self.recommend(user_id, history, exclude, k, version, RETRIEVE, times, kinds)

    def similar_items(
        self, item_id: str, k: int | None = None, version: int | None = None
    ) -> list[Recommendation]:
        """The items nearest to one item, best first."""
        return self.similar_items_many([item_id], k=k, version=version)[0]

    def similar_items_many(
        self, item_ids: Sequence[str], k: int | None = None, version: int | None = None
    ) -> list[list[Recommendation]]:
        """The nearest items of several items with one request."""
        inputs = {signatures.ITEM_ID: _id_column(item_ids, "item_ids")}
        return self._ask(SIMILAR_ITEMS, inputs, len(item_ids), k, version)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> "RecommenderClient":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        batch_size: int,
        k: int | None,
        version: int | None,
    ) -> list[list[Recommendation]]:
        if k is not None and k < 1:
            raise ClientError(f"k must be at least 1, received {k}.")
        if batch_size == 0:
            return []
        outputs = self._transport.predict(signature, inputs, _OUTPUTS, version)
        item_ids, scores = outputs[signatures.ITEM_IDS], outputs[signatures.SCORES]
        if item_ids.shape != scores.shape or len(item_ids) != batch_size:
            raise ClientError(
                f"the server answered {batch_size} queries with item ids of shape {item_ids.shape} "
                f"and scores of shape {scores.shape}, so it serves another kind of model."
            )
        return [_recommendations(*row)[:k] for row in zip(item_ids, scores, strict=True)]


def _recommendations(item_ids: np.ndarray, scores: np.ndarray) -> list[Recommendation]:
    decoded = (item_id.decode("utf-8") for item_id in item_ids)
    pairs = zip(decoded, scores.tolist(), strict=True)
    return [
        Recommendation(item_id, score) for item_id, score in pairs if item_id != signatures.EMPTY_ID
    ]


def _of_events(queries: Sequence[Query], width: int) -> dict[str, np.ndarray]:
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
        signatures.HISTORY_KINDS: _id_table(kinds, "kinds"),
    }


def _diversities(values: Sequence[float | None]) -> np.ndarray:
    """As float32 `[batch]`."""
    if any(value is None for value in values):
        raise ClientError(
            "diversity must be given for all queries of one request or for none. Ask twice."
        )
    for value in values:
        if not 0 <= value <= 1:
            raise ClientError(f"diversity must be from 0 to 1, received {value}.")
    return np.array(values, np.float32)


def _id_column(ids: Sequence[str], argument: str) -> np.ndarray:
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


def _id_table(rows: Sequence[Sequence[str]], argument: str) -> np.ndarray:
    """Ids as UTF-8 in an object array `[batch, longest row]`, short rows filled with empty ids."""
    columns = [_id_column(row, argument) for row in rows]
    table = np.full((len(rows), max((len(column) for column in columns), default=0)), b"", object)
    for row, column in zip(table, columns, strict=True):
        row[: len(column)] = column
    return table
