"""A fitted projection of one modality's embeddings, `encoders/<modality>/projection.npz`.

It is a chain of affine steps, `x -> (x - mean) @ matrix`: principal components, canonical
correlations, or one after the other. The media job fits it and writes embeddings that went through
it; a server, or a later job, takes new embeddings through the same one. It belongs to one encoder,
and is refused for another. How steps are fitted is the business of `tfrs_mm.data.whitening` and
`tfrs_mm.data.canonical`; no TensorFlow here.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from tfrs_mm.artefacts import fingerprint_of, whole_file
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

PROJECTION = "projection.npz"
PCA, CCA = "pca", "cca"

_DESCRIPTION = "description"
_ARRAYS = ("mean", "matrix", "strengths")
_MAX_BYTES = 2**30  # of all arrays; two steps from 8,192 dimensions to 4,096 are below it


@dataclasses.dataclass(frozen=True, eq=False)
class AffineStep:
    """One step of a projection.

    Attributes:
        kind: `pca` or `cca`.
        mean: `[size]` float64, of the items that it was fitted on.
        matrix: `[size, dim]` float64, strongest component first; a component that the items do not
            have is a column of zeros.
        strengths: `[dim]` float64: of a principal component its share of the variance, of a
            canonical one its correlation with the other modality's.
        items: that it was fitted on.
        settings: what else decided it.
    """

    kind: str
    mean: np.ndarray
    matrix: np.ndarray
    strengths: np.ndarray
    items: int
    settings: dict[str, Any]

    @property
    def num_components(self) -> int:
        """Columns that are no zeros."""
        return int(self.matrix.any(axis=0).sum())

    def apply(self, embedding: np.ndarray) -> np.ndarray:
        """`[size]` to `[dim]` float64.

        One at a time: the last bits of a product of matrices depend on how many rows go into it,
        and so would be left to how a runner forms its bundles.
        """
        return (embedding.astype(np.float64) - self.mean) @ self.matrix


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """All steps of one modality.

    Attributes:
        modality: whose embeddings it takes.
        encoder: the fingerprint of what makes them.
        steps: in the order of their application; at least one.
    """

    modality: Modality
    encoder: str
    steps: tuple[AffineStep, ...]

    @property
    def input_dim(self) -> int:
        """Size of an embedding before it."""
        return len(self.steps[0].mean)

    @property
    def dim(self) -> int:
        """Size of an embedding behind it."""
        return self.steps[-1].matrix.shape[1]

    @property
    def fingerprint(self) -> str:
        """Of the settings and of every number."""
        arrays = [
            [name, list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
            for name, array in self._arrays().items()
        ]
        return fingerprint_of([self._description(), arrays])

    @property
    def embedding_fingerprint(self) -> str:
        """Of what makes the embeddings behind it: the encoder and this."""
        return fingerprint_of([self.encoder, self.fingerprint])

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """`[n, input_dim]`, or one `[input_dim]`, to float32 `[n, dim]` or `[dim]`.

        A row gives the same bits whatever stands beside it.
        """
        rows = np.atleast_2d(embeddings)
        projected = np.empty([len(rows), self.dim], np.float32)
        for place, row in enumerate(rows):
            for step in self.steps:
                row = step.apply(row)
            projected[place] = row
        return projected if embeddings.ndim == 2 else projected[0]

    def check(self, modality: Modality, dim: int, encoder: str, where: str) -> None:
        """Looks whether it was fitted to the embeddings of this encoder.

        Args:
            modality: of the encoder.
            dim: of its embeddings.
            encoder: its fingerprint.
            where: the projection lies.

        Raises:
            UserError: it was fitted to others.
        """
        if (self.modality, self.input_dim, self.encoder) != (modality, dim, encoder):
            raise UserError(
                f"{where} was fitted to the encoder {self.encoder} of {self.modality.value} with "
                f"{self.input_dim} dimensions, but {encoder} of {modality.value} with {dim} is in "
                "use. Remove the projection to fit another, or use its encoder."
            )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, whole or not at all; equal projections give equal bytes."""
        description = self._description() | {"fingerprint": self.fingerprint}
        text = json.dumps(description, sort_keys=True).encode()
        arrays = {_DESCRIPTION: np.frombuffer(text, np.uint8), **self._arrays()}
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Projection":
        """Reads the file.

        Raises:
            UserError: it is none, or was changed.
        """
        path = pathlib.Path(path)
        try:
            projection, expected = cls._read(path)
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path} must hold a projection, but cannot be read: {type(error).__name__} "
                f"{error}. Run `tfrs-mm preprocess` again."
            ) from error
        if projection.fingerprint != expected:
            raise UserError(
                f"{path} has the fingerprint {expected}, but what it holds has "
                f"{projection.fingerprint}. It was changed; run `tfrs-mm preprocess` again."
            )
        return projection

    @classmethod
    def _read(cls, path: pathlib.Path) -> tuple["Projection", str]:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MAX_BYTES:
            raise ValueError(f"it holds {size} bytes, more than {_MAX_BYTES}")
        with np.load(path, allow_pickle=False) as stored:
            value = json.loads(stored[_DESCRIPTION].tobytes())
            steps = tuple(
                AffineStep(
                    step["kind"], *(stored[f"{name}_{place}"] for name in _ARRAYS),
                    step["items"], step["settings"],
                )
                for place, step in enumerate(value["steps"])
            )  # fmt: skip
        sizes = [(len(step.mean), *step.matrix.shape, len(step.strengths)) for step in steps]
        dims = [dim for _, _, dim, _ in sizes]
        if not steps or any(
            mean != rows or strengths != dim or rows != (dims[place - 1] if place else rows)
            for place, (mean, rows, dim, strengths) in enumerate(sizes)
        ):
            raise ValueError(f"its steps have sizes that do not fit each other: {sizes}")
        return cls(Modality(value["modality"]), value["encoder"], steps), value["fingerprint"]

    def _description(self) -> dict[str, Any]:
        steps = [
            {"kind": step.kind, "items": step.items, "settings": step.settings}
            for step in self.steps
        ]
        return {"modality": self.modality.value, "encoder": self.encoder, "steps": steps}

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            f"{name}_{place}": np.ascontiguousarray(getattr(step, name), np.float64)
            for place, step in enumerate(self.steps)
            for name in _ARRAYS
        }
