"""`tfrs-mm synthesize`: a catalogue with known tastes, media on disk, events that follow them."""

import argparse
import pathlib

from tfrs_mm.commands.arguments import new_parser


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "synthesize",
        "Write a synthetic catalogue with known tastes.",
        "Output: interactions.csv, items.csv, and for every item a JPEG, "
        "a title and description, an MP3 and\n"
        "an MP4. What users like can be read only from the media and their history; "
        "truth.json tells it to\n"
        "tests and people, no job reads it. "
        "Some items are new: nobody has them before the last two events.\n\n"
        "Example: tfrs-mm synthesize --output input --items 400 --users 800 --seed 1",
    )
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--items", type=int, default=400, metavar="N")
    parser.add_argument("--users", type=int, default=800, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--broken", type=int, default=0, metavar="N", help="media files to cut off")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a folder that is not empty"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm.data.synthetic import synthesize

    synthesize(
        arguments.output,
        arguments.items,
        arguments.users,
        arguments.seed,
        broken=arguments.broken,
        overwrite=arguments.overwrite,
    )
    print(f"catalogue: {arguments.output} ({arguments.items} items, {arguments.users} users)")
    return 0
