"""Runs an exported encoder inside Beam's RunInference.

An element is a key and a medium, `[n, ...]` arrays with n >= 1; the answer is the key and the mean
of the n embeddings. RunInference loads one encoder a process and shares it among the threads.
Beam's own TensorFlow handler is not used: it imports TensorFlow Hub.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from pipelines.worker_share import ALONE, WorkerShare
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.signatures import DEFAULT, ENCODER_INPUT, ENCODER_OUTPUT

KeyT = TypeVar("KeyT")

# Media should be handed over until they fill this many batches: then few batches are not full.
# The more texts there are, the closer in length are those of one batch.
_BATCHES_GATHERED = 16


class LoadedEncoder:
    """An encoder in memory: `[batch, ...]` inputs to `[batch, dim]` float32."""

    def __init__(self, folder: EncoderFolder) -> None:
        """Loads the SavedModel.

        Raises:
            ValueError: it has no signature of an encoder, or its embeddings have another size.
        """
        import tensorflow as tf

        for module in folder.requires:
            importlib.import_module(module)
        self._model = tf.saved_model.load(
            folder.path
        )  # the signature alone would not keep the weights
        self._dtype = tf.as_dtype(folder.input_dtype)
        self._folder = folder
        if DEFAULT not in self._model.signatures:
            raise ValueError(f"{folder.path} has no signature {DEFAULT!r}.")
        self._signature = self._model.signatures[DEFAULT]
        _, inputs = self._signature.structured_input_signature
        outputs = self._signature.structured_outputs
        if set(inputs) != {ENCODER_INPUT} or ENCODER_OUTPUT not in outputs:
            raise ValueError(
                f"the signature of {folder.path} must take {ENCODER_INPUT!r} and give "
                f"{ENCODER_OUTPUT!r}, but takes {sorted(inputs)} and gives {sorted(outputs)}."
            )

    def embed(self, inputs: np.ndarray) -> np.ndarray:
        """`[batch, dim]` float32; strings come as an object array of bytes."""
        import tensorflow as tf

        tensor = tf.constant(inputs.tolist() if inputs.dtype == object else inputs, self._dtype)
        embedding = self._signature(**{ENCODER_INPUT: tensor})[ENCODER_OUTPUT].numpy()
        wanted = (len(inputs), self._folder.dim)
        if embedding.shape != wanted:
            raise ValueError(
                f"{self._folder.path} gave {embedding.shape} embeddings instead of {wanted}."
            )
        return embedding


class EncoderHandler(ModelHandler[tuple[KeyT, np.ndarray], tuple[KeyT, np.ndarray], LoadedEncoder]):
    """Embeds keyed media: `(key, [n, ...] arrays)` to `(key, [dim] float32)`.

    Attributes:
        gathered: arrays that should be handed over at once.
    """

    def __init__(self, folder: EncoderFolder, batch_size: int, share: WorkerShare = ALONE) -> None:
        """Names the encoder; `load_model` loads it where it is needed.

        Args:
            folder: the exported encoder.
            batch_size: inputs of every call; what is missing in the last one is filled up, so that
                an accelerator sees one shape only.
            share: of its machine that a process takes.
        """
        super().__init__()
        self._folder, self.gathered = folder, batch_size * _BATCHES_GATHERED
        self._batch_size, self._share = batch_size, share

    def load_model(self) -> LoadedEncoder:
        """The encoder, once a process."""
        self._share.take()
        return LoadedEncoder(self._folder)

    def run_inference(
        self,
        batch: Sequence[tuple[KeyT, np.ndarray]],
        model: LoadedEncoder,
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterable[tuple[KeyT, np.ndarray]]:
        """The keys in their order, each with the mean over its medium's arrays."""
        media = [arrays for _, arrays in batch]
        means = _means(
            [len(arrays) for arrays in media], self._embed_all(np.concatenate(media), model)
        )
        return [(key, mean) for (key, _), mean in zip(batch, means, strict=True)]

    def get_num_bytes(self, batch: Sequence[tuple[KeyT, np.ndarray]]) -> int:
        """Bytes of the arrays; the base class would pickle them all to count."""
        return sum(
            sum(map(len, arrays)) if arrays.dtype == object else arrays.nbytes
            for _, arrays in batch
        )

    def get_metrics_namespace(self) -> str:
        """Each modality's figures apart."""
        return f"encode_{self._folder.modality.value}"

    def _embed_all(self, arrays: np.ndarray, model: LoadedEncoder) -> np.ndarray:
        """`[total, ...]` to `[total, dim]`, in calls of one size."""
        order = np.arange(len(arrays))
        if arrays.dtype == object:
            # A batch of texts costs what its longest costs: those of like length go together.
            order = np.argsort([len(text) for text in arrays], kind="stable")
        embeddings = np.empty([len(arrays), self._folder.dim], np.float32)
        for start in range(0, len(arrays), self._batch_size):
            chosen = order[start : start + self._batch_size]
            embeddings[chosen] = model.embed(_filled_up(arrays[chosen], self._batch_size))[
                : len(chosen)
            ]
        return embeddings


def _filled_up(arrays: np.ndarray, batch_size: int) -> np.ndarray:
    """The arrays, with empty texts or zeros behind them up to `batch_size`."""
    missing = batch_size - len(arrays)
    if missing == 0:
        return arrays
    filling = np.full(
        [missing, *arrays.shape[1:]], b"" if arrays.dtype == object else 0, arrays.dtype
    )
    return np.concatenate([arrays, filling])


def _means(lengths: Sequence[int], embeddings: np.ndarray) -> np.ndarray:
    """`[media, dim]` float32: the mean of each run of `lengths[i]` rows."""
    counts = np.asarray(lengths)
    if (counts < 1).any():
        raise ValueError(f"every medium must have at least one array, received {counts.tolist()}.")
    starts = np.cumsum(counts) - counts
    sums = np.add.reduceat(embeddings.astype(np.float64), starts, axis=0)
    return (sums / counts[:, np.newaxis]).astype(np.float32)
