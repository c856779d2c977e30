"""What a record may contain: the modalities, the categories, and how each tensor's key is spelt.

Rows. Inside the jobs and the models an item, a user, an event kind and a category value are integer
rows of a vocabulary. Row 0 means "unknown, or nothing here" everywhere; known ids start at row 1.
"""

import dataclasses
import enum
import json
import os
import pathlib
from typing import Any

from tfrs_mm.artefacts import fingerprint_of, write_json
from tfrs_mm.errors import UserError

UNKNOWN_ROW = 0


class Modality(enum.StrEnum):
    """One medium of an item; the order here is the order of the modality axis everywhere."""

    IMAGE = "image"
    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"

    @property
    def embedding_key(self) -> str:
        """Key of the stored embedding, `[dim]` float32."""
        return f"{self.value}/embedding"

    @property
    def present_key(self) -> str:
        """Key of the flag that says whether the item has this modality."""
        return f"{self.value}/present"


class Kind(enum.StrEnum):
    """What a feature's values mean."""

    ID = "id"
    CATEGORY = "category"
    MEDIA = "media"
    TIMESTAMP = "timestamp"
    NUMBER = "number"


class Owner(enum.StrEnum):
    """Whose feature it is."""

    USER = "user"
    ITEM = "item"
    CONTEXT = "context"


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """One declared feature.

    Attributes:
        name: its key in records and batches; for media the modality's name.
        owner: user, item or context.
        kind: what the values mean.
        size: rows of the vocabulary, row 0 included (ids and categories), the embedding's
            dimension (media), or 0 (numbers).
        width: values a record may hold; 1 for a scalar.
    """

    name: str
    owner: Owner
    kind: Kind
    size: int
    width: int = 1


@dataclasses.dataclass(frozen=True)
class Schema:
    """The declared features of one data folder, in order.

    Attributes:
        features: all of them.
        max_history: items of a history that are kept, the newest.
        encoders: for each modality the fingerprint of the encoder that made its embeddings.
    """

    features: tuple[FeatureSpec, ...]
    max_history: int
    encoders: tuple[tuple[str, str], ...] = ()

    def select(
        self, owner: Owner | None = None, kind: Kind | None = None
    ) -> tuple[FeatureSpec, ...]:
        """The features of this owner and kind, in order."""
        return tuple(
            feature
            for feature in self.features
            if (owner is None or feature.owner == owner) and (kind is None or feature.kind == kind)
        )

    def feature(self, name: str) -> FeatureSpec:
        """The feature called `name`.

        Raises:
            KeyError: there is none.
        """
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(f"no feature {name!r}; the schema has {[f.name for f in self.features]}")

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The media that items may have, in the order of `Modality`."""
        names = {feature.name for feature in self.select(Owner.ITEM, Kind.MEDIA)}
        return tuple(modality for modality in Modality if modality.value in names)

    @property
    def categories(self) -> tuple[FeatureSpec, ...]:
        """The categories of items."""
        return self.select(Owner.ITEM, Kind.CATEGORY)

    @property
    def num_items(self) -> int:
        """Items of the catalogue, the unknown row not counted."""
        return self.feature("item").size - 1

    @property
    def num_users(self) -> int:
        """Known users, the unknown row not counted."""
        return self.feature("user").size - 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written to `schema.json`."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Schema":
        """The inverse of `to_dict`."""
        features = tuple(
            FeatureSpec(f["name"], Owner(f["owner"]), Kind(f["kind"]), f["size"], f["width"])
            for f in value["features"]
        )
        encoders = tuple((name, fingerprint) for name, fingerprint in value["encoders"])
        return cls(features, value["max_history"], encoders)

    def fingerprint(self) -> str:
        """Stored in every artefact made from data of this schema, and compared on load."""
        return fingerprint_of(self.to_dict())

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes `schema.json`."""
        write_json(path, self.to_dict() | {"fingerprint": self.fingerprint()})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Schema":
        """Reads `schema.json`.

        Raises:
            UserError: there is no such file, or its content does not match its own fingerprint.
        """
        path = pathlib.Path(path)
        if not path.is_file():
            raise UserError(
                f"{path} does not exist. Give a folder that `tfrs-mm preprocess` wrote."
            )
        value = json.loads(path.read_text(encoding="utf-8"))
        schema = cls.from_dict(value)
        if schema.fingerprint() != value["fingerprint"]:
            raise UserError(
                f"{path}: the fingerprint is {value['fingerprint']}, but the content gives "
                f"{schema.fingerprint()}. The file was changed; run `tfrs-mm preprocess` again."
            )
        return schema
