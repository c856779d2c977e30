"""Where training runs: one device, all GPUs of a machine, several machines, or a TPU."""

import tensorflow as tf

from tfrs_mm.errors import UserError


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """The `tf.distribute` strategy called `name`; to be made before TensorFlow does anything else.

    Args:
        name: `default` (one device), `mirrored` (every GPU, else every logical CPU device of this
            machine), `multi-worker` (as TF_CONFIG says), `tpu` (as TPU_NAME says).
        batch_size: over all replicas.

    Raises:
        UserError: there is no such strategy or no TPU, or the batch cannot be shared out evenly.
    """
    if name == "default":
        strategy = tf.distribute.get_strategy()
    elif name == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        devices = gpus or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    elif name == "multi-worker":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    elif name == "tpu":
        strategy = _tpu_strategy()
    else:
        raise UserError(
            f"--strategy must be default, mirrored, multi-worker or tpu; received {name!r}."
        )
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UserError(
            f"`retrieval.batch_size` is {batch_size}, but {replicas} replicas share it evenly. "
            f"Choose a multiple of {replicas}."
        )
    return strategy


def worker_of(strategy: tf.distribute.Strategy) -> int:
    """This process's number among the workers; 0 is the chief, which alone writes what is kept."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 0
    tasks = [
        (kind, task)
        for kind in ("chief", "worker")
        for task in range(len(resolver.cluster_spec().as_dict().get(kind, [])))
    ]
    here = (resolver.task_type, resolver.task_id)
    if here not in tasks:
        raise UserError(
            f"TF_CONFIG makes this process {here[0]} {here[1]}, which takes no part in training. "
            f"Choose one of {[f'{kind} {task}' for kind, task in tasks]}."
        )
    return tasks.index(here)


def _tpu_strategy() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"--strategy tpu found no TPU: {error}. Run on a TPU VM, or set TPU_NAME."
        ) from error
    return tf.distribute.TPUStrategy(resolver)
