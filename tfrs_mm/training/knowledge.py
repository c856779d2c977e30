"""A data folder as training needs it: catalogue, reduced embeddings, counts, and what is cold."""

import dataclasses
import os
import pathlib

import numpy as np

from tfrs_mm.artefacts import read_manifest
from tfrs_mm.config import Config, load_config
from tfrs_mm.data.catalogue import Catalogue, ItemCounts, read_catalogue
from tfrs_mm.data.item_neighbours import NEIGHBOURS_FILE, NeighbourTables
from tfrs_mm.data.reduction import Reduction, fit_reduction
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality, Schema


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """Everything about a data folder but its examples.

    Attributes:
        data_dir: the folder.
        fingerprint: of the folder's manifest.
        config: it was made with.
        schema: of its records.
        catalogue: items by row.
        counts: of training events.
        users: ids by row.
        neighbours: item-to-item statistics of training events; None where the data was made
            without.
    """

    data_dir: pathlib.Path
    fingerprint: str
    config: Config
    schema: Schema
    catalogue: Catalogue
    counts: ItemCounts
    users: Vocabulary
    neighbours: NeighbourTables | None

    @property
    def target_counts(self) -> np.ndarray:
        """`[items + 1]` training events of each row."""
        return self.counts.counts.sum(axis=1)

    @property
    def warm(self) -> np.ndarray:
        """`[items + 1]` bool: items with a training event."""
        warm = self.target_counts > 0
        warm[0] = False
        return warm


def read_knowledge(data_dir: str | os.PathLike[str]) -> Knowledge:
    """Reads a folder that `tfrs-mm preprocess` wrote.

    Raises:
        UserError: it is no such folder, or its parts do not belong together.
    """
    data_dir = pathlib.Path(data_dir)
    manifest = read_manifest(data_dir, "data")
    schema = Schema.read(data_dir / "schema.json")
    if schema.fingerprint() != manifest["schema"]:
        raise UserError(
            f"{data_dir}: schema.json has the fingerprint {schema.fingerprint()}, the manifest "
            f"says {manifest['schema']}. The folder was put together from two runs; "
            "preprocess again."
        )
    config = load_config(data_dir / "config.json")
    neighbours = None
    if config.data.transition_window > 0:
        items = Vocabulary.read(data_dir / "vocabulary" / "items.txt").fingerprint()
        neighbours = NeighbourTables.read(
            data_dir / "behaviour" / NEIGHBOURS_FILE, {"items": items}
        )
    return Knowledge(
        data_dir=data_dir,
        fingerprint=manifest["fingerprint"],
        config=config,
        schema=schema,
        catalogue=read_catalogue(data_dir, schema),
        counts=ItemCounts.read(data_dir / "behaviour" / "item_counts.npz"),
        users=Vocabulary.read(data_dir / "vocabulary" / "users.txt"),
        neighbours=neighbours,
    )


def fit_reductions(knowledge: Knowledge, dim: int) -> dict[Modality, Reduction]:
    """Principal components of each modality over the catalogue; no interaction is looked at."""
    catalogue = knowledge.catalogue
    return {
        modality: fit_reduction(catalogue.embeddings[modality], catalogue.present[:, place], dim)
        for place, modality in enumerate(knowledge.schema.modalities)
    }


def reduced_values(
    knowledge: Knowledge, reductions: dict[Modality, Reduction], dim: int
) -> np.ndarray:
    """`[items + 1, modality, dim]` float32, zeros where a modality is absent."""
    catalogue = knowledge.catalogue
    values = [
        reductions[modality].apply(catalogue.embeddings[modality], catalogue.present[:, place])
        for place, modality in enumerate(knowledge.schema.modalities)
    ]
    if not values:
        return np.zeros((len(catalogue.item_ids), 0, dim), np.float32)
    return np.stack(values, axis=1)
