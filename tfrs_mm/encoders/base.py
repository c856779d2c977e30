"""What every encoder is, and the folder it is exported to.

An encoder takes a batch of canonical inputs (texts, squares of pixels, log-mel patches) and gives one
embedding for each; all preparation that depends on the weights is inside its graph, so that a job
needs nothing but the exported SavedModel.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

import tensorflow as tf

from tfrs_mm.artefacts import fingerprint_of, whole_directory, write_json
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality
from tfrs_mm.signatures import DEFAULT, ENCODER_INPUT, ENCODER_OUTPUT

DESCRIPTION = "encoder.json"


class Encoder(tf.Module):
    """Weights that turn `[batch, ...]` inputs into `[batch, dim]` float32 embeddings.

    Attributes:
        dim: size of an embedding.
        input_spec: dtype and shape of the inputs; the first axis is the batch, of any size.
    """

    dim: int
    input_spec: tf.TensorSpec

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """`[batch, dim]`; a row depends on its own input only."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class EncoderInfo:
    """What `encoder.json` says.

    Attributes:
        name: which encoder it is.
        modality: what it is exported for.
        dim: size of an embedding.
        kind: "pretrained" or "small".
        input_dtype: of the inputs.
        input_shape: of the inputs; None is the batch.
        weights_sha256: of the file that the weights came from, or of the trained weights themselves.
        requires: modules that must be imported before the SavedModel is loaded, for their operations.
        fingerprint: of all these.
    """

    name: str
    modality: Modality
    dim: int
    kind: str
    input_dtype: str
    input_shape: tuple[int | None, ...]
    weights_sha256: str
    requires: tuple[str, ...]
    fingerprint: str


def export_encoder(
    module: Encoder,
    directory: str | os.PathLike[str],
    *,
    name: str,
    modality: Modality,
    kind: str,
    weights_sha256: str,
    overwrite: bool = False,
) -> EncoderInfo:
    """Writes the encoder as a SavedModel with its `encoder.json`, whole or not at all.

    Raises:
        UserError: `directory` exists, is not empty, and `overwrite` is False.
    """
    # Only the variables and the one signature go in; the layers' own functions would be saved as well.
    served = tf.Module()
    served.weights = list(module.variables)
    spec = tf.TensorSpec(module.input_spec.shape, module.input_spec.dtype, name=ENCODER_INPUT)

    @tf.function(input_signature=[spec])
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {ENCODER_OUTPUT: tf.ensure_shape(module(inputs), [None, module.dim])}

    description: dict[str, Any] = {
        "name": name,
        "modality": modality.value,
        "dim": module.dim,
        "kind": kind,
        "input": {"dtype": spec.dtype.name, "shape": spec.shape.as_list()},
        "weights_sha256": weights_sha256,
        "requires": ["tensorflow_text"] if spec.dtype == tf.string else [],
    }
    description["fingerprint"] = fingerprint_of(description)
    with whole_directory(directory, overwrite=overwrite) as temporary:
        tf.saved_model.save(served, str(temporary), signatures={DEFAULT: serve})
        write_json(temporary / DESCRIPTION, description)
    return read_encoder(directory)


def read_encoder(directory: str | os.PathLike[str]) -> EncoderInfo:
    """What the encoder in `directory` is.

    Raises:
        UserError: there is none.
    """
    path = pathlib.Path(directory) / DESCRIPTION
    if not path.is_file():
        raise UserError(f"{directory} is no encoder folder: it has no {DESCRIPTION}.")
    value = json.loads(path.read_text("utf-8"))
    return EncoderInfo(
        name=value["name"],
        modality=Modality(value["modality"]),
        dim=value["dim"],
        kind=value["kind"],
        input_dtype=value["input"]["dtype"],
        input_shape=tuple(value["input"]["shape"]),
        weights_sha256=value["weights_sha256"],
        requires=tuple(value["requires"]),
        fingerprint=value["fingerprint"],
    )


def sha256_of_variables(module: tf.Module) -> str:
    """The SHA-256 of the values of all variables, in the module's own order."""
    digest = hashlib.sha256()
    for variable in module.variables:
        value = variable.numpy()
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
