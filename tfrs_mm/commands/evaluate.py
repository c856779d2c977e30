"""`tfrs-mm evaluate`: a run against held-out interactions, ranking the whole corpus."""

import argparse
import pathlib
from typing import Any

from tfrs_mm.artefacts import write_json
from tfrs_mm.commands.arguments import new_parser
from tfrs_mm.schema import Modality

STAGES = ("popularity", "retrieval", "ranking")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "evaluate",
        "Measure a run on held-out interactions.",
        "Every item of the catalogue is a candidate, items the user has had are excluded. Prints\n"
        "recall, NDCG, MRR and coverage with 95% bootstrap intervals over users, and the same for\n"
        "cold items (those without an interaction in training) and warm ones. --predictions\n"
        "writes the lists as CSV: user_id,rank,item_id,score, up to 100 items a user.\n\n"
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
    parser.add_argument("--json", type=pathlib.Path, default=None, metavar="FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm.evaluation import write_predictions
    from tfrs_mm.training.run import load_run

    loaded = load_run(
        arguments.run_dir, arguments.data, [Modality(name) for name in arguments.without]
    )
    result, ranked, users = evaluate_run(loaded, arguments.stage, arguments.on)
    # Files before words: a reader of the latter may close the pipe after a few lines.
    if arguments.predictions is not None:
        ids = loaded.knowledge.users.ids_of(users)
        lines = write_predictions(
            arguments.predictions, ids, loaded.knowledge.catalogue.item_ids, ranked
        )
        print(f"predictions: {arguments.predictions} ({lines} lines)")
    if arguments.json is not None:
        write_json(arguments.json, {"stage": arguments.stage, "on": arguments.on} | result)
        print(f"json: {arguments.json}")
    print_report(arguments.stage, result)
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
    import numpy as np

    from tfrs_mm.data.input_pipeline import read_queries
    from tfrs_mm.evaluation import TOP, popularity_ranking, rank_queries, report
    from tfrs_mm.training.context import context_spec, contexts_of
    from tfrs_mm.training.validation import ranking_function, request_buckets, retrieval_function

    knowledge, batch_size = loaded.knowledge, loaded.config.training.evaluation_batch
    queries = read_queries(knowledge.data_dir, knowledge.schema, split)
    seen = list(queries.seen)
    if stage == "popularity":
        ranked = popularity_ranking(knowledge.target_counts, seen)
    else:
        if stage == "retrieval":
            recommend = retrieval_function(loaded.model, TOP)
        else:
            recommend = ranking_function(loaded.model, min(TOP, loaded.config.ranking.candidates))
        buckets = request_buckets(queries, knowledge.counts.time_edges)
        contexts = {}
        if stage == "ranking":
            spec = context_spec(loaded.config, knowledge.schema)
            contexts = contexts_of(queries.extras, spec, knowledge.schema)
        ranked = rank_queries(
            recommend, queries.history_items, seen, buckets, batch_size, f"rank {split}", contexts
        )
    relevant = [np.unique(rows) for rows in queries.targets]
    result = report(ranked, relevant, knowledge.schema.num_items, ~knowledge.warm)
    return result, ranked, queries.user


def print_report(stage: str, result: dict[str, Any]) -> None:
    """A table for people."""
    print(f"{stage}: {result['queries']} users")
    _print_metrics(result["metrics"])
    for name, part in result["slices"].items():
        print(f"{name.replace('_', ' ')}: {part['queries']} users")
        _print_metrics(part["metrics"])


def _print_metrics(metrics: dict[str, dict[str, float]]) -> None:
    for name, figures in metrics.items():
        interval = f"  [{figures['low']:.4f}, {figures['high']:.4f}]" if "low" in figures else ""
        print(f"  {name:<12} {figures['value']:.4f}{interval}")
