"""`tfrs-mm recommend`: ask a server, or an export in this process."""

import argparse
import pathlib

from tfrs_mm.commands.arguments import new_parser
from tfrs_mm.errors import UserError


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "recommend",
        "Recommend items for a user or a history.",
        "Asks the server at --url (http://host:port or grpc://host:port), "
        "or loads the newest version in\n"
        "--model-dir. Prints rank, item id and score, separated by tabs.\n\n"
        "Example: tfrs-mm recommend --model-dir models/films --history 1,2,3 --k 5",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model-dir", type=pathlib.Path, metavar="MODEL_DIR")
    source.add_argument("--url", metavar="URL")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--user", default="", metavar="U", help="a user id of the interactions")
    whom.add_argument("--history", default="", metavar="A,B,C", help="item ids, oldest first")
    parser.add_argument(
        "--times", default="", metavar="S,S,S", help="of the history's items, in seconds"
    )
    parser.add_argument(
        "--kinds", default="", metavar="A,B,C", help="of the history's events, such as view,buy"
    )
    parser.add_argument("--exclude", default="", metavar="A,B,C", help="item ids not to recommend")
    parser.add_argument(
        "--k", type=int, default=None, metavar="K", help="how many (default: all the model gives)"
    )
    parser.add_argument("--model-name", default="recommender", metavar="NAME", help="with --url")
    parser.add_argument(
        "--stage", choices=["retrieval", "ranking"], default="ranking", help="ranking is both"
    )
    parser.add_argument(
        "--diversity", type=float, default=None, metavar="X",
        help="from 0, the best scores, to 1: how much the list's variety counts "
        "(default: ranking.diversity of the export)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from serving.client import RecommenderClient
    from tfrs_mm.errors import UserError

    times = _seconds(arguments.times)
    options = {}
    if arguments.diversity is not None:
        if arguments.stage == "retrieval":
            raise UserError(
                "--diversity varies what both stages recommend. Leave out --stage retrieval."
            )
        options["diversity"] = arguments.diversity
    if arguments.url is not None:
        client = RecommenderClient(arguments.url, arguments.model_name)
    else:
        client = RecommenderClient.in_process(arguments.model_dir)
    with client:
        ask = client.recommend if arguments.stage == "ranking" else client.retrieve
        answer = ask(
            arguments.user,
            history=_ids(arguments.history),
            exclude=_ids(arguments.exclude),
            k=arguments.k,
            times=times,
            kinds=_ids(arguments.kinds),
            **options,
        )
    for rank, item in enumerate(answer, start=1):
        print(f"{rank}\t{item.item_id}\t{item.score:.6f}")
    return 0


def _seconds(text: str) -> list[int]:
    try:
        return [int(part) for part in _ids(text)]
    except ValueError as error:
        raise UserError(f"--times must be whole seconds, received {text!r}.") from error


def _ids(text: str) -> list[str]:
    return [part for part in text.split(",") if part]
