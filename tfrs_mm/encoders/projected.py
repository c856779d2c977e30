"""An encoder and its projection as one SavedModel: media in, embeddings as the job writes them out.

The media job keeps both apart, so that its cache and later projections start from what the encoder
made. What embeds new media at the time of a request wants the whole.
"""

import importlib
import os
import pathlib

import tensorflow as tf

from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.encoders.base import write_encoder
from tfrs_mm.projection import PROJECTION, Projection
from tfrs_mm.signatures import DEFAULT, ENCODER_INPUT, ENCODER_OUTPUT


class ProjectionModule(tf.Module):
    """A projection as TensorFlow operations, `[batch, input_dim]` to `[batch, dim]` float32.

    It calculates in float64, as `Projection.apply` does.
    """

    def __init__(self, projection: Projection) -> None:
        super().__init__(name="projection")
        self._steps = [
            (
                tf.Variable(step.mean, trainable=False, dtype=tf.float64),
                tf.Variable(step.matrix, trainable=False, dtype=tf.float64),
            )
            for step in projection.steps
        ]

    def __call__(self, embeddings: tf.Tensor) -> tf.Tensor:
        projected = tf.cast(embeddings, tf.float64)
        for mean, matrix in self._steps:
            projected = tf.matmul(projected - mean, matrix)
        return tf.cast(projected, tf.float32)


def export_projected(
    folder: str | os.PathLike[str], directory: str | os.PathLike[str], overwrite: bool = False
) -> EncoderFolder:
    """Writes the encoder of a data folder and its projection as one encoder folder.

    Args:
        folder: holds both, such as `data/films/encoders/image`.
        directory: takes the new one; it can be given as `encoders.<modality>.file`.
        overwrite: whether a folder that is there may be replaced.

    Raises:
        UserError: one of them is missing, or they do not belong together.
    """
    encoder = EncoderFolder.read(folder)
    path = pathlib.Path(encoder.path) / PROJECTION
    projection = Projection.read(path)
    projection.check(encoder.modality, encoder.dim, encoder.fingerprint, str(path))
    for module in encoder.requires:
        importlib.import_module(module)
    served = tf.Module()
    served.encoder = tf.saved_model.load(encoder.path)
    served.projection = ProjectionModule(projection)
    embed = served.encoder.signatures[DEFAULT]
    spec = tf.TensorSpec(encoder.input_shape, tf.as_dtype(encoder.input_dtype), name=ENCODER_INPUT)

    @tf.function(input_signature=[spec])
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        embeddings = embed(**{ENCODER_INPUT: inputs})[ENCODER_OUTPUT]
        projected = served.projection(embeddings)
        return {ENCODER_OUTPUT: tf.ensure_shape(projected, [None, projection.dim])}

    described = EncoderFolder(
        path=str(pathlib.Path(directory).resolve()),
        name=encoder.name,
        modality=encoder.modality,
        dim=projection.dim,
        kind=encoder.kind,
        input_dtype=encoder.input_dtype,
        input_shape=encoder.input_shape,
        weights_sha256=encoder.weights_sha256,
        requires=encoder.requires,
        arguments=(*encoder.arguments, f"projection={projection.fingerprint}"),
    )
    write_encoder(served, serve, described, overwrite)
    return described
