"""The client's third way to a model: its newest version, loaded into this process."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from serving.loading import find_versions
from serving.models import ServedModel
from serving.status import RequestError
from serving.tensors import DeclaredTensor
from serving.transports import ClientError


class LoadedModel:
    """A transport without a server; the same signatures run over the same SavedModel."""

    def __init__(self, model_dir: str | os.PathLike[str]) -> None:
        """Loads the newest version.

        Raises:
            UserError: there is no model, or it cannot be loaded.
        """
        self._model = ServedModel("in process", model_dir, [max(find_versions(model_dir))])

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[DeclaredTensor],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        """See `serving.transports.Transport`."""
        try:
            called = self._model.version(version).signature(signature)
            if called is None:
                raise ClientError(f"the model has no signature {signature!r}.")
            return called.predict(inputs, [output.name for output in outputs])
        except RequestError as error:
            raise ClientError(error.message) from error

    def close(self) -> None:
        """See `serving.transports.Transport`."""
