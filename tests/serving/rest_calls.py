"""Requests to the REST port of a server of the tests, and its answers."""

import http.client
import json
import socket


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
