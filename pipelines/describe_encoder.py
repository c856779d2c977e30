"""Writes the `encoder.json` of a SavedModel that somebody else exported, and tries one that has it.

The SavedModel must have the signature `serving_default` with the input `inputs`, `[batch, ...]`,
and the output `embedding`, `[batch, dim]` float32. Run from a shell with
`python -m pipelines.describe_encoder`.
"""

import argparse
import hashlib
import importlib
import os
import pathlib
import sys
from collections.abc import Sequence

import numpy as np

from pipelines.decode import decoder_of
from pipelines.inference import LoadedEncoder
from pipelines.media_files import MediaFiles
from tfrs_mm.artefacts import write_json
from tfrs_mm.config import EncoderConfig
from tfrs_mm.encoder_folder import DESCRIPTION, EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality
from tfrs_mm.signatures import DEFAULT, ENCODER_INPUT, ENCODER_OUTPUT

_KIND = "saved_model"
_COMMAND = "python -m pipelines.describe_encoder --folder {folder} --modality image --name NAME"


def tried_encoder(folder: str | os.PathLike[str]) -> EncoderFolder:
    """The encoder in a folder, after it embedded one medium of zeros.

    Raises:
        UserError: the folder holds no described encoder, or it does not do what is described.
    """
    folder = pathlib.Path(folder)
    if folder.is_dir() and not (folder / DESCRIPTION).is_file():
        raise UserError(
            f"the encoder in {folder} has no {DESCRIPTION}. Write it with: "
            f"{_COMMAND.format(folder=folder)}"
        )
    encoder = EncoderFolder.read(folder)
    _try(encoder)
    return encoder


def describe_encoder(
    folder: str | os.PathLike[str], modality: Modality, name: str, requires: Sequence[str] = ()
) -> EncoderFolder:
    """Writes `encoder.json` beside a SavedModel, from its signature.

    Args:
        folder: of the SavedModel.
        modality: whose media it takes.
        name: what the encoder is called.
        requires: modules that register operations it needs, such as tensorflow_text.

    Raises:
        UserError: there is no SavedModel, or its signature is not that of an encoder.
    """
    import tensorflow as tf

    folder = pathlib.Path(folder).resolve()
    try:
        for module in requires:
            importlib.import_module(module)
        model = tf.saved_model.load(str(folder))
    except (ImportError, OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{folder} must hold a SavedModel that can be loaded: {error}. Give its folder, and "
            "with --requires the modules that register its operations."
        ) from error
    signature = model.signatures.get(DEFAULT) if hasattr(model, "signatures") else None
    inputs = signature.structured_input_signature[1] if signature is not None else {}
    outputs = signature.structured_outputs if signature is not None else {}
    if set(inputs) != {ENCODER_INPUT} or ENCODER_OUTPUT not in outputs:
        raise UserError(
            f"the signature {DEFAULT!r} of {folder} must take {ENCODER_INPUT!r} and give "
            f"{ENCODER_OUTPUT!r}, but takes {sorted(inputs)} and gives {sorted(outputs)}. "
            "Export the model with that signature."
        )
    spec, shape = inputs[ENCODER_INPUT], outputs[ENCODER_OUTPUT].shape
    dim = shape[1] if shape.rank == 2 else None
    if dim is None or spec.shape.rank is None:
        raise UserError(
            f"the signature {DEFAULT!r} of {folder} must say the size of its inputs and embedding, "
            f"but has {spec.shape} and {shape}. Export it with fixed sizes, [batch, dim] at last."
        )
    encoder = EncoderFolder(
        str(folder), name, modality, int(dim), _KIND, spec.dtype.name,
        tuple(spec.shape.as_list()), _sha256_of(folder), tuple(requires),
    )  # fmt: skip
    _try(encoder)
    write_json(folder / DESCRIPTION, encoder.description() | {"fingerprint": encoder.fingerprint})
    return encoder


def _try(encoder: EncoderFolder) -> None:
    decoder_of(encoder.modality, encoder.input_shape, MediaFiles.of("."), EncoderConfig())
    try:
        embedding = LoadedEncoder(encoder).embed(_zeros(encoder.input_dtype, encoder.input_shape))
    except Exception as error:  # of a foreign graph any type
        raise UserError(
            f"the encoder in {encoder.path} cannot embed what its {DESCRIPTION} describes: "
            f"{type(error).__name__}: {error}. Export and describe it again."
        ) from error
    if embedding.dtype != np.float32:
        raise UserError(
            f"the encoder in {encoder.path} must give float32, but gives {embedding.dtype}. "
            "Export it so."
        )


def _zeros(dtype: str, shape: Sequence[int | None]) -> np.ndarray:
    """`[1, ...]`: one medium, black, silent or empty."""
    if dtype == "string":
        return np.array([b""], dtype=object)
    return np.zeros([1, *(size or 1 for size in shape[1:])], dtype)


def _sha256_of(folder: pathlib.Path) -> str:
    """Of all files of the SavedModel, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name != DESCRIPTION:
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.describe_encoder",
        description=f"Write {DESCRIPTION} beside a SavedModel, for encoders.MODALITY.kind "
        f"= {_KIND}.",
        epilog=f"Example: {_COMMAND.format(folder='my_encoder')}",
        allow_abbrev=False,
    )
    parser.add_argument("--folder", required=True, metavar="DIR", help="of the SavedModel")
    parser.add_argument("--modality", required=True, choices=[m.value for m in Modality])
    parser.add_argument("--name", required=True, help="what the encoder is called")
    parser.add_argument(
        "--requires", action="append", default=[], metavar="MODULE",
        help="registers operations of the model, such as tensorflow_text",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    try:
        encoder = describe_encoder(
            arguments.folder, Modality(arguments.modality), arguments.name, arguments.requires
        )
    except UserError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(
        f"{encoder.path}: {encoder.modality.value} to {encoder.dim} dimensions, "
        f"fingerprint {encoder.fingerprint}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
