"""TF Serving's REST interface without HTTP's mechanics: path and body in, status and JSON out."""

import dataclasses
import json
import re
import urllib.parse
from typing import Any

from serving.models import ModelVersion, ServedModel, Signature
from serving.predict_json import parse_body, read_inputs, signature_name_of, write_outputs
from serving.status import Code, RequestError, invalid
from tfrs_mm.signatures import DEFAULT

_VERSION = r"(?:(?i:/versions)/(?P<version>[0-9]+)|(?i:/labels)/(?P<label>[^/:]+))?"
_MODEL = r"(?i:/v1/models)/(?P<name>[^/:]+)" + _VERSION
_POST = re.compile(_MODEL + r"(?i::(?P<verb>predict|classify|regress))")
_GET = re.compile(_MODEL + r"(?P<metadata>(?i:/metadata))?")
_LARGEST_VERSION = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Route:
    """What a path asks for.

    Attributes:
        method: the one HTTP method it takes.
        verb: "predict", "classify", "regress", "metadata" or "status".
        name: of the model.
        version: as written, or None.
        label: of a version, or None.
    """

    method: str
    verb: str
    name: str
    version: str | None
    label: str | None


def route(path: str) -> Route | None:
    """The route of a path with its query string removed; None if there is nothing."""
    for pattern, method in ((_POST, "POST"), (_GET, "GET")):
        match = pattern.fullmatch(path)
        if match:
            parts = match.groupdict()
            verb = (
                parts.get("verb") or ("metadata" if parts.get("metadata") else "status")
            ).lower()
            name, label = (
                part and urllib.parse.unquote(part) for part in (parts["name"], parts["label"])
            )
            return Route(method, verb, name, parts["version"], label)
    return None


def answer(model: ServedModel, asked: Route, body: bytes) -> dict[str, Any]:
    """The JSON object that answers a request.

    Raises:
        RequestError: it cannot be answered.
    """
    number = _version_of(asked)
    if asked.verb == "status":
        return _status(model, asked.name, number)
    if asked.verb == "metadata":
        model.demand_name(asked.name, number)
        return _metadata(model, model.version(number))
    if asked.verb != "predict":
        raise RequestError(Code.UNIMPLEMENTED, f":{asked.verb} is not served here; :predict is.")
    document = parse_body(body)
    signature_name = signature_name_of(document)
    model.demand_name(asked.name, number)
    signature = _signature(model.version(number), signature_name)
    inputs, form = read_inputs(document, signature.inputs)
    return write_outputs(signature.predict(inputs), form)


def to_bytes(value: dict[str, Any]) -> bytes:
    """JSON as UTF-8, with TF Serving's tokens NaN, Infinity and -Infinity where they occur."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8")


def _version_of(asked: Route) -> int | None:
    if asked.label is not None:
        raise invalid(f"Unrecognized servable version label: {asked.label}")
    if asked.version is None:
        return None
    # Compared by length first: a long enough number is slow to convert.
    if len(asked.version) > len(str(_LARGEST_VERSION)) or int(asked.version) > _LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {asked.version} to numeric.")
    return int(asked.version)


def _signature(version: ModelVersion, name: str) -> Signature:
    signature = version.signature(name)
    if signature is None:
        raise invalid(
            f'Serving signature name: "{name or DEFAULT}" not found in signature def; '
            f"there are {', '.join(version.signature_names)}."
        )
    return signature


def _status(model: ServedModel, name: str, number: int | None) -> dict[str, Any]:
    return {
        "model_version_status": [
            {
                "version": str(version),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for version in model.available(name, number)
        ]
    }


def _metadata(model: ServedModel, version: ModelVersion) -> dict[str, Any]:
    from google.protobuf import json_format

    signature_defs = {
        name: json_format.MessageToDict(
            definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for name, definition in version.signature_defs.items()
    }
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": {"signature_def": signature_defs}},
    }
