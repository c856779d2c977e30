import concurrent.futures
import http.server
import socket
import threading

import pytest

from serving.client import ClientError, Query, Recommendation, RecommenderClient
from serving.server import Server
from tfrs_mm.errors import UserError


@pytest.fixture(scope="module", params=["rest", "grpc"])
def url(request, toy_server):
    return toy_server.rest_url if request.param == "rest" else toy_server.grpc_url


@pytest.fixture(scope="module")
def client(url):
    with RecommenderClient(url, "toy") as client:
        yield client


class _Canned(http.server.BaseHTTPRequestHandler):
    """Answers every POST with the status and the bytes that the server was given."""

    def do_POST(self) -> None:
        answer = self.server.answer
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format, *values) -> None:
        pass


@pytest.fixture
def canned():
    with http.server.HTTPServer(("127.0.0.1", 0), _Canned) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_recommend_gives_ids_and_scores_best_first(client):
    # Version 2: ü1 40, b 30, c 20, d 10.
    expected = [Recommendation("ü1", 40.0), Recommendation("c", 20.0), Recommendation("d", 10.0)]
    assert client.recommend("u", history=["b"]) == expected
    assert client.recommend(history=("b",), k=2) == expected[:2]
    assert client.recommend(history=("b",), k=99) == expected
    assert client.retrieve(exclude=["b"]) == expected


def test_a_diversity_is_asked_for_by_query(client):
    assert client.recommend("u", k=1, diversity=0.25) == [Recommendation("ü1", 39.75)]
    assert client.recommend("u", k=1, diversity=0.0) == [Recommendation("ü1", 40.0)]
    queries = [Query(diversity=1), Query(history=["ü1"], diversity=0.5)]
    best = [row[0].score for row in client.recommend_many(queries)]
    assert best == [39.0, 29.5]


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_diversity_that_is_no_share_is_refused(client, value):
    with pytest.raises(ClientError, match=f"diversity must be from 0 to 1, received {value}"):
        client.recommend("u", diversity=value)


def test_one_request_has_a_diversity_for_all_or_for_none(client):
    with pytest.raises(ClientError, match="for all queries of one request or for none"):
        client.recommend_many([Query(diversity=0.5), Query()])


def test_empty_places_are_dropped(client):
    assert client.recommend(history=["ü1", "b"], exclude=["c"], version=1) == [
        Recommendation("d", 1.0)
    ]
    assert client.recommend(exclude=["ü1", "b", "c", "d"]) == []


def test_similar_items(client):
    assert client.similar_items("ü1", k=1, version=1) == [Recommendation("b", 3.0)]
    assert [row[0].item_id for row in client.similar_items_many(["ü1", "b"])] == ["b", "ü1"]


def test_many_queries_of_different_lengths_are_answered_as_each_alone(client):
    queries = [Query(), Query("u", ["ü1", "b"]), Query(history=["d"], exclude=["c", "b", "ü1"])]
    assert client.recommend_many(queries) == [
        client.recommend(query.user_id, query.history, query.exclude) for query in queries
    ]
    assert client.recommend_many([]) == []


def test_rest_and_grpc_agree(toy_server):
    queries = [
        Query(),
        Query("ключ", ["ü1"]),
        Query(history=["b", "c", "d"]),
        Query(exclude=["", "x"]),
    ]
    with RecommenderClient(toy_server.rest_url, "toy") as rest:
        with RecommenderClient(toy_server.grpc_url, "toy") as grpc:
            for query in queries:
                assert rest.recommend_many([query]) == grpc.recommend_many([query])
            assert rest.recommend_many(queries) == grpc.recommend_many(queries)


def test_one_client_may_be_used_by_several_threads(client):
    def first(number: int) -> str:
        return client.recommend(history=[["ü1"], ["x"]][number % 2], k=1)[0].item_id

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(first, range(40))) == ["b", "ü1"] * 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"version": 9}, "Specific(toy, 9)"),
        ({"signature": "best"}, '"best" not found'),
        ({"signature": "half"}, "Missing named input: x"),
        ({"k": 0}, "k must be at least 1, received 0"),
        ({"history": "a,b"}, "history must be a sequence of ids, received the string 'a,b'"),
        ({"exclude": [5]}, "exclude must hold strings, received 5"),
        ({"user_id": "\ud800"}, "user_id must hold Unicode"),
    ],
)
def test_a_refusal_is_a_client_error_with_the_reason(client, arguments, words):
    with pytest.raises(ClientError) as error:
        client.recommend(**arguments)
    assert words in str(error.value) and isinstance(error.value, UserError)


def test_an_unknown_model_is_named(url):
    with (
        RecommenderClient(url, "other") as client,
        pytest.raises(ClientError, match=r"Latest\(other\)"),
    ):
        client.recommend()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there_is_named(scheme):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with RecommenderClient(f"{scheme}://127.0.0.1:{port}") as client:
        with pytest.raises(ClientError, match=f"127.0.0.1:{port} cannot be reached"):
            client.recommend()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_says_nothing_is_given_up(scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        with RecommenderClient(url, timeout_s=0.3) as client:
            with pytest.raises(ClientError, match=r"no answer within 0\.3 s"):
                client.recommend()


@pytest.mark.parametrize(
    "url", ["", "localhost:8501", "ftp://x:1", "grpc://x", "http://x:99999", "http://"]
)
def test_a_url_of_another_form_is_refused(url):
    with pytest.raises(ClientError, match=r"URL"):
        RecommenderClient(url)


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (502, b"<html>Bad Gateway", "answered 502 with what is no JSON: <html>Bad Gateway"),
        (400, b'{ "error": "no" }', "answered 400: no"),
        (200, b'{"outputs": [[0.5]]}', "serves another kind of model"),
        (
            200,
            b'{"outputs": {"item_ids": [["a"]], "scores": [["b"]]}}',
            "output 'scores' must be float",
        ),
        (
            200,
            b'{"outputs": {"item_ids": [["a"], ["b"]], "scores": [[1.0], [2.0]]}}',
            "another kind",
        ),
    ],
)
def test_an_answer_of_another_form_is_a_client_error(canned, status, answer, words):
    canned.status, canned.answer = status, answer
    with RecommenderClient(f"http://127.0.0.1:{canned.server_port}") as client:
        with pytest.raises(ClientError) as error:
            client.recommend()
    assert words in str(error.value)


def test_tf_servings_long_float_is_read(canned):
    # So TF Serving writes the smallest float32; as a double it lies below it.
    canned.status = 200
    canned.answer = b'{"outputs": {"item_ids": [["a", ""]], "scores": [[1.0, -3.40282347e+38]]}}'
    with RecommenderClient(f"http://127.0.0.1:{canned.server_port}") as client:
        assert client.recommend() == [Recommendation("a", 1.0)]


def test_a_client_survives_a_restart_of_the_server(toy_model_dir):
    with Server(toy_model_dir, "toy", versions=[1]) as server:
        client, port = RecommenderClient(server.rest_url, "toy"), server.rest_port
        assert len(client.recommend()) == 3
    with Server(toy_model_dir, "toy", versions=[1], rest_port=port):
        assert len(client.recommend()) == 3
    client.close()


def test_a_model_in_this_process_answers_as_the_server_does(toy_server, toy_model_dir):
    with (
        RecommenderClient(toy_server.rest_url, toy_server.model.name) as rest,
        RecommenderClient.in_process(toy_model_dir) as here,
    ):
        assert here.recommend("u1", history=["i1"]) == rest.recommend("u1", history=["i1"])


def test_a_model_in_this_process_refuses_with_the_same_words(toy_model_dir):
    with (
        RecommenderClient.in_process(toy_model_dir) as here,
        pytest.raises(ClientError, match="no signature"),
    ):
        here.recommend("u1", signature="nothing")
