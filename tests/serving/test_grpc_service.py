import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(toy_server):
    with grpc.insecure_channel(f"127.0.0.1:{toy_server.grpc_port}") as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(
    signature="", version=None, name="toy", output_filter=(), **inputs
) -> predict_pb2.PredictRequest:
    message = predict_pb2.PredictRequest(output_filter=output_filter)
    message.model_spec.name = name
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message


def refused(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), error.value.details()


def test_predict_answers_the_default_signature_of_the_newest_version(stub):
    empty = tf.zeros([1, 0], tf.string)
    response = stub.Predict(
        request(user_id=["u"], history_item_ids=[["b"]], exclude_item_ids=empty)
    )
    assert response.model_spec.name == "toy" and response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(response.outputs["item_ids"]).tolist() == [["ü1".encode(), b"c", b"d"]]
    # In the typed field, where clients in other languages look.
    assert list(response.outputs["scores"].float_val) == [40.0, 20.0, 10.0]


def test_predict_honours_version_signature_and_filter(stub):
    response = stub.Predict(request("similar_items", 1, output_filter=["scores"], item_id=["ü1"]))
    assert list(response.outputs) == ["scores"]
    assert list(response.outputs["scores"].float_val) == [3.0, 2.0, 1.0]
    assert response.model_spec.version.value == 1


def test_other_dtypes_and_scalars_travel(stub):
    mixed = request("mixed", whole=np.array([3], np.int32), flag=[True], scale=np.float32(0.5))
    outputs = stub.Predict(mixed).outputs
    assert list(outputs["flag"].bool_val) == [False] and list(outputs["whole"].int_val) == [3]
    assert tf.make_ndarray(outputs["scaled"]).tolist() == [1.5]
    assert tf.make_ndarray(outputs["scale"]).shape == ()


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (request(name="other"), "NOT_FOUND", "Latest(other)"),
        (request("half", 9), "NOT_FOUND", "Specific(toy, 9)"),
        (request("best"), "FAILED_PRECONDITION", 'signature key "best" not found'),
        (request(name=""), "INVALID_ARGUMENT", "no name"),
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (request("half"), "INVALID_ARGUMENT", "Missing named input: x"),
        (request("half", x=[[1.0, 2.0]], y=1), "INVALID_ARGUMENT", "Unknown input: y"),
        (
            request("half", x=[[1, 2]]),
            "INVALID_ARGUMENT",
            "'x' must be float [?,2], received int32 [1,2]",
        ),
        (request("half", x=[1.0, 2.0]), "INVALID_ARGUMENT", "received float [2]"),
        (request("half", x=["a"]), "INVALID_ARGUMENT", "received string [1]"),
        (
            request("half", x=[[1.0, 2.0]], output_filter=["z"]),
            "INVALID_ARGUMENT",
            "not found in signature",
        ),
        (
            request(user_id=["u"] * 2, history_item_ids=[["b"]], exclude_item_ids=[["b"]] * 2),
            "INVALID_ARGUMENT",
            "history must have one row a user",
        ),
    ],
)
def test_a_mistake_has_its_code_and_says_what_is_wrong(stub, message, code, words):
    found, details = refused(lambda: stub.Predict(message))
    assert found.name == code and words in details


def test_a_label_is_refused(stub):
    message = request("half", x=[[1.0, 2.0]])
    message.model_spec.version_label = "stable"
    assert refused(lambda: stub.Predict(message))[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_above_the_limit_is_refused_and_the_next_is_answered(stub):
    # The fixture takes 50,000 bytes; 2 * 10,000 floats are 80,000.
    large = request("half", x=np.zeros((10_000, 2), np.float32))
    assert refused(lambda: stub.Predict(large))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.Predict(request("half", x=[[1.0, 2.0]])).outputs["y"].float_val[0] == 0.5


def test_the_metadata_holds_the_signatures(stub):
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    message.model_spec.name = "toy"
    response = stub.GetModelMetadata(message)
    assert response.model_spec.version.value == 2
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert list(signatures.signature_def["similar_items"].inputs) == ["item_id"]
    for fields in ([], ["warmup"]):
        message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        message.model_spec.name = "toy"
        assert (
            refused(lambda m=message: stub.GetModelMetadata(m))[0]
            is grpc.StatusCode.INVALID_ARGUMENT
        )


def test_the_status_lists_versions(channel):
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = "toy"
    statuses = models.GetModelStatus(message).model_version_status
    assert [(status.version, status.state, status.status.error_code) for status in statuses] == [
        (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE, 0),
        (2, get_model_status_pb2.ModelVersionStatus.AVAILABLE, 0),
    ]
    message.model_spec.version.value = 9
    assert refused(lambda: models.GetModelStatus(message))[0] is grpc.StatusCode.NOT_FOUND


def test_what_is_not_served_says_so(stub):
    call = classification_pb2.ClassificationRequest()
    assert refused(lambda: stub.Classify(call))[0] is grpc.StatusCode.UNIMPLEMENTED


def test_threads_get_their_own_answers(stub):
    def halve(number: int) -> bool:
        outputs = stub.Predict(request("half", x=[[float(number), 2.0]])).outputs
        return list(outputs["y"].float_val) == [number / 2, 1.0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(halve, range(100)))
