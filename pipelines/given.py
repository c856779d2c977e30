"""Embeddings that the user has already stand where an encoder would: described, checked, and read.

The embeddings stay where they are, in a file below the input folder or in a column of the
catalogue; what lies in the place of the encoder is `given.json`, which says what they are. Their
content and dimension make the fingerprint that the schema holds.
"""

import collections
import dataclasses
import glob
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.given_arrays import IDS_SUFFIX
from pipelines.given_blocks import GivenBlock, blocks_of_column, blocks_of_file
from pipelines.input_folder import AnyFolder, InputFile, InputFolder
from pipelines.tables import catalogue_dialect, column_names
from tfrs_mm.artefacts import fingerprint_of, write_json
from tfrs_mm.config import DataConfig, EncoderConfig
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

DESCRIPTION = "given.json"


@dataclasses.dataclass(frozen=True)
class GivenEmbeddings:
    """What is given for one modality.

    Attributes:
        path: the folder of the description.
        modality: whose embeddings they are.
        dim: how long most of them are; the others are rejected.
        file: where they lie, below the input folder; empty where it is a column.
        column: of the catalogue; empty where it is a file.
        sha256: of the content.
    """

    path: str
    modality: Modality
    dim: int
    file: str
    column: str
    sha256: str

    @property
    def fingerprint(self) -> str:
        """Of what is given; where it lies does not matter."""
        return fingerprint_of(["given", self.modality.value, self.dim, self.sha256])

    @property
    def source(self) -> str:
        """For people."""
        return self.file or f"the column {self.column!r}"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "GivenEmbeddings":
        """Reads a description.

        Raises:
            UserError: it is none, or was changed.
        """
        folder = pathlib.Path(path).resolve()
        try:
            value = json.loads((folder / DESCRIPTION).read_text("utf-8"))
            described = cls(
                str(folder), Modality(value["modality"]), value["dim"], value["file"],
                value["column"], value["sha256"],
            )  # fmt: skip
            if value["fingerprint"] != described.fingerprint:
                raise ValueError(f"its fingerprint should be {described.fingerprint}")
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{folder / DESCRIPTION} does not describe given embeddings: "
                f"{type(error).__name__} {error}. Run `tfrs-mm preprocess` again."
            ) from error
        return described

    def blocks(self, folder: AnyFolder, data: DataConfig) -> Iterator[GivenBlock]:
        """Reads the embeddings, see `GivenBlock`."""
        return _blocks(self.file, self.column, folder, data, self.modality)

    def check(self, folder: AnyFolder, data: DataConfig) -> None:
        """Looks whether the embeddings are still those that were described.

        Raises:
            UserError: they are not there, or are others.
        """
        if self.file:
            found = _sha256_of_files(_found(self.file, folder, self.modality))
        else:
            found, _ = _read_through(self.blocks(folder, data))
        if found != self.sha256:
            raise UserError(
                f"{self.path} was made from other embeddings than {self.source} holds now. "
                "Run `tfrs-mm preprocess` again."
            )


def describe_given(
    modality: Modality,
    settings: EncoderConfig,
    input_dir: AnyFolder,
    data: DataConfig,
    folder: pathlib.Path,
) -> GivenEmbeddings:
    """Reads given embeddings through and writes their description into `folder`.

    Raises:
        UserError: they are not there, cannot be read, lie outside the input folder, or there is
            none.
    """
    sha256, lengths = _read_through(
        _blocks(settings.file, settings.column, input_dir, data, modality)
    )
    if settings.file:
        sha256 = _sha256_of_files(_found(settings.file, input_dir, modality))
    # Of two lengths that are equally frequent, the smaller: the choice must not be left to chance.
    dim = min(lengths, key=lambda length: (-lengths[length], length), default=0)
    given = GivenEmbeddings(
        str(folder.resolve()), modality, dim, settings.file, settings.column, sha256
    )
    if dim == 0:
        raise UserError(
            f"encoders.{modality.value} takes given embeddings, but {given.source} holds none. "
            "Give another file or column, or another kind."
        )
    folder.mkdir(parents=True)
    description = dataclasses.asdict(given) | {"fingerprint": given.fingerprint}
    write_json(folder / DESCRIPTION, {k: v for k, v in description.items() if k != "path"})
    return given


def given_files(settings: EncoderConfig, folder: AnyFolder) -> list[InputFile]:
    """The files that given embeddings are read from, besides the catalogue, as far as they are
    there."""
    if settings.kind != "given" or not settings.file:
        return []
    return _with_ids(settings.file, InputFolder.of(folder), "file")


def _blocks(
    file: str, column: str, input_dir: AnyFolder, data: DataConfig, modality: Modality
) -> Iterator[GivenBlock]:
    folder = InputFolder.of(input_dir)
    if file:
        with folder.on_disk(*_found(file, folder, modality)) as path:
            yield from blocks_of_file(path)
        return
    table = folder.file(data.items, "data.items")
    dialect = catalogue_dialect(data)
    if column not in column_names(table, (), dialect, wanted=(column,)):
        raise UserError(
            f"encoders.{modality.value}.column is {column!r}, but the table {table.path} has no "
            "such column. Name one that it has."
        )
    yield from blocks_of_column(table.path, column, dialect)


def _found(file: str, input_dir: AnyFolder, modality: Modality) -> list[InputFile]:
    """The file, and that of its ids where it has some there."""
    folder = InputFolder.of(input_dir)
    setting = f"encoders.{modality.value}.file"
    return [folder.file(file, setting), *_with_ids(file, folder, setting)[1:]]


def _with_ids(file: str, folder: InputFolder, setting: str) -> list[InputFile]:
    path = pathlib.PurePosixPath(file)
    names = (glob.escape(file), glob.escape(str(path.with_name(path.stem + IDS_SUFFIX))))
    return [found for name in names for found in folder.files(name, setting)]


def _sha256_of_files(files: Sequence[InputFile]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.sha256())
    return digest.hexdigest()


def _read_through(blocks: Iterator[GivenBlock]) -> tuple[str, "collections.Counter[int]"]:
    """The SHA-256 of ids and numbers, and how many embeddings have each length."""
    counts: collections.Counter[int] = collections.Counter()
    # One for each column, so that it does not matter where a block ends.
    ids, lengths, values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for block in blocks:
        found = block.embeddings.lengths
        counts.update(found[found > 0].tolist())
        ids.update("".join(f"{json.dumps(item_id)}\n" for item_id in block.ids).encode())
        lengths.update(np.where(block.broken, -1, found).astype("<i8").tobytes())
        values.update(block.embeddings.values.astype("<f4").tobytes())
    digests = b"".join(column.digest() for column in (ids, lengths, values))
    return hashlib.sha256(digests).hexdigest(), counts
