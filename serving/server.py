"""The local server: one model's versions over REST and gRPC, from one process.

`python -m serving.server --model-dir MODEL_DIR --model-name NAME` serves what `tfrs-mm export`
wrote. The versions are those in the folder at the start; nothing is reloaded. There is neither
encryption nor a password, so it listens on the loopback interface unless told otherwise.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from serving import DEFAULT_MODEL_NAME
from serving.http_server import RestServer
from serving.loading import find_versions
from serving.models import ServedModel
from tfrs_mm import _runtime
from tfrs_mm.errors import UserError

LOOPBACK = "127.0.0.1"
DEFAULT_REST_PORT = 8501
DEFAULT_GRPC_PORT = 8500
DEFAULT_MAX_REQUEST_BYTES = 16 * 2**20
DEFAULT_TIMEOUT_S = 30.0
_GRACE_S = 5.0
_HIGHEST_PORT = 65535


class Server:
    """A model being served; `with Server(...) as server:` starts and stops it."""

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        model_name: str = DEFAULT_MODEL_NAME,
        host: str = LOOPBACK,
        rest_port: int = 0,
        grpc_port: int = 0,
        versions: Sequence[int] = (),
        max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
        request_timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Loads the model; ports are opened by `start`.

        Args:
            model_dir: holds `<version>/saved_model.pb`.
            model_name: what clients call it.
            host: the address to listen on.
            rest_port: 0 takes a free one.
            grpc_port: 0 takes a free one.
            versions: which to load; all if empty. The highest loaded one is the default.
            max_request_bytes: the largest REST body and gRPC message taken.
            request_timeout_s: how long a REST body may take to arrive, and an idle connection to
                stay.

        Raises:
            UserError: there is no model, it cannot be loaded, an argument makes no sense, or the
                packages of the extra `serving` are missing.
        """
        _check(model_name, rest_port, grpc_port, max_request_bytes, request_timeout_s)
        find_versions(model_dir)
        for package in ("grpc", "tensorflow_serving"):
            try:
                _runtime.import_optional(package)
            except ImportError as error:
                raise UserError(str(error)) from error
        self.model = ServedModel(model_name, model_dir, versions)
        self._host = host
        self._asked_rest_port, self._asked_grpc_port = rest_port, grpc_port
        self._max_request_bytes, self._request_timeout_s = max_request_bytes, request_timeout_s
        self._rest: RestServer | None = None
        self._grpc: Any = None
        self._grpc_port = 0
        self._stopped = threading.Event()

    def start(self) -> "Server":
        """Opens both ports and answers in threads of its own.

        Raises:
            UserError: a port cannot be had; nothing listens then.
        """
        # Its message classes import TensorFlow, which a mistaken argument should not wait for.
        from serving import grpc_service

        if self._rest is not None:
            raise RuntimeError("the server was started already")
        rest = RestServer(
            self.model,
            self._host,
            self._asked_rest_port,
            self._max_request_bytes,
            self._request_timeout_s,
        )
        try:
            self._grpc, self._grpc_port = grpc_service.start(
                self.model, self._host, self._asked_grpc_port, self._max_request_bytes
            )
        except BaseException:
            rest.server_close()
            raise
        self._rest = rest
        threading.Thread(target=rest.serve_forever, name="rest", daemon=True).start()
        return self

    def stop(self) -> None:
        """Takes no more requests, lets running ones end within some seconds, closes both ports."""
        if self._rest is None or self._stopped.is_set():
            return
        grpc_stopped = self._grpc.stop(_GRACE_S)
        self._rest.stop(_GRACE_S)
        grpc_stopped.wait()
        self._stopped.set()

    def wait(self) -> None:
        """Returns once `stop` was called by another thread."""
        self._stopped.wait()

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def rest_port(self) -> int:
        """The port that REST listens on."""
        return self._started().server_port

    @property
    def grpc_port(self) -> int:
        """The port that gRPC listens on."""
        self._started()
        return self._grpc_port

    @property
    def rest_url(self) -> str:
        """What `RecommenderClient` takes to ask over REST."""
        return f"http://{self._address()}:{self.rest_port}"

    @property
    def grpc_url(self) -> str:
        """What `RecommenderClient` takes to ask over gRPC."""
        return f"grpc://{self._address()}:{self.grpc_port}"

    def _address(self) -> str:
        return f"[{self._host}]" if ":" in self._host else self._host

    def _started(self) -> RestServer:
        if self._rest is None:
            raise RuntimeError("the server has no ports before start()")
        return self._rest


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; the exit code is 2 for a user's mistake."""
    arguments = _parser().parse_args(argv)
    try:
        server = Server(
            arguments.model_dir,
            arguments.model_name,
            host=arguments.host,
            rest_port=arguments.rest_port,
            grpc_port=arguments.grpc_port,
            versions=getattr(arguments, "version", ()),
            max_request_bytes=arguments.max_request_bytes,
            request_timeout_s=arguments.request_timeout_s,
        ).start()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    numbers = ", ".join(str(number) for number in server.model.versions)
    print(
        f"Serving {server.model.name} (versions: {numbers}): "
        f"REST {server.rest_url}/v1/models/{server.model.name}, gRPC {server.grpc_url}",
        flush=True,
    )
    asked_to_stop.wait()
    server.stop()
    return 0


def _check(
    model_name: str,
    rest_port: int,
    grpc_port: int,
    max_request_bytes: int,
    request_timeout_s: float,
) -> None:
    if not model_name or any(sign in model_name for sign in "/:"):
        raise UserError(
            f"--model-name must be a name without '/' and ':', received {model_name!r}."
        )
    for flag, port in (("--rest-port", rest_port), ("--grpc-port", grpc_port)):
        if not 0 <= port <= _HIGHEST_PORT:
            raise UserError(
                f"{flag} must be from 0 (any free one) to {_HIGHEST_PORT}, received {port}."
            )
    if rest_port == grpc_port != 0:
        raise UserError(f"--rest-port and --grpc-port must differ, received {rest_port} for both.")
    if max_request_bytes < 1:
        raise UserError(f"--max-request-bytes must be at least 1, received {max_request_bytes}.")
    if not request_timeout_s > 0:
        raise UserError(f"--request-timeout-s must be above 0, received {request_timeout_s}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        description="Serves a SavedModel over TF Serving's REST and gRPC interfaces.",
        epilog="example: python -m serving.server --model-dir MODEL_DIR --rest-port 0",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--model-dir",
        required=True,
        default=argparse.SUPPRESS,
        help="holds <version>/saved_model.pb",
    )
    parser.add_argument(
        "--model-name", default=DEFAULT_MODEL_NAME, help="what clients call the model"
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on")
    parser.add_argument(
        "--rest-port", type=int, default=DEFAULT_REST_PORT, help="0 takes a free one"
    )
    parser.add_argument(
        "--grpc-port", type=int, default=DEFAULT_GRPC_PORT, help="0 takes a free one"
    )
    parser.add_argument(
        "--version",
        type=int,
        action="append",
        default=argparse.SUPPRESS,
        help="load only this version; may be repeated; all if not given",
    )
    parser.add_argument(
        "--max-request-bytes",
        type=int,
        default=DEFAULT_MAX_REQUEST_BYTES,
        help="largest request taken",
    )
    parser.add_argument(
        "--request-timeout-s",
        type=float,
        default=DEFAULT_TIMEOUT_S,
        help="seconds a body may take to arrive",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
