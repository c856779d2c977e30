"""NDCG@10 on the validation queries, ranking the whole corpus; what both stages are stopped by."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfrs_mm.config import Config
from tfrs_mm.data.input_pipeline import Queries, read_queries
from tfrs_mm.evaluation.evaluate import Ranked, Recommend, padded, rank_queries
from tfrs_mm.evaluation.metrics import query_metrics
from tfrs_mm.evaluation.ranks import rank_metrics, relevant_ranks
from tfrs_mm.index import TopKRows
from tfrs_mm.policy import TwoStage
from tfrs_mm.progress import Progress
from tfrs_mm.ranking import bucket_of
from tfrs_mm.training.context import context_spec, contexts_of, tower_contexts
from tfrs_mm.training.knowledge import Knowledge


def request_buckets(queries: Queries, time_edges: np.ndarray) -> np.ndarray:
    """The popularity that each query may know: up to its last event, never its target's time."""
    last = np.maximum(queries.history_length - 1, 0)
    times = queries.history_times[np.arange(len(last)), last]
    return np.where(queries.history_length > 0, bucket_of(times, time_edges), 0).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """Candidates that were scored, and what became of them.

    Attributes:
        queries: `[n]`, the number of the query of each.
        scores: `[n]` float32.
        labels: `[n]` bool, whether it is what the user took.
    """

    queries: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


class Validation:
    """Validation queries, asked again after every epoch."""

    def __init__(
        self,
        queries: Queries,
        time_edges: np.ndarray,
        batch_size: int,
        limit: int,
        seed: int,
        contexts: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Draws the queries to ask.

        Args:
            queries: the validation split.
            time_edges: `[buckets + 1]` of the item counts.
            batch_size: queries at a time.
            limit: how many to ask at most.
            seed: of the draw.
            contexts: of all queries, see `contexts_of` and `tower_contexts`; None for none.
        """
        size = len(queries.user)
        chosen = np.arange(size)
        if size > limit:
            chosen = np.sort(np.random.default_rng(seed).choice(size, limit, replace=False))
        self._history = queries.history_items[chosen]
        self._seen = list(queries.seen.take(chosen))
        self._relevant = [np.unique(rows) for rows in queries.targets.take(chosen)]
        self._buckets = request_buckets(queries, time_edges)[chosen]
        self._batch_size = batch_size
        self._contexts = {name: column[chosen] for name, column in (contexts or {}).items()}

    def __len__(self) -> int:
        return len(self._history)

    def ndcg(self, recommend: Recommend, label: str) -> float:
        """Mean NDCG@10 of a recommender, see `rank_queries`."""
        ranked = self._rank(recommend, label)
        return float(query_metrics(ranked.rows, self._relevant, (("ndcg", 10),)).mean())

    def ndcg_of_vectors(
        self, query: Callable[..., tf.Tensor], item_vectors: np.ndarray, label: str
    ) -> float:
        """The same of the first stage alone, by ranks, for which no lists are made.

        Args:
            query: `(history [batch, time], contexts)` to query vectors, see `QueryModel`.
            item_vectors: `[items + 1, dim]`.
            label: shown while it runs.
        """
        vectors = []
        with Progress(label, total=len(self), unit="queries") as progress:
            for start in range(0, len(self), self._batch_size):
                part = slice(start, min(start + self._batch_size, len(self)))
                size = part.stop - part.start
                told = {n: padded(c[part], self._batch_size) for n, c in self._contexts.items()}
                found = query(padded(self._history[part], self._batch_size), told)
                vectors.append(found.numpy()[:size])
                progress.advance(size)
        ranks = relevant_ranks(np.concatenate(vectors), item_vectors, self._relevant, self._seen)
        return float(rank_metrics(ranks, (("ndcg", 10),)).mean())

    def outcomes(self, recommend: Recommend, label: str) -> Outcomes:
        """All that a recommender returned, see `rank_queries`, with its scores."""
        ranked = self._rank(recommend, label)
        labels = np.stack(
            [
                np.isin(rows, wanted)
                for rows, wanted in zip(ranked.rows, self._relevant, strict=True)
            ]
        )
        filled = ranked.rows > 0
        return Outcomes(np.nonzero(filled)[0], ranked.scores[filled], labels[filled])

    def _rank(self, recommend: Recommend, label: str) -> Ranked:
        return rank_queries(
            recommend, self._history, self._seen, self._buckets, self._batch_size, label,
            self._contexts,
        )  # fmt: skip


def validation_of(knowledge: Knowledge, config: Config) -> Validation:
    """The validation queries of a data folder, with what the stages are told of users and moments.

    Args:
        knowledge: of the data folder.
        config: the whole tree.
    """
    queries = read_queries(knowledge.data_dir, knowledge.schema, "valid")
    spec = context_spec(config, knowledge.schema)
    return Validation(
        queries,
        knowledge.counts.time_edges,
        config.training.evaluation_batch,
        config.training.max_validation_queries,
        config.training.seed,
        contexts_of(queries.extras, spec, knowledge.schema)
        | tower_contexts(config, queries, knowledge.schema),
    )


def retrieval_function(model: TwoStage, k: int) -> Recommend:
    """The first stage as `rank_queries` asks it, compiled once."""

    @tf.function
    def recommend(
        history: tf.Tensor,
        excluded: tf.Tensor,
        buckets: tf.Tensor,
        contexts: dict[str, tf.Tensor] | None = None,
    ) -> TopKRows:
        del buckets  # the first stage reads no popularity
        return model.retrieve(history, excluded, k, contexts)

    return recommend


def ranking_function(model: TwoStage, k: int) -> Recommend:
    """Both stages as `rank_queries` asks them, compiled once."""

    @tf.function
    def recommend(
        history: tf.Tensor,
        excluded: tf.Tensor,
        buckets: tf.Tensor,
        contexts: dict[str, tf.Tensor] | None = None,
    ) -> TopKRows:
        return model.recommend(history, excluded, buckets, k, contexts)

    return recommend


def sources_function(model: TwoStage) -> Recommend:
    """What every source of candidates returns, side by side, as `rank_queries` asks it."""

    @tf.function
    def recommend(
        history: tf.Tensor,
        excluded: tf.Tensor,
        buckets: tf.Tensor,
        contexts: dict[str, tf.Tensor] | None = None,
    ) -> TopKRows:
        _, found = model.candidates(model.request(history, excluded, buckets, contexts))
        return TopKRows(*(tf.concat(part, axis=1) for part in zip(*found, strict=True)))

    return recommend
