import logging
import os
import subprocess
import sys

import pytest

from pipelines import worker_share
from pipelines.worker_share import WorkerShare, share_of
from tfrs_mm.errors import UserError


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ([], 1),
        (["--direct_running_mode=multi_threading", "--direct_num_workers=4"], 1),
        (["--direct_running_mode=multi_processing", "--direct_num_workers=4"], 4),
        (["--direct_running_mode=multi_processing", "--direct_num_workers=0"], os.cpu_count()),
        (["--runner=PortableRunner", "--sdk_worker_parallelism=3"], 3),
        (["--runner=PortableRunner"], 1),
    ],
)
def test_workers_are_the_processes_of_one_machine(options, workers):
    assert share_of(options, threads=5) == WorkerShare(workers, 5)


def test_a_number_of_workers_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"--sdk_worker_parallelism must be .*received 'many'"):
        share_of(["--runner=PortableRunner", "--sdk_worker_parallelism=many"], threads=0)


@pytest.mark.parametrize(("share", "threads"), [((2, 3), 3), ((2, 0), 0)])
def test_threads_are_those_asked_for_before_tensorflow_computes(share, threads):
    code = (
        "import tensorflow as tf\n"
        "from pipelines.worker_share import WorkerShare\n"
        f"for _ in range(2): WorkerShare(*{share}).take(); tf.constant(1.0) + 1.0\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads(),\n"
        "      tf.config.threading.get_inter_op_parallelism_threads())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == [str(threads)] * 2
    assert "runs in this process already" not in answer.stderr


def test_a_single_process_stays_as_it_is(monkeypatch):
    def told(_: WorkerShare) -> None:
        raise AssertionError("TensorFlow was told something")

    monkeypatch.setattr(WorkerShare, "_tell_tensorflow", told)
    WorkerShare().take()


def test_a_gpu_is_shared_by_growing_memory(monkeypatch):
    import tensorflow as tf

    grown = []
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind, kind])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on))
    )
    WorkerShare(2)._tell_tensorflow()
    assert grown == [("GPU", True)] * 2


def test_a_process_that_computes_already_says_that_it_cannot_be_told(monkeypatch, caplog):
    import tensorflow as tf

    assert float(tf.constant(1.0) + 1.0) == 2.0
    monkeypatch.setattr(worker_share, "_TAKEN", worker_share.threading.Event())
    with caplog.at_level(logging.WARNING):
        WorkerShare(threads=os.cpu_count() + 7).take()
    assert "runs in this process already" in caplog.text
