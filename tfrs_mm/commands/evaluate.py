"""`tfrs-mm evaluate`: a run against held-out interactions, ranking the whole corpus."""

import argparse
import pathlib
from typing import Any

from tfrs_mm.artefacts import write_json
from tfrs_mm.commands.answers import answer, ask_sources, compare, knock_out, read_other
from tfrs_mm.commands.arguments import new_parser
from tfrs_mm.commands.evaluate_table import (
    print_comparison,
    print_knockouts,
    print_report,
    print_sources,
)
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

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
        "with intervals paired by user. --knockout replaces, for all items at once, each\n"
        "modality, all content together, and the ids by absence and by noise, which is the\n"
        "embeddings of other items, and prints what is lost.\n\n"
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
    parser.add_argument(
        "--knockout", action="store_true", help="say what each modality and the ids are worth"
    )
    parser.add_argument("--json", type=pathlib.Path, default=None, metavar="FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Raises:
        UserError: a knockout is asked of popularity, or a file or folder is not what it must be.
    """
    from tfrs_mm.evaluation import report, write_predictions
    from tfrs_mm.training.run import load_run

    if arguments.knockout and arguments.stage == "popularity":
        raise UserError(
            "--knockout asks what a model makes of an item's description, but --stage popularity "
            "reads none. Give --stage retrieval or ranking."
        )
    loaded = load_run(
        arguments.run_dir, arguments.data, [Modality(name) for name in arguments.without]
    )
    # Read before the work, so that a malformed file is refused at once.
    other = None
    if arguments.compare is not None:
        other = read_other(arguments.compare, loaded, arguments.on)
    answers = answer(loaded, arguments.stage, arguments.on)
    result = report(answers.measured)
    if arguments.stage == "ranking":
        result["sources"] = ask_sources(loaded, answers.queries, answers.questions.relevant)
    if other is not None:
        result["comparison"] = {"file": str(arguments.compare)} | compare(answers, other)
    if arguments.knockout:
        result["knockout"] = knock_out(loaded, arguments.stage, answers, loaded.items.parts())
    # Files before words: a reader of the latter may close the pipe after a few lines.
    if arguments.predictions is not None:
        lines = write_predictions(
            arguments.predictions,
            loaded.knowledge.users.ids_of(answers.queries.user),
            loaded.knowledge.catalogue.item_ids,
            answers.ranked,
        )
        print(f"predictions: {arguments.predictions} ({lines} lines)")
    if arguments.json is not None:
        write_json(arguments.json, {"stage": arguments.stage, "on": arguments.on} | result)
        print(f"json: {arguments.json}")
    print_report(arguments.stage, result)
    if "sources" in result:
        print_sources(result["sources"])
    if "comparison" in result:
        print_comparison(result["comparison"])
    if "knockout" in result:
        print_knockouts(result["knockout"])
    return 0


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
