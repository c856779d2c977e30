"""What the REST port does with requests that are no requests, and with many at a time."""

import concurrent.futures
import http.client
import json
import socket

import pytest
from rest_calls import ask, predict, raw


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
