"""What the media job gets besides the catalogue: encoders or given embeddings, vocabularies, and a
schema they fit.
"""

import os
import pathlib
from collections.abc import Iterable, Mapping

from pipelines import given
from pipelines.given import GivenEmbeddings
from tfrs_mm.config import Config
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema

Source = EncoderFolder | GivenEmbeddings


def read_source(path: str | os.PathLike[str]) -> Source:
    """What gives a modality's embeddings: an exported encoder, or what the user has already.

    Raises:
        UserError: the folder holds neither.
    """
    if (pathlib.Path(path) / given.DESCRIPTION).is_file():
        return GivenEmbeddings.read(path)
    return EncoderFolder.read(path)


def fitting_sources(
    encoders: Mapping[Modality, str | os.PathLike[str]], schema: Schema
) -> dict[Modality, Source]:
    """The source of each modality of the schema, in its order.

    Raises:
        UserError: a modality has no encoder, an encoder no modality, or it gives other embeddings.
    """
    if set(encoders) != set(schema.modalities):
        raise UserError(
            "encoders must be given for the modalities of the schema, "
            f"{_names(schema.modalities)}; received some for {_names(encoders)}."
        )
    sources = {modality: read_source(encoders[modality]) for modality in schema.modalities}
    fingerprints = dict(schema.encoders)
    for modality, source in sources.items():
        size = schema.feature(modality.value).size
        expected = fingerprints.get(modality.value, source.fingerprint)
        if (source.modality, source.dim, source.fingerprint) != (modality, size, expected):
            raise UserError(
                f"{source.path} must hold the encoder {expected} of {modality.value} with {size} "
                f"dimensions, but holds {source.fingerprint} of {source.modality.value} with "
                f"{source.dim}."
            )
    return sources


def checked_vocabularies(directory: pathlib.Path, schema: Schema) -> int:
    """How many items there are, after all vocabularies were found to be those of the schema.

    Raises:
        UserError: one is missing, is not that of the schema, or there is no item.
    """
    for feature, name in [
        (schema.feature("item"), "items"),
        *((f, f.name) for f in schema.categories),
    ]:
        path = directory / f"{name}.txt"
        size = Vocabulary.read(path).size
        if size != feature.size:
            raise UserError(
                f"the schema has {feature.size} rows of {feature.name!r}, but {path} gives {size}. "
                "Use the schema and the vocabularies of one run of `tfrs-mm preprocess`."
            )
    if schema.num_items == 0:
        raise UserError(
            f"{directory / 'items.txt'} holds no item. Give a catalogue with at least one."
        )
    return schema.num_items


def encoders_in(directory: pathlib.Path) -> dict[Modality, Source]:
    """The sources in the folders that are named after modalities.

    Raises:
        UserError: there is none.
    """
    folders = {
        modality: read_source(directory / modality.value)
        for modality in Modality
        if (directory / modality.value).is_dir()
    }
    if not folders:
        raise UserError(
            f"the folder of encoders must hold at least one of {_names(Modality)}; "
            f"{directory} has none."
        )
    return folders


def item_schema(
    vocabulary_dir: pathlib.Path, config: Config, folders: Mapping[Modality, Source]
) -> Schema:
    """What an item record needs to know: its row, its categories, its embeddings."""
    sizes = {
        name: Vocabulary.read(vocabulary_dir / f"{name}.txt").size
        for name in config.data.category_columns
        if (vocabulary_dir / f"{name}.txt").is_file()
    }
    items = Vocabulary.read(vocabulary_dir / "items.txt").size
    return Schema(
        (
            FeatureSpec("item", Owner.ITEM, Kind.ID, items),
            *(
                FeatureSpec(name, Owner.ITEM, Kind.CATEGORY, size, config.data.max_categories)
                for name, size in sizes.items()
            ),
            *(
                FeatureSpec(modality.value, Owner.ITEM, Kind.MEDIA, folder.dim)
                for modality, folder in folders.items()
            ),
        ),
        config.data.max_history,
        tuple((modality.value, folder.fingerprint) for modality, folder in folders.items()),
    )


def _names(modalities: Iterable[Modality]) -> list[str]:
    return sorted(modality.value for modality in modalities)
