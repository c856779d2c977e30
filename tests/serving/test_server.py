import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from serving.client import RecommenderClient
from serving.server import Server, main
from tfrs_mm.errors import UserError


def test_free_ports_are_chosen_and_reported(toy_server):
    assert 0 != toy_server.rest_port != toy_server.grpc_port != 0
    assert toy_server.rest_url == f"http://127.0.0.1:{toy_server.rest_port}"
    assert toy_server.grpc_url == f"grpc://127.0.0.1:{toy_server.grpc_port}"


def test_only_the_loopback_interface_listens_by_default(toy_server):
    # 127.0.0.2 is another address of the loopback interface: a server on all addresses would
    # answer.
    for port in (toy_server.rest_port, toy_server.grpc_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)


@pytest.mark.parametrize("which", ["rest_port", "grpc_port"])
def test_a_port_in_use_is_a_users_mistake_and_nothing_listens_then(
    toy_model_dir, toy_server, which
):
    server = Server(toy_model_dir, "toy", versions=[1], **{which: getattr(toy_server, which)})
    with pytest.raises(UserError, match=f"--{which.replace('_', '-')}"):
        server.start()
    with pytest.raises(RuntimeError, match="no ports before start"):
        _ = server.rest_port


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model_name": "a/b"}, "--model-name"),
        ({"rest_port": 70000}, "--rest-port must be from 0"),
        ({"rest_port": 8501, "grpc_port": 8501}, "must differ"),
        ({"max_request_bytes": 0}, "--max-request-bytes"),
        ({"request_timeout_s": 0}, "--request-timeout-s"),
    ],
)
def test_arguments_that_make_no_sense_are_named(toy_model_dir, arguments, words):
    with pytest.raises(UserError, match=words):
        Server(toy_model_dir, **arguments)


def test_stop_closes_connections_and_frees_the_ports(toy_model_dir):
    server = Server(toy_model_dir, "toy", versions=[1]).start()
    port = server.rest_port
    idle = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    idle.request("GET", "/v1/models/toy")
    idle.getresponse().read()
    waiting = threading.Thread(target=server.wait)
    waiting.start()
    started = time.monotonic()
    server.stop()
    server.stop()
    # The connection is idle, so nothing is waited for.
    assert time.monotonic() - started < 2
    waiting.join(timeout=5)
    assert not waiting.is_alive()
    assert idle.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    idle.close()


def test_an_ipv6_address_is_served(toy_model_dir):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Server(toy_model_dir, "toy", host="::1", versions=[1]) as server:
        for url in (server.rest_url, server.grpc_url):
            with RecommenderClient(url, "toy") as client:
                assert len(client.recommend()) == 3


def test_main_exits_with_2_and_one_line_for_a_users_mistake(tmp_path, capsys):
    assert main(["--model-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal(toy_model_dir, number):
    command = [sys.executable, "-m", "serving.server", "--model-dir", str(toy_model_dir)]
    process = subprocess.Popen(
        [*command, "--model-name", "toy", "--rest-port", "0", "--grpc-port", "0", "--version", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        line = process.stdout.readline()
        rest, grpc = re.search(
            r"REST (http://[\d.:]+)/v1/models/toy, gRPC (grpc://[\d.:]+)", line
        ).groups()
        with (
            RecommenderClient(rest, "toy") as over_rest,
            RecommenderClient(grpc, "toy") as over_grpc,
        ):
            assert over_rest.recommend() == over_grpc.recommend() != []
        process.send_signal(number)
        assert process.wait(timeout=15) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_mistakes_are_found_before_tensorflow_is_imported(tmp_path):
    code = (
        "import sys\n"
        "from serving.server import main\n"
        "import serving.client\n"
        f"assert main(['--model-dir', {str(tmp_path)!r}]) == 2\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
