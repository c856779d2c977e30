"""`tfrs-mm evaluate`: a run against held-out interactions, ranking the whole corpus."""

import argparse
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfrs_mm.artefacts import write_json
from tfrs_mm.commands.arguments import new_parser
from tfrs_mm.commands.evaluate_table import print_comparison, print_report
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

if TYPE_CHECKING:
    from tfrs_mm.data.input_pipeline import Queries
    from tfrs_mm.evaluation import Ranked
    from tfrs_mm.evaluation.measure import Measured
    from tfrs_mm.evaluation.questions import Questions
    from tfrs_mm.training.run import Run

STAGES = ("popularity", "retrieval", "ranking")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "evaluate",
        "Measure a run on held-out interactions.",
        "Every item of the catalogue is a candidate, items the user has had are excluded. Prints\n"
        "recall, NDCG, MRR, MAP, novelty and diversity with 95% bootstrap intervals over users,\n"
        "coverage and Gini of exposure, and the first of these for slices: cold items (those\n"
        "without an interaction in training) and warm ones, the target's modalities and\n"
        "popularity, and the length of the user's history. --predictions writes the lists as\n"
        "CSV: user_id,rank,item_id,score, up to 100 items a user. --compare reads such a file,\n"
        "of another run, of another stage or of any other program, and prints the differences\n"
        "with intervals paired by user.\n\n"
        "Example: tfrs-mm evaluate --run runs/films --stage ranking --predictions films.csv",
    )
    parser.add_argument("--run", required=True, type=pathlib.Path, metavar="RUN", dest="run_dir")
    parser.add_argument("--stage", choices=STAGES, default="ranking", help="ranking is both stages")
    parser.add_argument("--on", choices=["test", "valid"], default="test", help="which split")
    parser.add_argument(
        "--data", type=pathlib.Path, default=None, metavar="DATA", help="if it was moved"
    )
    parser.add_argument(
        "--without", action="append", choices=[m.value for m in Modality], default=[],
        help="take a modality away from every item; may be given several times",
    )  # fmt: skip
    parser.add_argument("--predictions", type=pathlib.Path, default=None, metavar="FILE")
    parser.add_argument(
        "--compare", type=pathlib.Path, default=None, metavar="FILE", help="predictions of another"
    )
    parser.add_argument("--json", type=pathlib.Path, default=None, metavar="FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm.evaluation import report, write_predictions
    from tfrs_mm.training.run import load_run

    loaded = load_run(
        arguments.run_dir, arguments.data, [Modality(name) for name in arguments.without]
    )
    answers = answer(loaded, arguments.stage, arguments.on)
    result = report(answers.measured)
    user_ids = loaded.knowledge.users.ids_of(answers.queries.user)
    item_ids = loaded.knowledge.catalogue.item_ids
    if arguments.compare is not None:
        result["comparison"] = compare_with(arguments.compare, answers, user_ids, item_ids)
    # Files before words: a reader of the latter may close the pipe after a few lines.
    if arguments.predictions is not None:
        lines = write_predictions(arguments.predictions, user_ids, item_ids, answers.ranked)
        print(f"predictions: {arguments.predictions} ({lines} lines)")
    if arguments.json is not None:
        write_json(arguments.json, {"stage": arguments.stage, "on": arguments.on} | result)
        print(f"json: {arguments.json}")
    print_report(arguments.stage, result)
    if "comparison" in result:
        print_comparison(result["comparison"])
    return 0


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


def evaluate_run(loaded: Any, stage: str, split: str) -> tuple[dict[str, Any], Any, Any]:
    """One stage of a run on one split.

    Args:
        loaded: a `tfrs_mm.training.run.Run`.
        stage: `popularity`, `retrieval` or `ranking`.
        split: `valid` or `test`.

    Returns:
        The report, the lists, and the user row of each list.
    """
    from tfrs_mm.evaluation import report

    answers = answer(loaded, stage, split)
    return report(answers.measured), answers.ranked, answers.queries.user


def answer(loaded: "Run", stage: str, split: str) -> Answers:
    """Asks one stage of a run for every query of a split, and measures what it says.

    Args:
        loaded: the run.
        stage: `popularity`, `retrieval` or `ranking`.
        split: `valid` or `test`.
    """
    import numpy as np

    from tfrs_mm.data.input_pipeline import read_queries
    from tfrs_mm.evaluation.measure import measure
    from tfrs_mm.evaluation.questions import Corpus, Questions

    knowledge = loaded.knowledge
    queries = read_queries(knowledge.data_dir, knowledge.schema, split)
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
    from tfrs_mm.training.validation import ranking_function, request_buckets, retrieval_function

    knowledge, seen = loaded.knowledge, list(queries.seen)
    if stage == "popularity":
        return popularity_ranking(knowledge.target_counts, seen)
    if stage == "retrieval":
        recommend = retrieval_function(loaded.model, TOP)
    else:
        recommend = ranking_function(loaded.model, min(TOP, loaded.config.ranking.candidates))
    buckets = request_buckets(queries, knowledge.counts.time_edges)
    batch_size = loaded.config.training.evaluation_batch
    return rank_queries(recommend, queries.history_items, seen, buckets, batch_size, label)


def compare_with(
    path: pathlib.Path, answers: Answers, user_ids: Sequence[str], item_ids: Sequence[str]
) -> dict[str, Any]:
    """Paired differences to the lists in a file, over the users that both have.

    Args:
        path: of predictions.
        answers: this run's.
        user_ids: of each query.
        item_ids: by row.

    Raises:
        UserError: the file breaks a rule, or has no list of any of the users.
    """
    from tfrs_mm.evaluation import Ranked
    from tfrs_mm.evaluation.measure import difference, measure
    from tfrs_mm.evaluation.predictions import read_predictions

    found = read_predictions(path, user_ids, item_ids, list(answers.queries.seen))
    places = found.places
    if not len(places):
        raise UserError(
            f"{path} has lists of {found.strangers} users, but none of the {len(user_ids)} asked "
            "here. Give predictions for the same split of the same data."
        )
    questions = answers.questions.take(places)
    ours = measure(Ranked(answers.ranked.rows[places], answers.ranked.scores[places]), questions)
    return {
        "file": str(path),
        "only_here": len(user_ids) - len(places),
        "only_there": found.strangers,
    } | difference(ours, measure(found.ranked, questions))
