"""The section `ranking` of the configuration, and which of its values make no sense."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal


@dataclasses.dataclass(frozen=True)
class RankingConfig:
    """The DCN-v2 ranker over what retrieval returned."""

    candidates: int = 200
    # Newest share of each user's training events that retrieval leaves to the ranker; with 0 both
    # learn from all of them.
    holdout: float = 0.1
    cross_layers: int = 2
    projection_dim: int = 8  # rank of a cross layer's kernel; 0 is full
    # Whether the dense layers read what the cross layers give, or both read the input side by side.
    structure: Literal["stacked", "parallel"] = "stacked"
    hidden: tuple[int, ...] = (32,)
    dropout: float = 0.2
    category_dim: int = 8
    # Whether query and candidate and their product are read as they are, besides what is worked out
    # of them; with so many numbers few positives are soon learnt by heart.
    vectors: bool = False
    # What of the history is summed up anew for each candidate, by attention: the item vectors, or
    # these and the vectors of each modality.
    attention: Literal["none", "items", "modalities"] = "none"
    attention_dim: int = 16  # units of the network that weighs one item of the history
    # Whether the query attends to the modalities of each candidate, so that what of a candidate
    # counts is another one for each user.
    fusion: Literal["none", "cross_attention"] = "none"
    fusion_dim: int = 16  # of the vector that it gives
    fusion_heads: int = 2
    # Bins, from -1 to 1, in which cosines of a candidate to the history are counted, by item
    # vector and by each modality; 0 counts none.
    histogram_bins: int = 0
    # Whether the ranker reads what records hold of users and moments, see data.profiles and
    # data.time_features; a model that is served knows profiles as of its export.
    profiles: bool = False
    # Share of candidates that are shown in training as if they were new, without popularity and
    # item-to-item statistics, so that new items are not ranked down for having none.
    hide_events: float = 0.2
    loss: Literal["pointwise", "pairwise", "listwise"] = "listwise"
    # Kinds of events that are tasks of their own, such as ["view", "purchase"]: each has a head
    # that learns from the positives of its kind; other kinds teach nothing. Empty: all are one.
    tasks: tuple[str, ...] = ()
    # Of each task in the one score that candidates are ordered by; empty takes the weights of the
    # kinds in data.events, 1 where there is none.
    task_weights: tuple[float, ...] = ()
    # How the losses of tasks are weighed: by the weights above, or by uncertainty, which is learnt.
    task_balance: Literal["fixed", "uncertainty"] = "fixed"
    # Whether one head more predicts the rating or the duration of an event, see data.values, from
    # the positives that have one. Its weight is that of its squared error beside the loss, unless
    # task_balance is "uncertainty", and in the score that candidates are ordered by: how many
    # log-odds one standard deviation of the value is worth.
    value_head: bool = False
    value_weight: float = 0.3
    experts: int = 4  # networks that all tasks share, where there are several tasks
    expert_dim: int = 16
    negatives: int = 63  # of each positive
    # What they are: drawn from what retrieval returned for the positive; or, where the log tells of
    # any, items that the user was shown within so many hours before and behind it and did not take,
    # which are the log's negative feedback, such as "impression=-1" in data.events.
    negatives_from: Literal["retrieval", "exposures"] = "retrieval"
    exposure_hours: float = 1.0
    max_examples: int = 20_000  # the newest positives of the training range
    # Of these, the newest of one user at most, so that who does much is not learnt from alone; 0
    # takes all.
    max_user_examples: int = 0
    batch_size: int = 128
    learning_rate: float = 0.0005
    average_decay: float = 0.0  # of the weights' moving average, see retrieval.average_decay
    # Of an epoch; few examples are gone through several times, so that validations are no more
    # frequent than they are worth.
    min_steps: int = 40
    max_epochs: int = 40
    patience: int = 4
    # Makes probabilities of scores, fitted on the validation queries; the order stays. "platt" has
    # two numbers, "isotonic" takes any rising shape and wants more queries.
    calibration: Literal["none", "platt", "isotonic"] = "none"
    # From 0, which answers with the best scores, to 1: how much an answer's variety counts against
    # the scores of its items, and what makes it varied. Lists of evaluation are answers as well.
    diversity: float = 0.0
    diversifier: Literal["mmr", "dpp"] = "mmr"


def task_weights_of(ranking: RankingConfig, of_kinds: Mapping[str, float]) -> tuple[float, ...]:
    """The weight of each task.

    Args:
        ranking: the section.
        of_kinds: the weights of kinds of events, see `log_settings.weights_of`.
    """
    return ranking.task_weights or tuple(of_kinds.get(task, 1.0) for task in ranking.tasks)


def ranking_faults(ranking: RankingConfig) -> list[str]:
    """One line for each value that has the right type but makes no sense."""
    faults = []

    def demand(holds: bool, name: str, rule: str) -> None:
        if not holds:
            value = getattr(ranking, name)
            faults.append(f"ranking.{name}: must be {rule}, received {value!r}")

    for name in (
        "candidates", "cross_layers", "attention_dim", "fusion_dim", "fusion_heads", "experts",
        "expert_dim", "negatives", "max_examples", "batch_size", "min_steps", "max_epochs",
        "patience",
    ):  # fmt: skip
        demand(getattr(ranking, name) >= 1, name, "at least 1")
    for name in ("dropout", "holdout", "hide_events", "average_decay"):
        demand(0.0 <= getattr(ranking, name) < 1.0, name, "at least 0 and below 1")
    heads = ranking.fusion_heads
    whole = heads < 1 or ranking.fusion_dim % heads == 0
    demand(whole, "fusion_dim", f"a multiple of ranking.fusion_heads ({heads})")
    demand(0.0 <= ranking.diversity <= 1.0, "diversity", "from 0 to 1")
    tasks, weights = ranking.tasks, ranking.task_weights
    distinct = len(set(tasks)) == len(tasks) and all(tasks)
    demand(distinct, "tasks", "kinds of events, each once")
    demand(len(weights) in (0, len(tasks)), "task_weights", f"one for each task ({len(tasks)})")
    legal = all(0.0 < weight < math.inf for weight in weights)
    demand(legal, "task_weights", "above 0 and finite")
    demand(0.0 < ranking.exposure_hours < math.inf, "exposure_hours", "above 0 and finite")
    demand(0.0 < ranking.value_weight < math.inf, "value_weight", "above 0 and finite")
    bins = ranking.histogram_bins
    demand(bins == 0 or bins >= 2, "histogram_bins", "0, or at least 2 for the ends -1 and 1")
    demand(0.0 < ranking.learning_rate < math.inf, "learning_rate", "above 0")
    return faults
