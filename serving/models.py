"""The loaded versions of one model: which there are, and what their signatures answer."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.loading import find_versions, load, read_signature_defs
from serving.status import Code, RequestError, invalid
from serving.tensors import DeclaredTensor, names_at_fault
from tfrs_mm.errors import UserError
from tfrs_mm.signatures import DEFAULT


class Signature:
    """One function of a loaded model, from named arrays to named arrays."""

    def __init__(self, name: str, definition: Any, function: Any) -> None:
        self.name = name
        self.inputs = _declared(definition.inputs)
        self.outputs = _declared(definition.outputs)
        self._function = function

    def predict(
        self, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """The outputs, or those that `output_filter` names.

        Raises:
            RequestError: the inputs do not fit the signature, an output is unknown, or the model
                refused.
        """
        import tensorflow as tf

        faults = names_at_fault(inputs, self.inputs)
        if faults:
            raise invalid(f"signature '{self.name}': {faults}")
        for name, tensor in self.inputs.items():
            tensor.demand(inputs[name])
        wanted = list(output_filter) or list(self.outputs)
        for name in wanted:
            if name not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {name} Outputs expected to be in "
                    f"the set {{{','.join(self.outputs)}}}."
                )
        if len(set(wanted)) != len(wanted):
            raise invalid(f"duplicate output tensor alias in {', '.join(wanted)}")
        tensors = {
            name: tf.constant(inputs[name], tf.dtypes.as_dtype(tensor.dtype_number))
            for name, tensor in self.inputs.items()
        }
        try:
            results = self._function(**tensors)
        except tf.errors.OpError as error:
            raise RequestError(Code(error.error_code), _reason(error.message)) from error
        return {name: _array(results[name]) for name in wanted}


class ModelVersion:
    """One loaded SavedModel.

    Attributes:
        number: its version.
        signature_defs: every SignatureDef of the file by name, as the metadata request shows them.
    """

    def __init__(self, number: int, path: pathlib.Path) -> None:
        self.number = number
        self.signature_defs = read_signature_defs(path)
        # The loaded object owns the variables that the functions read.
        self._loaded = load(path)
        self._signatures = {
            name: Signature(name, self.signature_defs[name], function)
            for name, function in self._loaded.signatures.items()
        }

    @property
    def signature_names(self) -> list[str]:
        """What may be asked."""
        return sorted(self._signatures)

    def signature(self, name: str) -> Signature | None:
        """The signature called `name`, the default one for an empty name, or None."""
        return self._signatures.get(name or DEFAULT)


class ServedModel:
    """All loaded versions of one model under the name by which clients ask for it."""

    def __init__(
        self, name: str, model_dir: str | os.PathLike[str], versions: Sequence[int] = ()
    ) -> None:
        """Loads the model.

        Args:
            name: what clients call it.
            model_dir: holds the version folders.
            versions: which of them; all if empty.

        Raises:
            UserError: there is no model, not this version, or it cannot be loaded.
        """
        found = find_versions(model_dir)
        absent = sorted(set(versions) - set(found))
        if absent:
            raise UserError(f"{model_dir} has no version {absent}; it has {list(found)}.")
        self.name = name
        self.versions = {
            number: ModelVersion(number, path)
            for number, path in found.items()
            if not versions or number in versions
        }

    def version(self, number: int | None) -> ModelVersion:
        """The version `number`, or the highest.

        Raises:
            RequestError: it is not loaded.
        """
        if number is None:
            return self.versions[max(self.versions)]
        if number not in self.versions:
            raise RequestError(
                Code.NOT_FOUND, f"Servable not found for request: Specific({self.name}, {number})"
            )
        return self.versions[number]

    def demand_name(self, name: str, number: int | None) -> None:
        """Passes if `name` is this model's.

        Raises:
            RequestError: it is another's.
        """
        if name != self.name:
            asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise RequestError(Code.NOT_FOUND, f"Servable not found for request: {asked}")

    def available(self, name: str, number: int | None) -> list[int]:
        """The versions that a status request for `name` is answered with, in ascending order.

        Raises:
            RequestError: there is none.
        """
        if name != self.name:
            raise RequestError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        if number is None:
            return sorted(self.versions)
        if number not in self.versions:
            raise RequestError(Code.NOT_FOUND, f"Could not find version {number} of model {name}")
        return [number]


def _declared(tensor_infos: Mapping[str, Any]) -> dict[str, DeclaredTensor]:
    return {
        name: DeclaredTensor.from_tensor_info(name, tensor_infos[name])
        for name in sorted(tensor_infos)
    }


def _reason(message: str) -> str:
    """What an op said, without TensorFlow's account of where in the graph it stood."""
    said = message.rpartition("<stack traces unavailable>")[2].partition("[[{{node")[0]
    return " ".join(said.split()) or "the model refused the request"


def _array(tensor: Any) -> np.ndarray:
    """A tensor's array; TensorFlow gives a scalar string as bare bytes."""
    value = tensor.numpy()
    return value if isinstance(value, np.ndarray) else np.array(value, tensor.dtype.as_numpy_dtype)
