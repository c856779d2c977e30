"""What every encoder is, and the folder it is exported to.

An encoder takes a batch of canonical inputs (texts, squares of pixels, log-mel patches) and gives
one embedding for each; all preparation that depends on the weights is inside its graph, so that a
job needs nothing but the exported SavedModel.
"""

import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.encoder_folder import DESCRIPTION, EncoderFolder
from tfrs_mm.schema import Modality
from tfrs_mm.signatures import DEFAULT, ENCODER_INPUT, ENCODER_OUTPUT


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


def export_encoder(
    module: Encoder,
    directory: str | os.PathLike[str],
    *,
    name: str,
    modality: Modality,
    kind: str,
    weights_sha256: str,
    arguments: Sequence[str] = (),
    overwrite: bool = False,
) -> EncoderFolder:
    """Writes the encoder as a SavedModel with its `encoder.json`, whole or not at all.

    Raises:
        UserError: `directory` exists, is not empty, and `overwrite` is False.
    """
    # Only the variables and the one signature go in; the layers' own functions would be saved as
    # well.
    served = tf.Module()
    served.weights = list(module.variables)
    spec = tf.TensorSpec(module.input_spec.shape, module.input_spec.dtype, name=ENCODER_INPUT)

    @tf.function(input_signature=[spec])
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {ENCODER_OUTPUT: tf.ensure_shape(module(inputs), [None, module.dim])}

    described = EncoderFolder(
        path=str(pathlib.Path(directory).resolve()),
        name=name,
        modality=modality,
        dim=module.dim,
        kind=kind,
        input_dtype=spec.dtype.name,
        input_shape=tuple(spec.shape.as_list()),
        weights_sha256=weights_sha256,
        requires=("tensorflow_text",) if spec.dtype == tf.string else (),
        arguments=tuple(arguments),
    )
    write_encoder(served, serve, described, overwrite)
    return described


def write_encoder(
    served: tf.Module, serve: Callable[..., Any], described: EncoderFolder, overwrite: bool
) -> None:
    """Writes a SavedModel and its `encoder.json` to `described.path`, whole or not at all.

    Args:
        served: holds what the function needs.
        serve: a `tf.function` from `inputs` to `embedding`, the default signature.
        described: what it is, and where it goes.
        overwrite: whether a folder that is there may be replaced.

    Raises:
        UserError: the folder exists, is not empty, and `overwrite` is False.
    """
    with whole_directory(described.path, overwrite=overwrite) as temporary:
        tf.saved_model.save(served, str(temporary), signatures={DEFAULT: serve})
        write_json(
            temporary / DESCRIPTION,
            described.description() | {"fingerprint": described.fingerprint},
        )


def sha256_of_variables(module: tf.Module) -> str:
    """The SHA-256 of the values of all variables, in the module's own order."""
    digest = hashlib.sha256()
    for variable in module.variables:
        value = variable.numpy()
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
