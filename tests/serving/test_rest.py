import base64

import pytest
from rest_calls import ask, predict


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
