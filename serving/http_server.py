"""The HTTP server in front of `serving.rest`: a thread for each connection, and an orderly end."""

import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from serving.http_handler import RestHandler
from serving.models import ServedModel
from tfrs_mm.errors import UserError

logger = logging.getLogger("serving")

_POLL_S = 0.05


class RestServer(ThreadingHTTPServer):
    """Answers REST requests on a port of its own; `serve_forever` runs it, `stop` ends it.

    Attributes:
        model: what is served.
        max_request_bytes: the largest body.
        request_timeout_s: how long a request's body may take, and an idle connection may stay.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        model: ServedModel,
        host: str,
        port: int,
        max_request_bytes: int,
        request_timeout_s: float,
    ) -> None:
        self.model = model
        self.max_request_bytes, self.request_timeout_s = max_request_bytes, request_timeout_s
        self._connections: set[socket.socket] = set()
        self._in_flight = 0
        self._changed = threading.Condition()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), RestHandler)
        except OSError as error:
            raise UserError(
                f"REST cannot listen on {host} port {port}: {error.strerror or error}. "
                "Choose another --rest-port or --host; port 0 takes a free one."
            ) from error

    def server_bind(self) -> None:
        """Binds without asking the name service for the host's name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """A block that `stop` waits for."""
        self._count_in_flight(1)
        try:
            yield
        finally:
            self._count_in_flight(-1)

    def stop(self, grace_s: float) -> None:
        """Takes no more connections, lets running requests end for up to `grace_s`, closes all."""
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight == 0, timeout=grace_s)
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                logger.debug("a connection was closed already: %s", error)
        with self._changed:
            self._changed.wait_for(lambda: not self._connections, timeout=grace_s)

    def serve_forever(self, poll_interval: float = _POLL_S) -> None:
        """Accepts connections until `stop`."""
        super().serve_forever(poll_interval)

    def process_request(self, request: socket.socket, client_address: Any) -> None:
        """Starts the connection's thread."""
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        """Ends a connection."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server; anything else is logged."""
        gone = isinstance(sys.exc_info()[1], ConnectionError | TimeoutError)
        level = logging.DEBUG if gone else logging.ERROR
        logger.log(level, "the connection from %s ended early", client_address, exc_info=True)

    def _count_in_flight(self, change: int) -> None:
        with self._changed:
            self._in_flight += change
            self._changed.notify_all()
