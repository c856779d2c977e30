"""Asks a served recommender for items: over REST or gRPC, this project's server or TF Serving.

`RecommenderClient("http://127.0.0.1:8501").recommend(user_id="u7", history=["i1", "i2"], k=5)`
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from serving import DEFAULT_MODEL_NAME
from serving.in_process import LoadedModel
from serving.queries import Query, diversities_of, events_of, id_column, id_table
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
            signatures.USER_ID: id_column([query.user_id for query in queries], "user_id"),
            signatures.HISTORY_ITEM_IDS: id_table([query.history for query in queries], "history"),
            signatures.EXCLUDE_ITEM_IDS: id_table([query.exclude for query in queries], "exclude"),
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
            inputs |= events_of(queries, histories.shape[1])
        if diversified:
            inputs[signatures.DIVERSITY] = diversities_of([query.diversity for query in queries])
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
        inputs = {signatures.ITEM_ID: id_column(item_ids, "item_ids")}
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
