"""What one worker process takes of its machine, so that those beside it find something left.

TensorFlow starts as many threads as there are cores and reserves a whole GPU: right for one process
and wrong for several. It must be told before it computes anything. The last bits of an embedding
depend on the number of threads, so it changes where the settings ask for it and nowhere else.
"""

import dataclasses
import logging
import os
import threading
from collections.abc import Sequence

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PortableOptions

from tfrs_mm.errors import UserError

_LOCK = threading.Lock()
_TAKEN = threading.Event()  # once a process; its encoders share what it has


@dataclasses.dataclass(frozen=True)
class WorkerShare:
    """Taken by the first encoder that a process loads.

    Attributes:
        workers: processes on the same machine.
        threads: of TensorFlow in each; 0 leaves it at one for each core.
    """

    workers: int = 1
    threads: int = 0

    def take(self) -> None:
        """Sets threads, and lets memory of GPUs grow as it is needed."""
        if self.workers == 1 and not self.threads:
            return
        with _LOCK:
            if not _TAKEN.is_set():
                self._tell_tensorflow()
                _TAKEN.set()

    def _tell_tensorflow(self) -> None:
        import tensorflow as tf

        try:
            if self.threads:
                tf.config.threading.set_intra_op_parallelism_threads(self.threads)
                tf.config.threading.set_inter_op_parallelism_threads(self.threads)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError as error:
            # Where the worker is the caller's own process, TensorFlow may have computed before.
            logging.getLogger(__name__).warning(
                "TensorFlow runs in this process already and keeps its threads and memory: %s",
                error,
            )


ALONE = WorkerShare()


def share_of(beam_args: Sequence[str], threads: int) -> WorkerShare:
    """The share of a worker process of a job with these options.

    Args:
        beam_args: options for Beam.
        threads: `encoders.threads`.

    Raises:
        UserError: the number of workers is none.
    """
    options = PipelineOptions(list(beam_args))
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode == "multi_processing":
        # 0 is one for each core.
        return WorkerShare(direct.direct_num_workers or os.cpu_count() or 1, threads)
    # Beam hands it over as text; 0 leaves the number to the runner, so that nothing is known of it.
    portable = str(options.view_as(PortableOptions).sdk_worker_parallelism)
    if not portable.isdecimal():
        raise UserError(
            f"--sdk_worker_parallelism must be a whole number, received {portable!r}. "
            "Give the number of worker processes of one machine, or 0 to leave it to the runner."
        )
    return WorkerShare(max(1, int(portable)), threads)
