import base64
import concurrent.futures
import http.client
import json
import socket

import pytest


def ask(server, method: str, path: str, body: bytes | str | None = None, **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=10)
    connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert response.headers["Content-Type"] == "application/json"
    return response.status, json.loads(text) if text else None


def predict(server, document, path: str = "/v1/models/toy:predict"):
    return ask(
        server, "POST", path, document if isinstance(document, str) else json.dumps(document)
    )


def raw(server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=10) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_rows_in_rows_out(toy_server):
    rows = [
        {"user_id": "u", "history_item_ids": ["b"], "exclude_item_ids": []},
        {"user_id": "", "history_item_ids": ["ü1"], "exclude_item_ids": []},
    ]
    # Version 2: ü1 40, b 30, c 20, d 10.
    assert predict(toy_server, {"signature_name": "recommend", "instances": rows}) == (
        200,
        {
            "predictions": [
                {"item_ids": ["ü1", "c", "d"], "scores": [40.0, 20.0, 10.0]},
                {"item_ids": ["b", "c", "d"], "scores": [30.0, 20.0, 10.0]},
            ]
        },
    )


def test_columns_in_columns_out_and_no_signature_means_the_default(toy_server):
    inputs = {
        "user_id": ["u", ""],
        "history_item_ids": [["b", "c"], ["", "d"]],
        "exclude_item_ids": [["ü1"], [""]],
    }
    assert predict(toy_server, {"inputs": inputs}, "/v1/models/toy/versions/1:predict") == (
        200,
        {
            "outputs": {
                "item_ids": [["d", "", ""], ["ü1", "b", "c"]],
                "scores": [[1.0, -3.4028235e38, -3.4028235e38], [4.0, 3.0, 2.0]],
            }
        },
    )


def test_one_input_and_one_output_travel_without_their_names(toy_server):
    half = {"signature_name": "half"}
    assert predict(toy_server, half | {"instances": [[1, 2.5]]}) == (
        200,
        {"predictions": [[0.5, 1.25]]},
    )
    assert predict(toy_server, half | {"instances": [{"x": [1, 2]}]}) == (
        200,
        {"predictions": [[0.5, 1.0]]},
    )
    assert predict(toy_server, half | {"inputs": [[1, 2]]}) == (200, {"outputs": [[0.5, 1.0]]})
    assert predict(toy_server, half | {"inputs": {"x": [[1, 2]]}}) == (
        200,
        {"outputs": [[0.5, 1.0]]},
    )


def test_bytes_travel_as_base64(toy_server):
    sent, expected = b"\x00\xfe", base64.b64encode(b"\x00\xfe\xff").decode()
    value = {"b64": base64.b64encode(sent).decode()}
    for form, answer in (("instances", "predictions"), ("inputs", "outputs")):
        assert predict(toy_server, {"signature_name": "reverse", form: [value]}) == (
            200,
            {answer: [{"b64": expected}]},
        )


def test_nan_and_infinity_are_taken_and_given_as_tokens(toy_server):
    body = '{"signature_name": "half", "instances": [[NaN, -Infinity]]}'
    status, answer = predict(toy_server, body)
    assert status == 200 and str(answer["predictions"]) == "[[nan, -inf]]"


def test_scalars_go_by_column_only(toy_server):
    inputs = {"whole": [3, -4], "flag": [True, False], "scale": 0.5}
    status, answer = predict(toy_server, {"signature_name": "mixed", "inputs": inputs})
    assert status == 200
    # 3 * 0.5 and -4 * 0.5
    assert answer["outputs"] == {
        "whole": [3, -4],
        "flag": [False, True],
        "scaled": [1.5, -2.0],
        "scale": 0.5,
    }
    rows = [{"whole": 3, "flag": True, "scale": 0.1}]
    status, answer = predict(toy_server, {"signature_name": "mixed", "instances": rows})
    assert (
        status == 400
        and "input 'scale' must be float [], received values of shape [1]" in answer["error"]
    )


def test_status_has_tf_servings_form(toy_server):
    def entry(version: str):
        status = {"error_code": "OK", "error_message": ""}
        return {"version": version, "state": "AVAILABLE", "status": status}

    both, first = [entry("1"), entry("2")], [entry("1")]
    assert ask(toy_server, "GET", "/v1/models/toy") == (200, {"model_version_status": both})
    assert ask(toy_server, "GET", "/v1/models/toy/versions/1?x=y") == (
        200,
        {"model_version_status": first},
    )


def test_metadata_shows_the_signatures(toy_server):
    status, answer = ask(toy_server, "GET", "/v1/models/toy/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "toy", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["half"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    x = signature["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert x["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
        "unknown_rank": False,
    }
    assert (
        ask(toy_server, "GET", "/v1/models/toy/versions/1/metadata")[1]["model_spec"]["version"]
        == "1"
    )


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "JSON Parse error"),
        ("{", "JSON Parse error"),
        ("[" * 5000, "JSON Parse error: nested too deeply"),
        ("[1]", "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": {}, "instances": []}, "only one of 'inputs' or 'instances'"),
        ({"instances": []}, "No values in 'instances'"),
        ({"instances": {}}, "expecting 'instances' to be a list"),
        ({"instances": ["u"]}, "list of objects"),
        ({"inputs": ["u"]}, "expecting an object"),
        (
            {"inputs": {"user_id": ["u"]}},
            "Missing named input: exclude_item_ids, history_item_ids.",
        ),
        ({"instances": [{"user_id": "u"}]}, "element 0 of 'instances': Missing named input"),
        ({"signature_name": "half", "inputs": {"x": [[1, 2]], "y": 1}}, "Unknown input: y."),
        ({"signature_name": "half", "instances": [{"x": [1, 2]}, [1, 2]]}, "at item 1"),
        ({"signature_name": "half", "instances": [[1, 2], {"x": [1, 2]}]}, "at item 1"),
        ({"signature_name": "half", "instances": [[1, 2, 3]]}, "input 'x' must be float [?,2]"),
        ({"signature_name": "half", "instances": [["a", 2]]}, 'received the string "a" at [0,0]'),
        ({"signature_name": "half", "instances": [[1, 2], [1]]}, "ragged"),
        ({"signature_name": 5, "instances": [[1, 2]]}, "must be a string"),
        (
            {"signature_name": "best", "instances": [[1, 2]]},
            'name: "best" not found in signature def',
        ),
        (
            {"inputs": {"user_id": [], "history_item_ids": [], "exclude_item_ids": []}},
            "input 'exclude_item_ids' must be string [?,?], received values of shape [0]",
        ),
        (
            {
                "inputs": {
                    "user_id": ["u", "v"],
                    "history_item_ids": [["b"]],
                    "exclude_item_ids": [[]],
                }
            },
            "history must have one row a user",
        ),
    ],
)
def test_a_malformed_request_is_400_and_says_why(toy_server, document, words):
    status, answer = predict(toy_server, document)
    assert status == 400 and list(answer) == ["error"] and words in answer["error"]


def test_a_body_that_is_no_text_is_400(toy_server):
    assert ask(toy_server, "POST", "/v1/models/toy:predict", b"\xff\xfe{")[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v1/models/toy/versions/9:predict", 404),
        ("POST", "/v1/models/toy/versions/99999999999999999999:predict", 400),
        ("POST", "/v1/models/toy/labels/stable:predict", 400),
        ("POST", "/v1/models/toy:classify", 501),
        ("POST", "/v1/models/toy/version/1:predict", 404),
        ("POST", "/v1/models/toy:guess", 404),
        ("GET", "/v1/models/other", 404),
        ("GET", "/v1/models/other/metadata", 404),
        ("GET", "/v1/models/toy/versions/9", 404),
        ("GET", "/v1/models/toy/versions/9/metadata", 404),
        ("GET", "/", 404),
        ("GET", "/v1/models/toy:predict", 405),
        ("POST", "/v1/models/toy", 405),
        ("PUT", "/v1/models/toy:predict", 405),
        ("HEAD", "/v1/models/toy", 405),
    ],
)
def test_what_is_not_there_has_its_own_status(toy_server, method, path, expected):
    body = (
        '{"signature_name": "half", "instances": [[1, 2]]}' if method in ("POST", "PUT") else None
    )
    status, answer = ask(toy_server, method, path, body)
    assert status == expected
    assert answer is None if method == "HEAD" else list(answer) == ["error"]


def test_the_model_is_named_in_a_404(toy_server):
    body = {"instances": [1]}
    assert predict(toy_server, body, "/v1/models/other:predict")[1] == {
        "error": "Servable not found for request: Latest(other)"
    }
    assert predict(toy_server, body, "/v1/models/toy/versions/9:predict")[1] == {
        "error": "Servable not found for request: Specific(toy, 9)"
    }


def test_the_path_may_be_percent_encoded_and_its_fixed_words_in_any_case(toy_server):
    assert ask(toy_server, "GET", "/V1/Models/t%6Fy")[0] == 200


@pytest.mark.parametrize("expect", [{}, {"Expect": "100-continue"}])
def test_a_body_above_the_limit_is_413(toy_server, expect):
    # The fixture takes 50,000 bytes; the client sends all of 5 MB before it reads the answer.
    status, answer = ask(toy_server, "POST", "/v1/models/toy:predict", b" " * 5_000_000, **expect)
    assert status == 413 and "at most 50000" in answer["error"]


def test_a_body_needs_a_length(toy_server):
    head = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert raw(toy_server, head + b"\r\n").startswith(b"HTTP/1.1 411 ")
    assert raw(toy_server, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").startswith(
        b"HTTP/1.1 411 "
    )
    assert raw(toy_server, head + b"Content-Length: -5\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_body_that_does_not_come_is_408(toy_server):
    # The fixture waits 2 s.
    head = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
    answer = raw(toy_server, head)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"Only 1 of 10 bytes" in answer


BROKEN = [b"nonsense", b"BREW / HTTP/1.1", b"GET / HTTP/9.9", b"GET /" + b"a" * 70_000]


@pytest.mark.parametrize("line", BROKEN, ids=["no_method", "method", "protocol", "length"])
def test_a_broken_request_is_answered_with_json_and_the_server_lives(toy_server, line):
    head, _, body = raw(toy_server, line + b"\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 414 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 "))
    assert list(json.loads(body)) == ["error"]
    assert ask(toy_server, "GET", "/v1/models/toy")[0] == 200


def test_a_client_that_goes_away_leaves_the_server_alive(toy_server):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", toy_server.rest_port)) as connection:
            connection.sendall(
                b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"
            )
    assert ask(toy_server, "GET", "/v1/models/toy")[0] == 200


def test_one_connection_takes_many_requests_after_errors_too(toy_server):
    connection = http.client.HTTPConnection("127.0.0.1", toy_server.rest_port, timeout=10)
    connection.connect()
    own_port = connection.sock.getsockname()
    for path, expected in (
        ("/v1/models/toy", 200),
        ("/nowhere", 404),
        ("/v1/models/toy:predict", 405),
    ):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == expected and connection.sock.getsockname() == own_port
    connection.close()


def test_threads_get_their_own_answers(toy_server):
    def halve(number: int) -> bool:
        body = {"signature_name": "half", "instances": [[number, 2 * number]]}
        return predict(toy_server, body) == (200, {"predictions": [[number / 2, number]]})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(halve, range(100)))
