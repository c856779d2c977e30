"""An exported encoder on disk, as its `encoder.json` describes it.

Jobs, models and servers read it here.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

from tfrs_mm.artefacts import fingerprint_of
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

DESCRIPTION = "encoder.json"
_SAVED_MODEL = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class EncoderFolder:
    """What an encoder is and where its SavedModel lies.

    Attributes:
        path: the SavedModel's folder.
        name: which encoder it is.
        modality: what it was exported for.
        dim: size of an embedding.
        kind: "pretrained", "small", "keras_cv", or "saved_model" for one of the user's.
        input_dtype: of the inputs.
        input_shape: of the inputs; the first axis is the batch, None.
        weights_sha256: of the file that the weights came from, or of the trained weights
            themselves.
        requires: modules that must be imported before the SavedModel is loaded, for their
            operations.
        arguments: `name=value` of what it was built with, where that is not told by its name.
    """

    path: str
    name: str
    modality: Modality
    dim: int
    kind: str
    input_dtype: str
    input_shape: tuple[int | None, ...]
    weights_sha256: str
    requires: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "EncoderFolder":
        """Reads the description; the model itself is not loaded.

        Raises:
            UserError: there is no exported encoder, its description is not one, or was changed.
        """
        folder = pathlib.Path(path).resolve()
        for name in (DESCRIPTION, _SAVED_MODEL):
            if not (folder / name).is_file():
                raise UserError(
                    f"{path} is no encoder folder: it has no {name}. Export the encoder again."
                )
        try:
            value = json.loads((folder / DESCRIPTION).read_text("utf-8"))
            described = cls(
                path=str(folder),
                name=value["name"],
                modality=Modality(value["modality"]),
                dim=value["dim"],
                kind=value["kind"],
                input_dtype=value["input"]["dtype"],
                input_shape=tuple(value["input"]["shape"]),
                weights_sha256=value["weights_sha256"],
                requires=tuple(value["requires"]),
                arguments=tuple(value.get("arguments", ())),
            )
            fingerprint = value["fingerprint"]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{folder / DESCRIPTION} does not describe an encoder: {type(error).__name__} "
                f"{error}. Export the encoder again."
            ) from error
        if fingerprint != described.fingerprint:
            raise UserError(
                f"{folder / DESCRIPTION} has the fingerprint {fingerprint}, but what it says has "
                f"{described.fingerprint}. It was changed by hand; export the encoder again."
            )
        return described

    def description(self) -> dict[str, Any]:
        """What `encoder.json` says, but for the fingerprint."""
        # Told only where there are any: those of encoders without stay as they were.
        arguments = {"arguments": list(self.arguments)} if self.arguments else {}
        return {
            "name": self.name,
            "modality": self.modality.value,
            "dim": self.dim,
            "kind": self.kind,
            "input": {"dtype": self.input_dtype, "shape": list(self.input_shape)},
            "weights_sha256": self.weights_sha256,
            "requires": list(self.requires),
            **arguments,
        }

    @property
    def fingerprint(self) -> str:
        """Of all that is described; where the folder lies does not matter."""
        return fingerprint_of(self.description())
