"""The steps of the media job: items, one branch for each modality, and the records they meet in."""

import pathlib
from collections.abc import Mapping

import apache_beam as beam

from pipelines import catalogue, item_records
from pipelines.decode import decoder_of
from pipelines.embed import EmbedModality
from pipelines.embedding_cache import make_cache_dir
from pipelines.given import GivenEmbeddings
from pipelines.input_folder import InputFolder
from pipelines.job_progress import JobProgress
from pipelines.media_files import MediaFiles
from pipelines.media_inputs import Source
from pipelines.project_embeddings import ProjectEmbeddings
from pipelines.projection_plan import ProjectionPlan
from pipelines.read_given import ReadGiven
from pipelines.rejects import WriteRejects
from pipelines.tables import catalogue_dialect
from pipelines.worker_share import WorkerShare
from tfrs_mm.config import Config, EncoderConfig
from tfrs_mm.schema import Modality, Schema

ITEMS_DIR, REJECTS_DIR = "items", "rejects"
REJECTS = "media.jsonl"


def add_steps(
    pipeline: beam.Pipeline,
    folder: InputFolder,
    catalogue_path: str,
    output_dir: pathlib.Path,
    vocabulary_dir: pathlib.Path,
    config: Config,
    sources: Mapping[Modality, Source],
    plans: Mapping[Modality, ProjectionPlan],
    schema: Schema,
    progress: JobProgress,
    share: WorkerShare,
) -> None:
    """Adds the whole job to the pipeline.

    Args:
        pipeline: without steps so far.
        folder: holds the files that the catalogue names.
        catalogue_path: of the table.
        output_dir: takes items, rejects and projections.
        vocabulary_dir: holds items.txt and one file for each category.
        config: the sections `data` and `encoders` are used.
        sources: of the embeddings.
        plans: of those that are projected.
        schema: of the item records.
        progress: told of every medium.
        share: of the machine that a worker may use.
    """
    categories = [feature.name for feature in schema.categories]
    columns = [
        "title",
        "description",
        *(f"{modality.value}_path" for modality in sources),
        *(source.column for source in sources.values() if _is_column(source)),
        *categories,
    ]
    items = pipeline | "ReadItems" >> catalogue.ReadItems(
        catalogue_path,
        str(vocabulary_dir / "items.txt"),
        list(dict.fromkeys(columns)),
        catalogue_dialect(config.data),
    )
    files = MediaFiles.of(folder, config.encoders.media_roots)
    embeddings, rejects = {}, [pipeline | "NoRejectsYet" >> beam.Create([])]
    cache_dir = make_cache_dir(config.encoders.cache_dir)
    for modality, source in sources.items():
        if isinstance(source, GivenEmbeddings):
            embed = ReadGiven(
                source, folder, config.data, str(vocabulary_dir / "items.txt"), progress
            )
        else:
            settings = _encoder_config(config, modality)
            decoder = decoder_of(modality, source.input_shape, files, settings)
            embed = EmbedModality(source, decoder, settings.batch_size, progress, cache_dir, share)
        embedded = items | f"Embed_{modality.value}" >> embed
        embeddings[modality.value] = embedded.embeddings
        rejects.append(embedded.rejects)
    if plans:
        embeddings = embeddings | "Project" >> ProjectEmbeddings(plans, output_dir)
    _ = {"items": items, **embeddings} | "WriteItems" >> item_records.WriteItems(
        str(output_dir / ITEMS_DIR),
        schema,
        config.data.shards,
        {name: str(vocabulary_dir / f"{name}.txt") for name in categories},
        config.data.category_separator,
    )
    _ = (
        rejects
        | "JoinRejects" >> beam.Flatten()
        | "WriteRejects" >> WriteRejects(str(output_dir / REJECTS_DIR / REJECTS))
    )


def _is_column(source: Source) -> bool:
    return isinstance(source, GivenEmbeddings) and bool(source.column)


def _encoder_config(config: Config, modality: Modality) -> EncoderConfig:
    return getattr(config.encoders, modality.value)
