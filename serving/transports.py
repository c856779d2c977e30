"""How the client reaches a server: one request over REST or gRPC, to this project's or to TF
Serving.

A transport takes the input arrays of a signature and returns its output arrays; whatever goes wrong
on the way ends as a `ClientError` with the server's own words where there are any.
"""

import http.client
import json
import queue
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from serving.codec import array_from_json, array_from_proto, array_to_json, array_to_proto
from serving.status import RequestError
from serving.tensors import DeclaredTensor
from tfrs_mm import _runtime
from tfrs_mm.errors import UserError

_LONGEST_QUOTE = 300


class ClientError(UserError):
    """The server could not be reached, or refused; the text says which and why."""


class Transport(Protocol):
    """One way to a server."""

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[DeclaredTensor],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        """The output arrays of one call of `signature`; `outputs` says what to expect."""

    def close(self) -> None:
        """Closes its connections."""


def connect(url: str, model_name: str, timeout_s: float) -> Transport:
    """The transport that the URL's scheme names; nothing is sent yet.

    Raises:
        ClientError: the URL is neither `http://host:port`, `https://...` nor `grpc://host:port`.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ClientError(f"the URL {url!r} is not valid: {error}.") from error
    if (
        parts.scheme not in ("http", "https", "grpc")
        or not host
        or (parts.scheme == "grpc" and port is None)
    ):
        raise ClientError(
            f"the URL must be http://host:port (REST) or grpc://host:port (gRPC), received {url!r}."
        )
    if parts.scheme == "grpc":
        return GrpcTransport(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}", model_name, timeout_s
        )
    return RestTransport(
        parts.scheme == "https", host, port, parts.path.rstrip("/"), model_name, timeout_s
    )


class RestTransport:
    """JSON by column over HTTP; connections are kept and may be used from several threads."""

    def __init__(
        self,
        encrypted: bool,
        host: str,
        port: int | None,
        path: str,
        model_name: str,
        timeout_s: float,
    ) -> None:
        self._connection_class = (
            http.client.HTTPSConnection if encrypted else http.client.HTTPConnection
        )
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._address = f"{host}:{port}" if port is not None else host
        self._path = f"{path}/v1/models/{urllib.parse.quote(model_name, safe='')}"
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[DeclaredTensor],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        """See `Transport`."""
        try:
            columns = {name: array_to_json(array, name) for name, array in inputs.items()}
        except RequestError as error:
            raise ClientError(error.message) from error
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode("ascii")
        path = self._path + (f"/versions/{version}" if version is not None else "") + ":predict"
        status, answer = self._post(path, body)
        return self._outputs(status, answer, outputs)

    def close(self) -> None:
        """See `Transport`."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            connection, kept = self._idle.get_nowait(), True
        except queue.Empty:
            connection, kept = (
                self._connection_class(self._host, self._port, timeout=self._timeout_s),
                False,
            )
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            result = response.status, response.read()
        except (ConnectionError, http.client.BadStatusLine) as error:
            connection.close()
            if kept:
                # The server may close an idle connection at any time; a new one tells whether it is
                # there.
                return self._post(path, body)
            raise ClientError(
                f"the server at {self._address} cannot be reached: {error}."
            ) from error
        except TimeoutError as error:
            connection.close()
            raise _too_late(self._address, self._timeout_s) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ClientError(f"the server at {self._address} cannot be asked: {error}.") from error
        self._idle.put(connection)
        return result

    def _outputs(
        self, status: int, answer: bytes, outputs: Sequence[DeclaredTensor]
    ) -> dict[str, np.ndarray]:
        quoted = answer[:_LONGEST_QUOTE].decode("utf-8", errors="replace")
        try:
            document = json.loads(answer)
        except ValueError as error:
            raise ClientError(
                f"{self._address} answered {status} with what is no JSON: {quoted}"
            ) from error
        if status != http.HTTPStatus.OK:
            reason = document.get("error") if isinstance(document, dict) else None
            raise ClientError(f"{self._address} answered {status}: {reason or quoted}")
        columns: Any = document.get("outputs") if isinstance(document, dict) else None
        if len(outputs) == 1:
            columns = {outputs[0].name: columns}
        if not isinstance(columns, dict) or any(output.name not in columns for output in outputs):
            raise ClientError(
                f"{self._address} answered without {[output.name for output in outputs]}, so it "
                f"serves another kind of model: {quoted}"
            )
        try:
            return {
                output.name: array_from_json(columns[output.name], output) for output in outputs
            }
        except RequestError as error:
            raise ClientError(
                f"{self._address} answered what does not fit: {error.message}"
            ) from error


class GrpcTransport:
    """PredictionService.Predict over an unencrypted channel."""

    def __init__(self, address: str, model_name: str, timeout_s: float) -> None:
        try:
            self._grpc = _runtime.import_optional("grpc")
            self._messages = _runtime.import_optional("tensorflow_serving.apis.predict_pb2")
            services = _runtime.import_optional(
                "tensorflow_serving.apis.prediction_service_pb2_grpc"
            )
        except ImportError as error:
            raise ClientError(str(error)) from error
        self._address, self._model_name, self._timeout_s = address, model_name, timeout_s
        self._channel = self._grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", -1)]
        )
        self._stub = services.PredictionServiceStub(self._channel)

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[DeclaredTensor],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        """See `Transport`."""
        request = self._messages.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(array_to_proto(array))
        try:
            response = self._stub.Predict(request, timeout=self._timeout_s)
        except self._grpc.RpcError as error:
            raise self._refusal(error) from error
        missing = [output.name for output in outputs if output.name not in response.outputs]
        if missing:
            raise ClientError(
                f"{self._address} answered without {missing}, so it serves another kind of model."
            )
        try:
            arrays = {
                output.name: array_from_proto(output.label, response.outputs[output.name])
                for output in outputs
            }
            for output in outputs:
                output.demand(arrays[output.name])
        except RequestError as error:
            raise ClientError(
                f"{self._address} answered what does not fit: {error.message}"
            ) from error
        return arrays

    def close(self) -> None:
        """See `Transport`."""
        self._channel.close()

    def _refusal(self, error: Any) -> ClientError:
        code, codes = error.code(), self._grpc.StatusCode
        if code is codes.UNAVAILABLE:
            return ClientError(
                f"the server at {self._address} cannot be reached: {error.details()}."
            )
        if code is codes.DEADLINE_EXCEEDED:
            return _too_late(self._address, self._timeout_s)
        return ClientError(f"{self._address} answered {code.name}: {error.details()}")


def _too_late(address: str, timeout_s: float) -> ClientError:
    return ClientError(f"the server at {address} gave no answer within {timeout_s} s.")
