"""`tfrs-mm preprocess`: both Beam jobs, from logs and media to a data folder."""

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tfrs_mm.artefacts import (
    fingerprint_file,
    fingerprint_of,
    whole_directory,
    write_json,
    write_manifest,
)
from tfrs_mm.commands.arguments import add_config, config_of, new_parser
from tfrs_mm.commands.weights import DEFAULT_WEIGHTS
from tfrs_mm.config import Config, EncoderConfig
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema

_CONFIGURED = ("data", "encoders")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "preprocess",
        "Run the Beam jobs: logs and media to TFRecords.",
        "Input: a folder with interactions.csv (user_id, item_id, timestamp, "
        "and event, rating if there are\n"
        "any) and items.csv (item_id, title, description, "
        "categories, image_path, audio_path, video_path,\n"
        "relative to the folder). "
        "Output: a data folder with vocabularies, examples of every split, items\n"
        "with their embeddings, counts, and what was rejected with its reason, "
        "written whole or not at all.\n"
        "Options that tfrs-mm does not know go to Beam, "
        "such as --runner or --direct_num_workers.\n\n"
        "Example: tfrs-mm preprocess --input films --output data/films --weights weights",
    )
    parser.add_argument("--input", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="DATA")
    parser.add_argument(
        "--weights", type=pathlib.Path, default=DEFAULT_WEIGHTS, metavar="DIR",
        help="pretrained encoders, see `tfrs-mm weights`",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace a data folder")
    add_config(parser)
    parser.set_defaults(run=run, takes_beam_options=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    report = preprocess(
        arguments.input,
        arguments.output,
        config_of(arguments),
        arguments.weights,
        arguments.beam_options,
        overwrite=arguments.overwrite,
    )
    print_report(report)
    print(f"data: {arguments.output}")
    return 0


def preprocess(
    input_dir: pathlib.Path,
    output_dir: pathlib.Path,
    config: Config,
    weights_dir: pathlib.Path,
    beam_options: Sequence[str] = (),
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> dict[str, Any]:
    """Runs both jobs.

    Args:
        input_dir: logs and catalogue.
        output_dir: the data folder.
        config: the sections `data` and `encoders` are used.
        weights_dir: of the pretrained encoders.
        beam_options: handed to both jobs.
        overwrite: whether an old data folder may be replaced.
        say: told which encoder was chosen for each modality.

    Returns:
        The counters of both jobs.

    Raises:
        UserError: the input, the configuration or the output folder is at fault.
    """
    from pipelines import behaviour, media
    from pipelines.media_inputs import read_source
    from tfrs_mm.commands.encoders import prepare_encoders
    from tfrs_mm.commands.media_sample import MediaSample

    made_from = sources(input_dir, config, weights_dir)
    with whole_directory(output_dir, overwrite=overwrite) as folder:
        behaviour_report = behaviour.run(input_dir, folder, config, beam_options)
        sample = MediaSample(input_dir, config)
        encoders, notes = prepare_encoders(
            config, weights_dir, folder / "encoders", sample, input_dir
        )
        for note in notes:
            say(note)
        infos = {modality: read_source(path) for modality, path in encoders.items()}
        schema = Schema(
            behaviour.behaviour_features(folder, config)
            + tuple(
                FeatureSpec(modality.value, Owner.ITEM, Kind.MEDIA, infos[modality].dim)
                for modality in Modality
                if modality in infos
            ),
            config.data.max_history,
            tuple(
                (modality.value, infos[modality].fingerprint)
                for modality in Modality
                if modality in infos
            ),
        )
        media_report = media.run(input_dir, folder, config, encoders, schema, beam_options)
        schema.write(folder / "schema.json")
        write_json(folder / "config.json", config.to_dict())
        write_manifest(folder, "data", made_from, schema=schema.fingerprint(), notes=notes)
    return {"behaviour": behaviour_report, "media": media_report, "encoders": notes}


def sources(input_dir: pathlib.Path, config: Config, weights_dir: pathlib.Path) -> dict[str, str]:
    """What a data folder is made from: tables and given embeddings by content, media by name and
    size, the settings.

    Raises:
        UserError: the input folder or its tables are not there.
    """
    if not input_dir.is_dir():
        raise UserError(f"--input must be a folder with {config.data.items}; {input_dir} is none.")
    tables = [*sorted(input_dir.glob(config.data.interactions)), input_dir / config.data.items]
    files = sorted(path for path in input_dir.rglob("*") if path.is_file())
    listing = [[str(path.relative_to(input_dir)), path.stat().st_size] for path in files]
    tables += _embeddings_and_encoders(input_dir, config)
    contents = [fingerprint_file(path) for path in tables if path.is_file()]
    weights = [
        [str(path.relative_to(weights_dir)), path.stat().st_size]
        for path in sorted(weights_dir.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    ]
    return {
        "input": fingerprint_of([contents, listing]),
        # Where embeddings are kept makes no difference to them, by how many threads they are made
        # next to none.
        "config": config.with_overrides(
            {"encoders.cache_dir": "", "encoders.threads": 0}
        ).fingerprint(*_CONFIGURED),
        "weights": fingerprint_of(weights),
    }


def _embeddings_and_encoders(input_dir: pathlib.Path, config: Config) -> list[pathlib.Path]:
    """The files of given embeddings, and the descriptions of the user's own encoders."""
    from pipelines.given import given_files
    from tfrs_mm.encoder_folder import DESCRIPTION

    files = []
    for modality in Modality:
        settings: EncoderConfig = getattr(config.encoders, modality.value)
        files += given_files(settings, input_dir)
        if settings.kind == "saved_model":
            files.append(pathlib.Path(settings.file) / DESCRIPTION)
    return files


def print_report(report: dict[str, Any]) -> None:
    """Counters of both jobs, for people."""
    for job in ("behaviour", "media"):
        for name, value in report[job].items():
            print(f"{job} {name}: {value}")
