"""What a run answers to held-out queries, and how that differs from other answers."""

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfrs_mm.errors import UserError

if TYPE_CHECKING:
    from tfrs_mm.data.input_pipeline import Queries
    from tfrs_mm.evaluation import Ranked
    from tfrs_mm.evaluation.measure import Measured
    from tfrs_mm.evaluation.predictions import Predictions
    from tfrs_mm.evaluation.questions import Questions
    from tfrs_mm.training.run import Run


@dataclasses.dataclass(frozen=True)
class Answers:
    """What one stage of a run answered.

    Attributes:
        queries: that it was asked.
        questions: what the answers are held against.
        ranked: the lists.
        measured: their metrics.
    """

    queries: "Queries"
    questions: "Questions"
    ranked: "Ranked"
    measured: "Measured"


def answer(loaded: "Run", stage: str, split: str) -> Answers:
    """Asks one stage of a run for every query of a split, and measures what it says.

    Args:
        loaded: the run.
        stage: `popularity`, `retrieval` or `ranking`.
        split: `valid` or `test`.

    Raises:
        UserError: the split asks for nothing.
    """
    import numpy as np

    from tfrs_mm.data.input_pipeline import read_queries
    from tfrs_mm.evaluation.measure import measure
    from tfrs_mm.evaluation.questions import Corpus, Questions

    knowledge = loaded.knowledge
    queries = read_queries(knowledge.data_dir, knowledge.schema, split)
    if not len(queries):
        raise UserError(
            f"{knowledge.data_dir} has no {split} queries to measure on, as data made with "
            "data.train_on_validation has none of validation. Ask for the other split with --on."
        )
    corpus = Corpus(
        knowledge.target_counts,
        tuple(modality.value for modality in knowledge.schema.modalities),
        knowledge.catalogue.present,
        loaded.modality_values,
    )
    relevant = [np.unique(rows) for rows in queries.targets]
    questions = Questions(relevant, queries.seen.lengths, corpus)
    ranked = rank_with(loaded, stage, queries, f"rank {split}")
    return Answers(queries, questions, ranked, measure(ranked, questions))


def rank_with(loaded: "Run", stage: str, queries: "Queries", label: str) -> "Ranked":
    """The lists of one stage of a run; `label` is shown while it works."""
    from tfrs_mm.evaluation import TOP, popularity_ranking, rank_queries
    from tfrs_mm.training.context import context_spec, contexts_of, tower_contexts
    from tfrs_mm.training.validation import ranking_function, request_buckets, retrieval_function

    knowledge, seen = loaded.knowledge, list(queries.seen)
    if stage == "popularity":
        return popularity_ranking(knowledge.target_counts, seen)
    contexts = tower_contexts(loaded.config, queries, knowledge.schema)
    if stage == "retrieval":
        recommend = retrieval_function(loaded.model, TOP)
    else:
        recommend = ranking_function(loaded.model, min(TOP, loaded.model.num_candidates))
        spec = context_spec(loaded.config, knowledge.schema)
        contexts |= contexts_of(queries.extras, spec, knowledge.schema)
    buckets = request_buckets(queries, knowledge.counts.time_edges)
    batch_size = loaded.config.training.evaluation_batch
    return rank_queries(
        recommend, queries.history_items, seen, buckets, batch_size, label, contexts
    )


def ask_sources(loaded: "Run", queries: "Queries", relevant: Sequence[Any]) -> dict[str, Any]:
    """What each source of candidates finds of the relevant rows, see `source_report`."""
    import numpy as np

    from tfrs_mm.evaluation import rank_queries, source_report
    from tfrs_mm.training.context import tower_contexts
    from tfrs_mm.training.validation import request_buckets, sources_function

    knowledge, sources = loaded.knowledge, loaded.model.sources
    found = rank_queries(
        sources_function(loaded.model),
        queries.history_items,
        list(queries.seen),
        request_buckets(queries, knowledge.counts.time_edges),
        loaded.config.training.evaluation_batch,
        "ask sources",
        tower_contexts(loaded.config, queries, knowledge.schema),
    )
    parts = np.split(found.rows, np.cumsum([source.size for source in sources])[:-1], axis=1)
    by_name = {source.name: rows for source, rows in zip(sources, parts, strict=True)}
    return source_report(by_name, relevant, knowledge.schema.num_items)


def read_other(path: pathlib.Path, loaded: "Run", split: str) -> "Predictions":
    """Lists of another recommender for the queries of a split.

    Args:
        path: of predictions.
        loaded: the run that is compared with them.
        split: `valid` or `test`.

    Raises:
        UserError: the file breaks a rule, or has no list of any of the users.
    """
    from tfrs_mm.data.input_pipeline import read_queries
    from tfrs_mm.evaluation.predictions import read_predictions

    knowledge = loaded.knowledge
    queries = read_queries(knowledge.data_dir, knowledge.schema, split)
    user_ids = knowledge.users.ids_of(queries.user)
    found = read_predictions(path, user_ids, knowledge.catalogue.item_ids, list(queries.seen))
    if not len(found.places):
        raise UserError(
            f"{path} has lists of {found.strangers} users, but none of the {len(user_ids)} asked "
            "here. Give predictions for the same split of the same data."
        )
    return found


def compare(answers: Answers, other: "Predictions") -> dict[str, Any]:
    """Paired differences to other lists, over the users that both have.

    Args:
        answers: this run's.
        other: of `read_other`.
    """
    from tfrs_mm.evaluation import Ranked
    from tfrs_mm.evaluation.measure import difference, measure

    places = other.places
    questions = answers.questions.take(places)
    ours = measure(Ranked(answers.ranked.rows[places], answers.ranked.scores[places]), questions)
    return {
        "only_here": len(answers.questions) - len(places),
        "only_there": other.strangers,
    } | difference(ours, measure(other.ranked, questions))


def knock_out(
    loaded: "Run", stage: str, answers: Answers, parts: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """What is lost where each part of the items' description is absent or noise.

    Args:
        loaded: the run; its seed is that of the noise.
        stage: `retrieval` or `ranking`.
        answers: of that stage of the run as it is.
        parts: what is replaced together, by name; see `ItemInputs.parts`.

    Returns:
        For each part and way `part`, `by`, and `lost`: the `difference` of the run as it is,
        `ours`, to the changed one, `other`.
    """
    from tfrs_mm.evaluation.measure import difference, measure
    from tfrs_mm.training.knockout import WAYS
    from tfrs_mm.training.run import with_items

    entries = []
    for name, together in parts.items():
        for way in WAYS:
            items = loaded.items.replaced(together, way, loaded.config.training.seed)
            with _without_retracing_warnings():
                changed = with_items(loaded, items)
                ranked = rank_with(changed, stage, answers.queries, f"{name} by {way}")
            measured = measure(ranked, answers.questions)
            lost = difference(answers.measured, measured)
            entries.append({"part": name, "by": way, "lost": lost})
    return entries


@contextlib.contextmanager
def _without_retracing_warnings() -> Iterator[None]:
    """Keeps TensorFlow from warning of many compilations where each is of another model."""

    def is_told(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_told)
    try:
        yield
    finally:
        logger.removeFilter(is_told)
