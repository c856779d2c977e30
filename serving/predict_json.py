"""The bodies of `:predict`: requests and answers by row ("instances") or by column ("inputs").

The rules are TF Serving's: a signature with one input takes its value bare, one output is answered
bare; with several, rows are objects and columns are one object. Two things are stricter: a column
request with a name that the signature does not have is refused, as a row request is, and all
missing names are listed at once.
"""

import enum
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.codec import BASE64_KEY, array_from_json, array_to_json
from serving.status import RequestError, invalid
from serving.tensors import DeclaredTensor, names_at_fault

_SIGNATURE, _ROWS, _COLUMNS = "signature_name", "instances", "inputs"


class Form(enum.Enum):
    """How a request lists its tensors; the value is the key of its answer."""

    ROW = "predictions"
    COLUMN = "outputs"


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        RequestError: it is no JSON, or no object.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except RecursionError as error:
        raise invalid("JSON Parse error: nested too deeply.") from error
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {str(document)[:60]} Is not object")
    return document


def signature_name_of(document: Mapping[str, Any]) -> str:
    """The signature that a request asks for, or an empty string.

    Raises:
        RequestError: it is not a string.
    """
    name = document.get(_SIGNATURE, "")
    if not isinstance(name, str):
        raise invalid(
            f"'{_SIGNATURE}' key must be a string value, received {json.dumps(name)[:60]}."
        )
    return name


def read_inputs(
    document: Mapping[str, Any], declared: Mapping[str, DeclaredTensor]
) -> tuple[dict[str, np.ndarray], Form]:
    """The input arrays of a request and the form they came in.

    Raises:
        RequestError: names what is missing, unknown, ragged or of the wrong type.
    """
    if (_ROWS in document) == (_COLUMNS in document):
        if _ROWS in document:
            raise invalid(
                f"expecting only one of '{_COLUMNS}' or '{_ROWS}' keys to exist, received both."
            )
        raise invalid(f"Missing '{_COLUMNS}' or '{_ROWS}' key")
    if _ROWS in document:
        columns, form = _columns_of_rows(document[_ROWS], declared), Form.ROW
    else:
        columns, form = _columns(document[_COLUMNS], declared), Form.COLUMN
    return {name: array_from_json(columns[name], tensor) for name, tensor in declared.items()}, form


def write_outputs(outputs: Mapping[str, np.ndarray], form: Form) -> dict[str, Any]:
    """The answer to a request of this form, for `json.dumps`.

    Raises:
        RequestError: outputs that have no common batch cannot be listed by row.
    """
    if form is Form.ROW:
        _demand_one_batch(outputs)
    plain = {name: array_to_json(array, name) for name, array in outputs.items()}
    if len(plain) == 1:
        (value,) = plain.values()
        return {form.value: value}
    if form is Form.COLUMN:
        return {form.value: plain}
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    return {form.value: rows}


def _columns(value: Any, declared: Mapping[str, DeclaredTensor]) -> dict[str, Any]:
    if _is_object(value):
        _demand_names(value, declared, f"'{_COLUMNS}'")
        return value
    if len(declared) != 1:
        raise invalid(
            f"'{_COLUMNS}' is a plain value/list, but expecting an object as multiple input "
            f"tensors are required: {', '.join(declared)}."
        )
    return dict.fromkeys(declared, value)


def _columns_of_rows(rows: Any, declared: Mapping[str, DeclaredTensor]) -> dict[str, list[Any]]:
    if not isinstance(rows, list):
        raise invalid(f"expecting '{_ROWS}' to be a list/array.")
    if not rows:
        raise invalid(f"No values in '{_ROWS}' array.")
    if not _is_object(rows[0]):
        if len(declared) != 1:
            raise invalid(
                f"'{_ROWS}' is a plain list, but expecting a list of objects as multiple input "
                f"tensors are required: {', '.join(declared)}."
            )
        for index, row in enumerate(rows):
            if _is_object(row):
                raise invalid(
                    f"Expecting value/list but got object at item {index} of '{_ROWS}' list."
                )
        return dict.fromkeys(declared, rows)
    for index, row in enumerate(rows):
        if not _is_object(row):
            raise invalid(f"Expecting object but got value/list at item {index} of '{_ROWS}' list.")
        _demand_names(row, declared, f"element {index} of '{_ROWS}'")
    return {name: [row[name] for row in rows] for name in declared}


def _is_object(value: Any) -> bool:
    """Whether it maps names to tensors; `{"b64": text}` is a value."""
    return isinstance(value, dict) and not (
        list(value) == [BASE64_KEY] and isinstance(value[BASE64_KEY], str)
    )


def _demand_names(
    given: Mapping[str, Any], declared: Mapping[str, DeclaredTensor], where: str
) -> None:
    faults = names_at_fault(given, declared)
    if faults:
        raise invalid(f"{where}: {faults}")


def _demand_one_batch(outputs: Mapping[str, np.ndarray]) -> None:
    sizes = {}
    for name, array in outputs.items():
        if array.ndim == 0:
            raise _by_column_only(f"Tensor name: {name} has no shape information")
        sizes[name] = array.shape[0]
    if len(set(sizes.values())) > 1:
        raise _by_column_only(f"Tensors have inconsistent batch sizes: {sizes}")


def _by_column_only(reason: str) -> RequestError:
    return invalid(f"{reason}. Ask by column, with '{_COLUMNS}' in place of '{_ROWS}'.")
