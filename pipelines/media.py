"""The media job: items.csv and its files to item records with one embedding for each modality.

Each line of the catalogue is looked up in the vocabulary; each of its media is decoded and embedded
by an exported encoder, or its embedding is given, and the branches meet again by row. A medium that
is missing or broken costs the item that modality only. Run it from a shell with
`python -m pipelines.media`.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import catalogue, job_progress, project_embeddings, quality
from pipelines.given import GivenEmbeddings
from pipelines.input_folder import AnyFolder, InputFolder
from pipelines.media_inputs import (
    checked_vocabularies,
    encoders_in,
    fitting_sources,
    item_schema,
)
from pipelines.media_report import report_of
from pipelines.media_steps import ITEMS_DIR, REJECTS, REJECTS_DIR, add_steps
from pipelines.projection_plan import (
    plans_of,
    read_projections,
    schema_of_plans,
)
from pipelines.runners import new_pipeline, run_pipeline
from pipelines.tables import catalogue_dialect, column_names
from pipelines.worker_share import share_of
from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.config import Config, load_config
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality, Schema
from tfrs_mm.termination import exit_code_of, termination_raised

VOCABULARY_DIR = "vocabulary"
REPORT = "report.json"


def run(
    input_dir: AnyFolder,
    output_dir: str | os.PathLike[str],
    config: Config,
    encoders: Mapping[Modality, str | os.PathLike[str]],
    schema: Schema,
    beam_args: Sequence[str] = (),
    vocabulary_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Writes `items/`, `rejects/media.jsonl`, and projections, below `output_dir`.

    Args:
        input_dir: a folder or URL that holds the catalogue and the files that it names.
        output_dir: exists; the caller makes it appear whole.
        config: the sections `data` and `encoders` are used.
        encoders: for each modality of the schema the folder of its exported encoder, or of the
            description of given embeddings.
        schema: of the encoders' embeddings. Where these are projected, records hold others:
            `projection_plan.schema_as_written` gives their schema.
        beam_args: options for Beam.
        vocabulary_dir: holds items.txt and one file for each category; where not given,
            `vocabulary` below `output_dir`.

    Returns:
        What `items/report.json` says: how many items there are, and for each modality the share
        that has it, how many lack it, how many were rejected and why, where the embeddings came
        from, and how many items the quality report calls remarkable; and the seconds it took.

    Raises:
        UserError: the catalogue, the vocabulary, an encoder or given embeddings are missing, or
            they do not fit each other.
    """
    started = time.monotonic()
    folder, output_dir = InputFolder.of(input_dir), pathlib.Path(output_dir)
    vocabulary_dir = pathlib.Path(vocabulary_dir or output_dir / VOCABULARY_DIR).resolve()
    sources = fitting_sources(encoders, schema)
    plans = plans_of(config.encoders, sources)
    schema = schema_of_plans(schema, plans)
    table = folder.file(config.data.items, "data.items")
    column_names(table, (catalogue.ITEM_ID,), catalogue_dialect(config.data))
    num_items = checked_vocabularies(vocabulary_dir, schema)
    for source in sources.values():
        if isinstance(source, GivenEmbeddings):
            source.check(folder, config.data)
    for name in (ITEMS_DIR, REJECTS_DIR):
        (output_dir / name).mkdir(exist_ok=True)
    pipeline = new_pipeline(beam_args)
    with job_progress.shown("embed media", num_items * len(sources), "media") as progress:
        add_steps(
            pipeline,
            folder,
            table.path,
            output_dir.resolve(),
            vocabulary_dir,
            config,
            sources,
            plans,
            schema,
            progress,
            share_of(beam_args, config.encoders.threads),
        )
        result = run_pipeline(pipeline)
    report = report_of(result, schema, time.monotonic() - started)
    if report["items"] != num_items:
        raise UserError(
            f"{table.path} holds {report['items']} of the {num_items} items of "
            f"{vocabulary_dir / 'items.txt'}. Give the catalogue that the vocabulary was made "
            "from, or run `tfrs-mm preprocess` again."
        )
    projections = read_projections(output_dir, schema) if plans else {}
    if projections:
        project_embeddings.check(projections)
        report["projections"] = project_embeddings.summary(projections)
    found = quality.quality_of(
        output_dir,
        output_dir / ITEMS_DIR,
        output_dir / REJECTS_DIR / REJECTS,
        vocabulary_dir / "items.txt",
        schema,
        config.encoders,
    )
    write_json(output_dir / ITEMS_DIR / quality.QUALITY, found)
    report |= {"quality": quality.summary(found), "seconds": round(time.monotonic() - started, 1)}
    write_json(output_dir / ITEMS_DIR / REPORT, report)
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """The job as a command of its own; its exit code."""
    parser = _parser()
    arguments, beam_args = parser.parse_known_args(argv)
    try:
        config = load_config(arguments.config, arguments.set)
        sources = encoders_in(arguments.encoders)
        schema = item_schema(arguments.vocabulary, config, sources)
        encoders = {modality: source.path for modality, source in sources.items()}
        with (
            termination_raised(),
            whole_directory(arguments.output, overwrite=arguments.overwrite) as output,
        ):
            report = run(
                arguments.input, output, config, encoders, schema, beam_args, arguments.vocabulary
            )
    except UserError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return exit_code_of(stop)
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.media",
        description="Embed the media of a catalogue; options that are not listed go to Beam.",
        epilog="Example: python -m pipelines.media --input films --output embedded "
        "--vocabulary data/films/vocabulary --encoders data/films/encoders",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input", required=True, metavar="DIR", help="items.csv and the files it names"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="takes items/ and rejects/")
    parser.add_argument(
        "--vocabulary", required=True, type=pathlib.Path, metavar="DIR",
        help="items.txt, and one file for each category column",
    )  # fmt: skip
    parser.add_argument(
        "--encoders", required=True, type=pathlib.Path, metavar="DIR",
        help="one exported encoder for each modality, in a folder of its name",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument(
        "--config", metavar="FILE", help="TOML or JSON; the preset base where not given"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="overrides the file"
    )
    return parser


if __name__ == "__main__":
    # By its own name: what is pickled out of `__main__` would not meet this process's progress
    # again.
    from pipelines import media

    sys.exit(media.main())
