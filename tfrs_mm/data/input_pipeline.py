"""Behaviour records as the models take them: endless shuffled window batches, queries in memory."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfrs_mm.data import examples
from tfrs_mm.data.examples import ExamplesSpec, Ragged, RecordSpec
from tfrs_mm.data.optional_features import optional_keys
from tfrs_mm.data.tfrecord import find_shards
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Schema

if TYPE_CHECKING:
    import tensorflow as tf

BEHAVIOUR_DIR = "behaviour"
TRAIN = "train"
QUERY_SPLITS = ("valid", "test", "users")

_READ_BATCH = 1024  # records parsed at once where all of them are read
_SHUFFLE_WINDOWS = 2**17  # serialized windows of well under a kilobyte each, held to draw from
_OPEN_SHARDS = 16  # read in turn, so that neighbours in a shard do not stay neighbours
_THREADS = 2
_PREFETCH = 2


@dataclasses.dataclass(frozen=True)
class Queries:
    """What is known of users before something is recommended to them, and what they took then.

    Attributes:
        user: `[n]` int32 rows.
        history_items: `[n, max_history]` int32 rows, oldest first, padded with 0 on the right.
        history_times: `[n, max_history]` int64, in the unit of the input's timestamps.
        history_events: `[n, max_history]` int32 rows.
        history_length: `[n]` int32.
        targets: the item rows to be found, int32; none in the split `users`.
        target_times: int64, as long as `targets`.
        seen: int32 rows of all distinct items before the first target, also those older than the
            history.
        extras: the optional features that the schema declares, by key: `[n, max_history]` beside
            the history, else `[n]` or `[n, width]`.
    """

    user: np.ndarray
    history_items: np.ndarray
    history_times: np.ndarray
    history_events: np.ndarray
    history_length: np.ndarray
    targets: Ragged
    target_times: Ragged
    seen: Ragged
    extras: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user)

    def take(self, indices: np.ndarray) -> "Queries":
        """The queries at `indices`, in that order."""
        indices = np.asarray(indices)
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        extras = {key: _take(column, indices) for key, column in columns.pop("extras").items()}
        taken = {name: _take(column, indices) for name, column in columns.items()}
        return Queries(**taken, extras=extras)


def window_batches(
    data_dir: str | os.PathLike[str],
    schema: Schema,
    batch_size: int,
    seed: int,
    epochs: int | None = None,
    lengths: Sequence[int] = (),
) -> "tf.data.Dataset":
    """Training windows in a random order that is another one each epoch; all shapes are static.

    Batches run across the ends of epochs, so a data set smaller than one batch fills it by
    repetition, and only windows at the very end that fill no batch are left out. `seed`, together
    with TensorFlow's global one where that is set, determines the order.

    Args:
        data_dir: the output of `tfrs-mm preprocess`.
        schema: the one of `data_dir`.
        batch_size: windows of a batch.
        seed: of the order.
        epochs: passes over the data; None repeats without end.
        lengths: ascending; where given, a batch holds windows of like length, which are those up to
            the first of them, from there up to the second, and so on. A window waits until there
            are enough of its like, so that with `epochs` more may be left out at the end.

    Returns:
        Batches of `user` int32 `[batch]`, and `[batch, max_history + 1]` of `history/item` int32,
        `history/time` int64, `history/event` int32, `is_target` bool. Optional features that the
        schema declares have the same shape, or `[batch, max_history + 1, width]`.

    Raises:
        UserError: there are no windows, a shard is missing, or `epochs` passes do not fill one
            batch.
    """
    import tensorflow as tf

    if batch_size < 1 or (epochs is not None and epochs < 1):
        raise UserError(
            f"`batch_size` and `epochs` must be at least 1, received {batch_size} and {epochs}."
        )
    paths = find_shards(pathlib.Path(data_dir) / BEHAVIOUR_DIR, TRAIN)
    # Enough is counted to know whether one batch can be filled, not more.
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP").take(batch_size)
    available = int(records.reduce(np.int64(0), lambda count, _: count + 1))
    if not available:
        raise UserError(
            f"{data_dir} holds no training windows. Give `tfrs-mm preprocess` more interactions."
        )
    if epochs is not None and available * epochs < batch_size:
        raise UserError(
            f"`batch_size` is {batch_size}, but {epochs} epochs of {available} windows fill no "
            "batch. Lower `retrieval.batch_size` or train for more epochs."
        )
    windows = (
        tf.data.Dataset.from_tensor_slices(paths)
        .shuffle(len(paths), seed=seed)
        .interleave(
            lambda path: tf.data.TFRecordDataset(path, compression_type="GZIP"),
            cycle_length=min(len(paths), _OPEN_SHARDS),
            num_parallel_calls=min(len(paths), _THREADS),
            deterministic=True,
        )
        .shuffle(_SHUFFLE_WINDOWS, seed=seed)
    )
    # Workers share out windows, not files: there may be fewer files than workers.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    parse = ExamplesSpec(schema).window.parse
    at_once = _READ_BATCH if lengths else batch_size
    batches = (
        windows.repeat(epochs)
        .batch(at_once, drop_remainder=not lengths)
        .map(parse, num_parallel_calls=_THREADS, deterministic=True)
    )
    if lengths:
        bounds = tf.constant(list(lengths), tf.int64)

        def group_of(window: dict[str, "tf.Tensor"]) -> "tf.Tensor":
            length = tf.math.count_nonzero(window[examples.HISTORY_ITEM])
            return tf.reduce_sum(tf.cast(length > bounds, tf.int64))

        batches = batches.unbatch().group_by_window(
            group_of,
            lambda _, group: group.batch(batch_size, drop_remainder=True),
            window_size=batch_size,
        )
    return batches.prefetch(_PREFETCH).with_options(options)


def count_windows(data_dir: str | os.PathLike[str], schema: Schema) -> int:
    """Training windows of one epoch; each is parsed, so data of another schema is found here."""
    paths = find_shards(pathlib.Path(data_dir) / BEHAVIOUR_DIR, TRAIN)
    return sum(
        len(batch[examples.USER]) for batch in read_batches(paths, ExamplesSpec(schema).window)
    )


def read_windows(data_dir: str | os.PathLike[str], schema: Schema) -> dict[str, np.ndarray]:
    """All training windows under the keys of `window_batches`, ordered by user row, then time."""
    paths = find_shards(pathlib.Path(data_dir) / BEHAVIOUR_DIR, TRAIN)
    columns = _read_columns(paths, ExamplesSpec(schema).window)
    # Positions of a window are ordered by time, so its first one places it among those of its user.
    order = np.lexsort((columns[examples.HISTORY_TIME][:, 0], columns[examples.USER]))
    return {key: _take(column, order) for key, column in columns.items()}


def read_queries(data_dir: str | os.PathLike[str], schema: Schema, split: str) -> Queries:
    """All queries of one split, in the order of user rows.

    Raises:
        UserError: there is no such split, or a shard is missing or damaged.
    """
    if split not in QUERY_SPLITS:
        raise UserError(f"`split` must be one of {', '.join(QUERY_SPLITS)}; received {split!r}.")
    paths = find_shards(pathlib.Path(data_dir) / BEHAVIOUR_DIR, split)
    columns = _read_columns(paths, ExamplesSpec(schema).query)
    queries = Queries(
        user=columns[examples.USER],
        history_items=columns[examples.HISTORY_ITEM],
        history_times=columns[examples.HISTORY_TIME],
        history_events=columns[examples.HISTORY_EVENT],
        history_length=columns[examples.HISTORY_LENGTH],
        targets=columns[examples.TARGET_ITEM],
        target_times=columns[examples.TARGET_TIME],
        seen=columns[examples.SEEN_ITEM],
        extras={key: columns[key] for key in optional_keys(schema)},
    )
    return queries.take(np.argsort(queries.user, kind="stable"))


def read_batches(
    paths: Sequence[str], spec: RecordSpec
) -> Iterator[dict[str, np.ndarray | Ragged]]:
    """The records of all files in order, parsed, a batch at a time; the last batch may be smaller.

    Raises:
        UserError: a file is damaged, or was written with another schema.
    """
    import tensorflow as tf

    dataset = (
        tf.data.TFRecordDataset(list(paths), compression_type="GZIP")
        .batch(_READ_BATCH)
        .map(spec.parse, num_parallel_calls=_THREADS)
        .prefetch(_PREFETCH)
    )
    try:
        for batch in dataset:
            yield {key: _as_numpy(tensor) for key, tensor in batch.items()}
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise UserError(
            f"{os.path.dirname(paths[0])}: a {spec.name} record is damaged or of another schema: "
            f"{error.message.splitlines()[0]} Run `tfrs-mm preprocess` again."
        ) from error


def _read_columns(paths: Sequence[str], spec: RecordSpec) -> dict[str, Any]:
    import tensorflow as tf

    # An empty batch in front gives every column its dtype and width even where there are no
    # records.
    empty = {
        key: _as_numpy(tensor) for key, tensor in spec.parse(tf.constant([], tf.string)).items()
    }
    batches: list[Mapping[str, Any]] = [empty, *read_batches(paths, spec)]
    return {key: _concatenate([batch[key] for batch in batches]) for key in empty}


def _as_numpy(tensor: "tf.Tensor | tf.RaggedTensor") -> np.ndarray | Ragged:
    if hasattr(tensor, "row_splits"):
        return Ragged(tensor.flat_values.numpy(), tensor.row_splits.numpy())
    return tensor.numpy()


def _concatenate(parts: Sequence[np.ndarray | Ragged]) -> np.ndarray | Ragged:
    if isinstance(parts[0], Ragged):
        lengths = np.concatenate([part.lengths for part in parts])
        splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Ragged(np.concatenate([part.values for part in parts]), splits)
    return np.concatenate(parts)


def _take(column: np.ndarray | Ragged, indices: np.ndarray) -> np.ndarray | Ragged:
    return column.take(indices) if isinstance(column, Ragged) else column[indices]
