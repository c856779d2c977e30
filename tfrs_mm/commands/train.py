"""`tfrs-mm train`: both stages, from a data folder to a run folder."""

import argparse
import pathlib
import sys

from tfrs_mm.artefacts import read_manifest
from tfrs_mm.commands.arguments import add_config, config_of, new_parser
from tfrs_mm.config import load_config


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "train",
        "Train two-tower retrieval and the DCN-v2 ranker.",
        "Input: a folder that `tfrs-mm preprocess` wrote. "
        "Output: a run folder with weights, item vectors,\n"
        "TensorBoard curves and report.json, written whole or not at all. "
        "An interrupted training goes on\n"
        "from OUTPUT.partial when the same command is given again. "
        "The configuration starts from the data\n"
        "folder's own; the sections data and encoders cannot be changed here.\n\n"
        "Example: tfrs-mm train --data data/films --output runs/films "
        "--set retrieval.max_epochs=30",
    )
    parser.add_argument("--data", required=True, type=pathlib.Path, metavar="DATA")
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="RUN")
    parser.add_argument(
        "--strategy", choices=["default", "mirrored", "multi-worker", "tpu"], default=None,
        help="where the two towers are trained (default: training.strategy of the configuration)",
    )  # fmt: skip
    parser.add_argument(
        "--epochs-from", type=pathlib.Path, default=None, metavar="RUN",
        help="for a last fit on data made with data.train_on_validation=true: a run on the same "
        "logs with validation, whose best epochs are fitted, with the same settings",
    )  # fmt: skip
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm.training.train import train

    read_manifest(arguments.data, "data")
    config = config_of(arguments, base=load_config(arguments.data / "config.json"))
    if arguments.strategy is not None:
        config = config.with_overrides({"training.strategy": arguments.strategy})
    report = train(arguments.data, arguments.output, config, arguments.epochs_from)
    if report["resumed"]:
        print("went on from an interrupted training", file=sys.stderr)
    for stage, figure in report["validation_ndcg@10"].items():
        found = "no validation" if figure is None else f"validation NDCG@10 {figure:.4f}"
        print(
            f"{stage}: {found} after {report['epochs'][stage]} epochs, "
            f"{report['seconds'][stage]:.0f} s"
        )
    if "ranking" in report["epochs"]:
        print(f"run: {arguments.output}")
    else:
        print(f"this worker's part is done; the first one goes on and writes {arguments.output}")
    return 0
