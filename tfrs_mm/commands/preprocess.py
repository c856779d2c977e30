"""`tfrs-mm preprocess`: both Beam jobs, from logs and media to a data folder."""

import argparse
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tfrs_mm.artefacts import read_manifest, whole_directory, write_json, write_manifest
from tfrs_mm.commands.arguments import add_config, config_of, new_parser
from tfrs_mm.commands.data_sources import sources
from tfrs_mm.commands.weights import DEFAULT_WEIGHTS
from tfrs_mm.config import Config
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command."""
    parser = new_parser(
        commands,
        "preprocess",
        "Run the Beam jobs: logs and media to TFRecords.",
        "Input: a folder or URL with interactions.csv (user_id, item_id, timestamp, "
        "and event, rating if there are\n"
        "any; or JSON lines or Parquet, or several logs, as data.* says) and items.csv "
        "(item_id, title, description, "
        "categories, image_path, audio_path, video_path,\n"
        "relative to the folder). "
        "Output: a data folder with vocabularies, examples of every split, items\n"
        "with their embeddings, counts, and what was rejected with its reason, "
        "written whole or not at all.\n"
        "Options that tfrs-mm does not know go to Beam, "
        "such as --runner or --direct_num_workers.\n\n"
        "Example: tfrs-mm preprocess --input films --output data/films --weights weights",
    )
    parser.add_argument("--input", required=True, metavar="DIR", help="a folder, or its URL")
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="DATA")
    parser.add_argument(
        "--weights", type=pathlib.Path, default=DEFAULT_WEIGHTS, metavar="DIR",
        help="pretrained encoders, see `tfrs-mm weights`",
    )  # fmt: skip
    parser.add_argument(
        "--base", type=pathlib.Path, metavar="DATA",
        help="a former data folder to go on from: only new logs are read, ids keep their rows, "
        "encoders stay",
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
        base_dir=arguments.base,
    )
    print_report(report)
    print(f"data: {arguments.output}")
    return 0


def preprocess(
    input_dir: str | os.PathLike[str],
    output_dir: pathlib.Path,
    config: Config,
    weights_dir: pathlib.Path,
    beam_options: Sequence[str] = (),
    overwrite: bool = False,
    base_dir: pathlib.Path | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> dict[str, Any]:
    """Runs both jobs.

    Args:
        input_dir: a folder or URL with logs and catalogue.
        output_dir: the data folder.
        config: the sections `data` and `encoders` are used.
        weights_dir: of the pretrained encoders.
        beam_options: handed to both jobs.
        overwrite: whether an old data folder may be replaced.
        base_dir: a former data folder to go on from.
        say: told which encoder was chosen for each modality.

    Returns:
        The counters of both jobs.

    Raises:
        UserError: the input, the configuration or the output folder is at fault.
    """
    from pipelines import behaviour, media
    from pipelines.input_folder import InputFolder
    from pipelines.media_inputs import read_source
    from pipelines.projection_plan import schema_as_written
    from tfrs_mm.commands.encoders import prepare_encoders
    from tfrs_mm.commands.media_sample import MediaSample

    source = InputFolder.of(input_dir)
    made_from = sources(source, config, weights_dir)
    if base_dir is not None:
        made_from["base"] = read_manifest(base_dir, "data")["fingerprint"]
    with whole_directory(output_dir, overwrite=overwrite) as folder:
        behaviour_report = behaviour.run(source, folder, config, beam_options, base_dir)
        sample = MediaSample(source, config)
        encoders, notes = prepare_encoders(
            config, weights_dir, folder / "encoders", sample, source, base_dir
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
        media_report = media.run(source, folder, config, encoders, schema, beam_options)
        schema = schema_as_written(schema, folder)
        schema.write(folder / "schema.json")
        write_json(folder / "config.json", config.to_dict())
        write_manifest(folder, "data", made_from, schema=schema.fingerprint(), notes=notes)
    return {"behaviour": behaviour_report, "media": media_report, "encoders": notes}


def print_report(report: dict[str, Any]) -> None:
    """Counters of both jobs, for people."""
    for job in ("behaviour", "media"):
        for name, value in report[job].items():
            print(f"{job} {name}: {value}")
