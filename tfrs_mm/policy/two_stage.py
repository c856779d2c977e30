"""Both stages in one graph, in rows: history -> query -> candidates -> ranking -> the best k.

Evaluation, mining of negatives and the export all go through this class, so what is measured is
what is served.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfrs_mm.index import TopKIndex, TopKRows, search_interests, take_best
from tfrs_mm.policy.candidates import Candidates, gather_candidates
from tfrs_mm.policy.diversify import Diversifier, mmr
from tfrs_mm.policy.sources import CandidateSource, Request, TowerSource
from tfrs_mm.ranking import RankingModel
from tfrs_mm.ranking.calibration import Calibration
from tfrs_mm.ranking.ranker import BUCKET, CANDIDATES, HISTORY, QUERY, RETRIEVAL_SCORES
from tfrs_mm.retrieval import QueryModel

_BY_SCORE = Diversifier(mmr, diversity=0.0)


class TwoStage(tf.Module):
    """A query model, an index, and a ranker over what the index returned."""

    def __init__(
        self,
        query_model: QueryModel,
        index: TopKIndex,
        ranker: RankingModel | None,
        num_candidates: int,
        sources: Sequence[CandidateSource] = (),
        diversifier: Diversifier = _BY_SCORE,
        calibration: Calibration | None = None,
    ) -> None:
        """Puts the parts together.

        Args:
            query_model: histories to query vectors.
            index: over the same item vectors.
            ranker: None where there is only the first stage.
            num_candidates: of the two towers that the ranker sees.
            sources: of further candidates.
            diversifier: of answers, see `diversifier_of`; where diversity is 0 the best are taken
                by score.
            calibration: makes probabilities of the ranker's scores, once all else is done with
                them; None leaves them.
        """
        super().__init__()
        self.query_model, self.ranker = query_model, ranker
        self.towers = TowerSource(index, query_model.item_vectors, num_candidates)
        self.others = list(sources)
        self._diversifier, self._calibration = diversifier, calibration

    @property
    def sources(self) -> list[CandidateSource]:
        """All of them, the two towers first."""
        return [self.towers, *self.others]

    @property
    def num_candidates(self) -> int:
        """Candidates that the ranker sees at most."""
        return sum(source.size for source in self.sources)

    def with_index(self, index: TopKIndex) -> "TwoStage":
        """The same model over another index of the same vectors."""
        return TwoStage(
            self.query_model,
            index,
            self.ranker,
            self.towers.size,
            self.others,
            self._diversifier,
            self._calibration,
        )

    def request(
        self,
        history: tf.Tensor,
        excluded: tf.Tensor,
        buckets: tf.Tensor,
        contexts: Mapping[str, tf.Tensor] | None = None,
    ) -> Request:
        """The arguments of `recommend` as the sources take them."""
        return Request(self.query_model(history, contexts), history, excluded, buckets)

    def candidates(self, request: Request) -> tuple[Candidates, list[TopKRows]]:
        """What all sources together return, and what each of them does."""
        return gather_candidates(self.towers, self.others, request)

    def retrieve(
        self,
        history: tf.Tensor,
        excluded: tf.Tensor,
        k: int,
        contexts: Mapping[str, tf.Tensor] | None = None,
    ) -> TopKRows:
        """The two towers alone.

        Args:
            history: `[batch, max_history]` int32, oldest first, right-padded with 0.
            excluded: `[batch, n]` int32, 0 for none.
            k: how many.
            contexts: see `recommend`.
        """
        return search_interests(self.towers.index, self.query_model(history, contexts), excluded, k)

    def recommend(
        self,
        history: tf.Tensor,
        excluded: tf.Tensor,
        buckets: tf.Tensor,
        k: int,
        contexts: Mapping[str, tf.Tensor] | None = None,
        diversity: tf.Tensor | None = None,
    ) -> TopKRows:
        """Both stages.

        Args:
            history: `[batch, max_history]` int32, oldest first, right-padded with 0.
            excluded: `[batch, n]` int32, 0 for none.
            buckets: `[batch]` int32, up to the start of which popularity is known.
            k: how many; at most the number of candidates.
            contexts: what is known of users and moments, see `ranking.context`, and of the events
                of histories, see `UserTower.call`; None for nothing.
            diversity: `[batch]` from 0 to 1, of each answer; None for the diversifier's own.

        Returns:
            The best k, or in the order of picking where a diversifier picks them.

        Raises:
            ValueError: there is no ranker.
        """
        if self.ranker is None:
            raise ValueError("`recommend` needs a ranker, but this model was built without one.")
        request = self.request(history, excluded, buckets, contexts)
        found, _ = self.candidates(request)
        # An empty place has the score -inf; the ranker gets a finite one and the place is emptied
        # again.
        scores = tf.where(found.rows > 0, found.scores, 0.0)
        ranked = self.ranker(
            {
                QUERY: request.query,
                HISTORY: history,
                BUCKET: buckets,
                CANDIDATES: found.rows,
                RETRIEVAL_SCORES: scores,
                **(contexts or {}),
            },
            training=False,
        )
        nothing = tf.zeros_like(found.rows[:, :1])
        if diversity is None and not self._diversifier.diversity:
            best = take_best(found.rows, ranked, nothing, k)
        else:
            ordered = take_best(found.rows, ranked, nothing, max(k, self.num_candidates))
            vectors = tf.gather(self.query_model.item_vectors, ordered.rows)
            wanted = self._diversifier.diversity if diversity is None else diversity
            best = self._diversifier.pick(ordered, vectors, wanted, k)
        if self._calibration is None:
            return best
        filled = best.rows > 0
        probabilities = self._calibration.apply(tf.where(filled, best.scores, 0.0))
        return TopKRows(best.rows, tf.where(filled, probabilities, float("-inf")))

    def similar(self, rows: tf.Tensor, k: int) -> TopKRows:
        """The nearest items of each item by cosine of their vectors, itself left out.

        Args:
            rows: `[batch]` int32.
            k: how many.
        """
        vectors = tf.math.l2_normalize(self.query_model.item_vectors, axis=-1)
        scores = tf.matmul(tf.gather(vectors, rows), vectors, transpose_b=True)
        batch = tf.range(tf.shape(rows)[0])
        for shut in (rows, tf.zeros_like(rows)):
            scores = tf.tensor_scatter_nd_update(
                scores, tf.stack([batch, shut], 1), tf.fill(tf.shape(rows), float("-inf"))
            )
        size = vectors.shape[0]
        best, found = tf.math.top_k(scores, k=min(k, size))
        return take_best(found, best, tf.zeros_like(found[:, :1]), k)
