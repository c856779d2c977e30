"""`tfrs-mm serve`: an export over TF Serving's REST and gRPC, from this machine."""

import argparse
import pathlib

from tfrs_mm.commands.arguments import new_parser


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "serve",
        "Serve an export over REST and gRPC, as TF Serving would.",
        "Input: a folder that `tfrs-mm export` wrote. "
        "Answers POST /v1/models/NAME:predict and the gRPC\n"
        "PredictionService until it is stopped. "
        "Listens on the loopback address unless --host says more.\n\n"
        "Example: tfrs-mm serve --model-dir models/films --model-name films --rest-port 8501 "
        "--grpc-port 8500",
    )
    parser.add_argument("--model-dir", required=True, type=pathlib.Path, metavar="MODEL_DIR")
    parser.add_argument("--model-name", default="recommender", metavar="NAME")
    parser.add_argument(
        "--rest-port", type=int, default=8501, metavar="P", help="0 takes a free one"
    )
    parser.add_argument(
        "--grpc-port", type=int, default=8500, metavar="P", help="0 takes a free one"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from serving import server

    return server.main(
        [
            "--model-dir", str(arguments.model_dir),
            "--model-name", arguments.model_name,
            "--rest-port", str(arguments.rest_port),
            "--grpc-port", str(arguments.grpc_port),
            "--host", arguments.host,
        ]
    )  # fmt: skip
