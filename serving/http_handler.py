"""One HTTP connection in front of `serving.rest`: limits of size and time, errors always JSON."""

import logging
import re
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from serving import rest
from serving.status import RequestError

if TYPE_CHECKING:
    from serving.http_server import RestServer

logger = logging.getLogger("serving")

_LINGER_S = (
    2.0  # how long a refused body is read and thrown away, so that the sender sees the refusal
)
_CHUNK_BYTES = 1 << 16


class _Refused(Exception):
    """A request that is answered with an error before `serving.rest` sees it."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class RestHandler(BaseHTTPRequestHandler):
    """One connection; the base class calls `do_<METHOD>` for every request on it."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "tfrs-mm", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet
    server: "RestServer"

    @property
    def timeout(self) -> float:
        """Seconds that one read or write may take; an idle connection is closed after as many."""
        return self.server.request_timeout_s

    def do_POST(self) -> None:
        """Answers any request; the method is checked against the path."""
        with self.server.answering():
            try:
                asked = self._route()
                body = self._read_body() if asked.method == "POST" else b""
                self._reply(HTTPStatus.OK, rest.answer(self.server.model, asked, body))
            except RequestError as error:
                self._reply(error.code.http_status, {"error": error.message})
            except _Refused as refusal:
                if self._has_body():
                    self._refuse(refusal)
                else:
                    self._reply(refusal.status, {"error": refusal.message}, refusal.headers)
            except (ConnectionError, TimeoutError):
                raise
            except Exception:
                logger.exception("%s %s failed", self.command, self.path)
                self._reply(500, {"error": "Internal error; the server's log says more."})

    do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST

    def handle_expect_100(self) -> bool:
        """Refuses a body by its announced size, before the client sends it."""
        try:
            self._body_size()
        except _Refused as refusal:
            self._refuse(refusal)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses by itself: a broken request line, too many headers."""
        self.request_version = self.protocol_version  # unknown where the request line is broken
        self._refuse(_Refused(HTTPStatus(code), message or HTTPStatus(code).phrase))

    def log_message(self, format: str, *values: Any) -> None:
        """No line for each request."""
        logger.debug(format, *values)

    def _route(self) -> rest.Route:
        path = self.path.split("?", 1)[0]
        asked = rest.route(path)
        if asked is None:
            raise _Refused(HTTPStatus.NOT_FOUND, f"Malformed request: {self.command} {path}")
        if self.command != asked.method:
            raise _Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"Malformed request: {self.command} {path}. This path takes {asked.method}.",
                Allow=asked.method,
            )
        if asked.method == "GET" and self._has_body():
            raise _Refused(HTTPStatus.BAD_REQUEST, "GET takes no body.")
        return asked

    def _has_body(self) -> bool:
        return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"

    def _body_size(self) -> int:
        announced = self.headers.get("Content-Length")
        if announced is None or "Transfer-Encoding" in self.headers:
            raise _Refused(
                HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length, and no Transfer-Encoding."
            )
        if not re.fullmatch("[0-9]{1,18}", announced):
            raise _Refused(
                HTTPStatus.BAD_REQUEST, f"Content-Length must be digits, received {announced!r}."
            )
        size, limit = int(announced), self.server.max_request_bytes
        if size > limit:
            raise _Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The body has {size} bytes, but at most {limit} are taken. Send smaller batches.",
            )
        return size

    def _read_body(self) -> bytes:
        size = self._body_size()
        deadline = time.monotonic() + self.server.request_timeout_s
        parts, missing = [], size
        while missing:
            if time.monotonic() > deadline:
                raise _late(size, missing)
            try:
                part = self.rfile.read1(min(missing, _CHUNK_BYTES))
            except TimeoutError as error:
                raise _late(size, missing) from error
            if not part:
                raise ConnectionError("the client closed the connection within the body")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _reply(
        self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        body = rest.to_bytes(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _refuse(self, refusal: _Refused) -> None:
        """Replies and closes: the body was not read, so what follows has no meaning."""
        self.close_connection = True
        self._reply(
            refusal.status, {"error": refusal.message}, {**refusal.headers, "Connection": "close"}
        )
        deadline = time.monotonic() + _LINGER_S
        try:
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_S)
            while time.monotonic() < deadline and self.connection.recv(_CHUNK_BYTES):
                pass
        except OSError as error:
            logger.debug("the sender of a refused body went away: %s", error)


def _late(size: int, missing: int) -> _Refused:
    return _Refused(
        HTTPStatus.REQUEST_TIMEOUT, f"Only {size - missing} of {size} bytes came in time."
    )
