"""TF Serving's gRPC services over a `ServedModel`: Predict, GetModelMetadata and GetModelStatus."""

import logging
from collections.abc import Callable
from concurrent import futures
from typing import Any, NoReturn, TypeVar

from serving.codec import array_from_proto, array_to_proto
from serving.models import ServedModel
from serving.status import Code, RequestError, invalid
from tfrs_mm import _runtime
from tfrs_mm.errors import UserError
from tfrs_mm.signatures import DEFAULT

grpc = _runtime.import_optional("grpc")
_apis = "tensorflow_serving.apis."
get_model_metadata_pb2 = _runtime.import_optional(_apis + "get_model_metadata_pb2")
get_model_status_pb2 = _runtime.import_optional(_apis + "get_model_status_pb2")
model_service_pb2_grpc = _runtime.import_optional(_apis + "model_service_pb2_grpc")
predict_pb2 = _runtime.import_optional(_apis + "predict_pb2")
prediction_service_pb2_grpc = _runtime.import_optional(_apis + "prediction_service_pb2_grpc")

logger = logging.getLogger("serving")

_SIGNATURE_DEF = "signature_def"
_THREADS = 8
Response = TypeVar("Response")


def start(model: ServedModel, host: str, port: int, max_request_bytes: int) -> tuple[Any, int]:
    """A running gRPC server and the port it listens on.

    Raises:
        UserError: the port cannot be had.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", max_request_bytes),
            # Otherwise a second server on the same port gets half of the requests, and no error.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(model), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(model), server)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise UserError(
            f"gRPC cannot listen on {host} port {port}: {error}. "
            "Choose another --grpc-port or --host; port 0 takes a free one."
        ) from error
    server.start()
    return server, bound


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; what the base class has besides answers UNIMPLEMENTED."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def Predict(self, request: Any, context: Any) -> Any:
        """Runs the signature that `model_spec` names."""
        return _answered(context, lambda: self._predict(request))

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """All SignatureDefs of a version."""
        return _answered(context, lambda: self._metadata(request))

    def _predict(self, request: Any) -> Any:
        number = _version_asked(self._model, request)
        version = self._model.version(number)
        signature = version.signature(request.model_spec.signature_name)
        name = request.model_spec.signature_name or DEFAULT
        if signature is None:
            raise RequestError(
                Code.FAILED_PRECONDITION,
                f'Serving signature key "{name}" not found; '
                f"there are {', '.join(version.signature_names)}.",
            )
        inputs = {
            name: array_from_proto(f"input '{name}'", proto)
            for name, proto in request.inputs.items()
        }
        outputs = signature.predict(inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = self._model.name
        response.model_spec.signature_name = name
        response.model_spec.version.value = version.number
        for output, array in outputs.items():
            response.outputs[output].CopyFrom(array_to_proto(array))
        return response

    def _metadata(self, request: Any) -> Any:
        number = _version_asked(self._model, request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid(f"Metadata field {field} is not supported; {_SIGNATURE_DEF} is.")
        version = self._model.version(number)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in version.signature_defs.items():
            signatures.signature_def[name].CopyFrom(definition)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = self._model.name
        response.model_spec.version.value = version.number
        response.metadata[_SIGNATURE_DEF].Pack(signatures)
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; reloading answers UNIMPLEMENTED."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        """The state of one version or of all."""
        return _answered(context, lambda: self._status(request))

    def _status(self, request: Any) -> Any:
        number = _number_in(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self._model.available(request.model_spec.name, number):
            status = response.model_version_status.add(version=version)
            status.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
            status.status.SetInParent()
        return response


def _answered(context: Any, work: Callable[[], Response]) -> Response:
    """Answers, or ends this one call with the error's code; a fault of our own is logged."""
    try:
        return work()
    except RequestError as error:
        _abort(context, error.code, error.message)
    except Exception:
        logger.exception("a gRPC call failed")
        _abort(context, Code.INTERNAL, "Internal error; the server's log says more.")


def _abort(context: Any, code: Code, message: str) -> NoReturn:
    context.abort(grpc.StatusCode[code.name], message)
    raise AssertionError("abort raises")


def _number_in(request: Any) -> int | None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    if spec.version_label:
        raise invalid(f"Unrecognized servable version label: {spec.version_label}")
    return spec.version.value if spec.HasField("version") else None


def _version_asked(model: ServedModel, request: Any) -> int | None:
    number = _number_in(request)
    model.demand_name(request.model_spec.name, number)
    return number
