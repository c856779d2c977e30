"""The second stage: DCN-v2 over what is known of a query and each of its candidates."""

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrs_mm.fusion import CrossAttentionFusion
from tfrs_mm.losses import RANKING_LOSSES
from tfrs_mm.ranking.attention import TargetAttention, attend_history, attend_modalities
from tfrs_mm.ranking.context import CONTEXT, ContextSpec, context_features
from tfrs_mm.ranking.features import RankingTables, candidate_features
from tfrs_mm.ranking.heads import BALANCES, MultiTaskHeads, utility
from tfrs_mm.ranking.histograms import match_histograms
from tfrs_mm.ranking.standardise import Standardise
from tfrs_mm.ranking.values import FixedValueWeight, LearnedValueWeight, value_loss
from tfrs_mm.towers.tabular import CategoryEmbedding

QUERY, HISTORY, BUCKET = "query", "history", "bucket"
CANDIDATES, RETRIEVAL_SCORES = "candidates", "retrieval_scores"
OWN_EVENT, LABELS, VALUES = "own_event", "labels", "values"


class RankingModel(tfrs.Model):
    """Scores candidates as a correction to the first stage's score.

    Wang et al., DCN V2, 2021: cross layers (equation 1, or 2 where their kernel has a low rank),
    with dense layers behind them ("stacked") or beside them ("parallel", both of figure 1). The
    last layer starts at zero, so that an untrained ranker keeps the order of retrieval, and what is
    learnt is the difference.
    """

    def __init__(
        self,
        tables: RankingTables,
        cross_layers: int,
        projection_dim: int,
        hidden: tuple[int, ...],
        dropout: float,
        category_dim: int,
        categories: Mapping[str, int],
        temperature: float,
        hide_events: float = 0.0,
        seed: int = 0,
        structure: str = "stacked",
        attention: str = "none",
        attention_dim: int = 16,
        histogram_bins: int = 0,
        loss: str = "listwise",
        task_weights: Sequence[float] = (),
        task_balance: str = "fixed",
        experts: int = 4,
        expert_dim: int = 16,
        context: ContextSpec | None = None,
        fusion: str = "none",
        fusion_dim: int = 16,
        fusion_heads: int = 2,
        value_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self._hide_events, self._seed = hide_events, seed
        self._structure, self._histogram_bins = structure, histogram_bins
        self._loss, self._context = RANKING_LOSSES[loss], context
        self._hold = lambda: (
            tables
        )  # no weights of the ranker: neither checkpoints nor optimiser see them
        self._temperature = temperature
        self._standardise = Standardise()
        self._categories = {
            name: CategoryEmbedding(size, category_dim) for name, size in sorted(categories.items())
        }
        self._cross = [
            tfrs.layers.dcn.Cross(projection_dim=projection_dim or None)
            for _ in range(cross_layers)
        ]
        self._dense = [tf.keras.layers.Dense(size, activation="relu") for size in hidden]
        self._dropout = tf.keras.layers.Dropout(dropout)
        self._task_weights, self._balance = tuple(task_weights), None
        self._num_tasks, self._value_weight = max(len(task_weights), 1), value_weight
        num_heads = self._num_tasks + (value_weight > 0)
        if self._num_tasks > 1:
            self._balance = BALANCES[task_balance](task_weights)
            self._balance.build(tf.TensorShape([len(task_weights)]))
        if value_weight > 0:
            learned = task_balance == "uncertainty"
            self._weigh = LearnedValueWeight() if learned else FixedValueWeight(value_weight)
            self._weigh.build(tf.TensorShape([]))
        if num_heads > 1:
            self._head = MultiTaskHeads(num_heads, experts, expert_dim)
        else:
            self._head = tf.keras.layers.Dense(1, kernel_initializer="zeros")
        self._trust = self.add_weight(name="trust_in_retrieval", shape=(), initializer="ones")
        num_modalities = tables.modality_vectors.shape[1]
        sources = {"none": 0, "items": 1, "modalities": 1 + num_modalities}[attention]
        self._attention = [TargetAttention(attention_dim) for _ in range(sources)]
        self._fusion = None
        if fusion == "cross_attention":
            self._fusion = CrossAttentionFusion(fusion_dim, fusion_heads)

    @property
    def tables(self) -> RankingTables:
        """The item tables it reads."""
        return self._hold()

    def features(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The dense features of a batch, as `call` takes it: `candidate_features`, then
        histograms and the context where they are asked for.

        In training some candidates are shown as new. Every positive of the training range has
        events, so without that the ranker would learn that what has none is never wanted.
        """
        as_new = None
        if training and self._hide_events > 0:
            drawn = tf.random.uniform(tf.shape(inputs[CANDIDATES]), seed=self._seed)
            as_new = drawn < self._hide_events
        dense = candidate_features(
            self.tables,
            inputs[QUERY],
            inputs[HISTORY],
            inputs[BUCKET],
            inputs[CANDIDATES],
            inputs[RETRIEVAL_SCORES],
            inputs.get(OWN_EVENT),
            as_new,
        )
        if not (self._histogram_bins or self._context):
            return dense
        parts, candidates = [dense], inputs[CANDIDATES]
        if self._histogram_bins:
            counts = match_histograms(
                self.tables, inputs[HISTORY], candidates, self._histogram_bins
            )
            parts.append(counts)
        if self._context:
            parts.append(self._of_context(inputs))
        return tf.concat(parts, axis=-1)

    def adapt(self, features: tf.Tensor) -> None:
        """Fits mean and variance of the dense features, `[examples, size]`."""
        self._standardise.fit(features)

    def start_level(self, retrieval_scores: tf.Tensor, shares: tf.Tensor) -> None:
        """Shifts untrained scores, so that on average they are the log-odds of a positive.

        A shift changes no order, but a loss of single places would spend its first epochs on it.

        Args:
            retrieval_scores: `[n]` of candidates.
            shares: `[tasks]`, or `[1]`: of candidates that are positives, between 0 and 1.
        """
        level = tf.reduce_mean(self._trust * retrieval_scores / self._temperature)
        bias = self._head.bias
        odds = tf.math.log(shares / (1.0 - shares)) - level
        bias.assign(tf.concat([odds, tf.zeros([bias.shape[0] - self._num_tasks])], axis=0))

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """One score for each candidate: of several tasks their `utility`, and where values are
        predicted what they are worth besides.

        Args:
            inputs: `query` `[batch, dim]` or `[batch, interests, dim]`, `history` `[batch, time]`
                int32, `bucket` `[batch]` int32, `candidates` `[batch, k]` int32, `retrieval_scores`
                `[batch, k]`, in training `own_event` `[batch, k]`, and what is known of a
                `ContextSpec`.
            training: whether dropout is on.

        Returns:
            `[batch, k]`.
        """
        logits, values = self.predictions(inputs, training=training)
        single = self._balance is None
        scores = tf.squeeze(logits, axis=-1) if single else utility(logits, self._task_weights)
        return scores if values is None else scores + self._value_weight * values

    def predictions(
        self, inputs: Mapping[str, tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """What each head says, from what `call` takes.

        Returns:
            The score of each task, or the only one, `[batch, k, tasks]`; and the standardised
            value, `[batch, k]`, None where none is predicted.
        """
        dense = self._standardise(self.features(inputs, training=training))
        embedded = [
            embed(tf.gather(self.tables.categories[name], inputs[CANDIDATES]))
            for name, embed in self._categories.items()
        ]
        tables, candidates = self.tables, inputs[CANDIDATES]
        attended = attend_history(self._attention, tables, candidates, inputs[HISTORY])
        if self._fusion is not None:
            attended.append(attend_modalities(self._fusion, tables, inputs[QUERY], candidates))
        x0 = tf.concat([dense, *embedded, *attended], axis=-1)
        crossed = x0
        for cross in self._cross:
            crossed = cross(x0, crossed)
        x = crossed if self._structure == "stacked" else x0
        for dense_layer in self._dense:
            x = self._dropout(dense_layer(x), training=training)
        if self._structure == "parallel":
            x = tf.concat([crossed, x], axis=-1)
        retrieved = self._trust * inputs[RETRIEVAL_SCORES] / self._temperature
        heads = self._head(x)
        if not self._value_weight:
            return retrieved[..., None] + heads, None
        return retrieved[..., None] + heads[..., :-1], heads[..., -1]

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The mean loss of the positive, at place 0, against the other candidates.

        Candidates of row 0 are empty places and take no part. Where there are tasks, `inputs` holds
        `labels` `[batch, tasks]` bool besides: of which of them the positive is one; and where
        values are predicted `values` `[batch]`, see `value_loss`.
        """
        allowed, labels = inputs[CANDIDATES] > 0, inputs.get(LABELS)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        logits, values = self.predictions(inputs, training=training)
        losses = [
            tf.reduce_mean(
                self._loss(logits[..., task], allowed, None if labels is None else labels[:, task])
            )
            for task in range(self._num_tasks)
        ]
        loss = losses[0] if self._balance is None else self._balance(tf.stack(losses))
        if values is not None:
            loss = self._weigh(loss, value_loss(values[:, 0], inputs[VALUES]))
        return loss / replicas

    @property
    def neutral_context(self) -> tf.Tensor:
        """`[size]`: the mean context of training, which stands for one that is not known."""
        return self._standardise.mean[-self._context.size :]

    def _of_context(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        categories = None
        if self._context.top:
            rows = self.tables.categories[self._context.category]
            categories = tf.gather(rows, inputs[CANDIDATES])
        neutral = tf.zeros([self._context.size])
        if CONTEXT not in inputs:
            neutral = self.neutral_context
        return context_features(self._context, inputs, categories, neutral)
