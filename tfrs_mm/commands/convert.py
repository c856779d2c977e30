"""`tfrs-mm convert`: a well-known download, as it comes, to a folder for the jobs."""

import argparse
import pathlib
import sys

from tfrs_mm.commands.arguments import new_parser
from tfrs_mm.data.connectors.base import CONNECTORS


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "convert",
        "Turn a well-known download into a folder for preprocess and demo.",
        "Input: an unpacked download, as it comes; which edition it is, its files tell.\n"
        "  movielens       ratings.csv, movies.csv, and links.csv, tags.csv (ml-latest-small, "
        "ml-25m, ml-32m), or\n"
        "                  ratings.dat, movies.dat, users.dat (ml-1m, ml-10m)\n"
        "  amazon-reviews  CATEGORY.jsonl (or the ratings alone, CATEGORY.csv) and "
        "meta_CATEGORY.jsonl, also .gz\n"
        "  microlens       *_pairs.csv or *_pairs.tsv, *_titles.csv, and folders of covers, "
        "videos and audio\n"
        "Output: interactions.csv, items.csv, the media files that it names, users.csv if the "
        "source tells of\n"
        "users, rejects.jsonl with what was left out and why, and convert.json with all counts, "
        "written whole\n"
        "or not at all.\n"
        "Media files are named after their items (318.jpg, 318.mp4; posters also tt0111161.jpg) "
        "and lie in the\n"
        "folder or in a folder in it. They become part of the output, since no path may leave an "
        "input folder:\n"
        "hard links take no space, copies stay as they are when the original is changed.\n\n"
        "Example: tfrs-mm convert --from movielens --input ml-25m --media posters --output films",
    )
    parser.add_argument("--from", required=True, choices=sorted(CONNECTORS), dest="source")
    parser.add_argument("--input", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument(
        "--media", type=pathlib.Path, default=None, metavar="DIR",
        help="media files named after items (default: those of the download, if it has any)",
    )  # fmt: skip
    parser.add_argument(
        "--media-map", type=pathlib.Path, default=None, metavar="FILE",
        help="CSV of item_id and image_path, audio_path, video_path below --media, "
        "where files are named otherwise",
    )  # fmt: skip
    parser.add_argument(
        "--media-mode", choices=("link", "copy"), default="link",
        help="hard-link media files, or copy them",
    )  # fmt: skip
    parser.add_argument(
        "--tags", action="store_true",
        help="MovieLens: the most frequent tags of a film become its description; they were "
        "written after many ratings, so that held-out figures profit from them",
    )  # fmt: skip
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a folder that is not empty"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tfrs_mm._runtime import import_optional

    import_optional("pyarrow")
    from tfrs_mm.data.connectors.convert import convert

    report = convert(
        arguments.source,
        arguments.input,
        arguments.output,
        media_dir=arguments.media,
        media_map=arguments.media_map,
        media_mode=arguments.media_mode,
        tags=arguments.tags,
        overwrite=arguments.overwrite,
    )
    print(f"edition: {report['edition']}")
    for name, value in report.items():
        if isinstance(value, int):
            print(f"{name}: {value}")
    for reason, count in report["reasons"].items():
        print(f"rejected, {reason}: {count}")
    for note in report["notes"]:
        print(f"note: {note}", file=sys.stderr)
    print(f"input folder: {arguments.output}")
    return 0
