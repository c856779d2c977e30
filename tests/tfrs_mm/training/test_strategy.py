"""Where training runs, tried with processes of this machine."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tfrs_mm.errors import UserError
from tfrs_mm.training.run import load_run
from tfrs_mm.training.strategy import make_strategy


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def train_command(data_dir, run_dir, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "tfrs_mm.cli", "train", "--data", str(data_dir),
        "--output", str(run_dir), "--set", "retrieval.max_epochs=3",
        "--set", "ranking.max_epochs=1", *options,
    ]  # fmt: skip


@pytest.mark.slow
def test_two_workers_train_one_run(data_dir, tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    command = train_command(data_dir, tmp_path / "run", "--strategy", "multi-worker")
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        workers.append(
            subprocess.Popen(
                command,
                env=os.environ | {"TF_CONFIG": json.dumps(task), "TF_NUM_INTRAOP_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    answers = [worker.communicate(timeout=300) for worker in workers]
    for worker, (_, errors) in zip(workers, answers, strict=True):
        assert worker.returncode == 0, errors[-3000:]
    assert "run: " in answers[0][0]
    assert "this worker's part is done" in answers[1][0]
    # Both saw the same weights: what they validated is equal.
    figures = [output.splitlines()[0].split(", ")[0] for output, _ in answers]
    assert figures[0] == figures[1] and figures[0].startswith("retrieval: validation NDCG@10")
    assert not (tmp_path / "run.partial").exists()
    assert np.isfinite(load_run(tmp_path / "run", data_dir).item_vectors).all()


@pytest.mark.slow
def test_two_replicas_of_one_machine_train_a_run(data_dir, tmp_path):
    program = (
        "import tfrs_mm, tensorflow as tf, sys\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "two = [tf.config.LogicalDeviceConfiguration()] * 2\n"
        "tf.config.set_logical_device_configuration(cpu, two)\n"
        "from tfrs_mm.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = train_command(data_dir, tmp_path / "run", "--strategy", "mirrored")
    command = [sys.executable, "-c", program, *command[3:]]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert np.isfinite(load_run(tmp_path / "run", data_dir).item_vectors).all()


def test_a_strategy_that_is_none_is_refused():
    with pytest.raises(UserError, match="must be default, mirrored, multi-worker or tpu"):
        make_strategy("horovod", 8)
