"""`tfrs-mm`, the composition root: arguments become calls, a user's mistake one line and exit 2."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import tfrs_mm
from tfrs_mm.errors import UserError
from tfrs_mm.termination import exit_code_of, termination_raised

_COMMANDS = (
    "demo", "synthesize", "convert", "weights", "preprocess", "train", "evaluate", "export",
    "serve", "recommend",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """All commands; none of them imports TensorFlow before it runs."""
    parser = argparse.ArgumentParser(
        prog="tfrs-mm",
        description="A multimodal two-stage recommender: media bytes to served answer.",
        epilog="`tfrs-mm COMMAND --help` says what a command reads and writes.",
    )
    parser.add_argument("--version", action="version", version=f"tfrs-mm {tfrs_mm.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in _COMMANDS:
        importlib.import_module(f"tfrs_mm.commands.{name}").add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the process's exit code."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and not getattr(arguments, "takes_beam_options", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.beam_options = rest
    try:
        with termination_raised():
            return arguments.run(arguments)
    except UserError as error:
        print(f"tfrs-mm {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"tfrs-mm {arguments.command}: interrupted", file=sys.stderr)
        return exit_code_of(stop)
    except BrokenPipeError:
        # Whoever read stdout has gone; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
