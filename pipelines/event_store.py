"""Checked events of a finished job, kept as columns, from which a later run goes on.

Below `behaviour/events/` lies a Parquet file for each partition of users and `store.json`, which
says how and from which logs they were read. A run with new logs takes the events from here instead
of reading the past again, and does everything behind with all of them, so that it ends where a run
over all logs would end; only ids that have a row keep it.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.metrics import Metrics

from pipelines.input_folder import InputFile
from pipelines.job_progress import JobProgress
from pipelines.records import FAULTS, POSITION, ROWS_OF_A_FILE, EventOutput
from tfrs_mm.artefacts import fingerprint_of, whole_file, write_json
from tfrs_mm.config import DataConfig
from tfrs_mm.errors import UserError

BEHAVIOUR_DIR, EVENTS_DIR, DESCRIPTION = "behaviour", "events", "store.json"

# Settings that decide what an event is read as; all others may change from run to run.
_READING = (
    "interaction_columns", "item_columns", "time_unit", "min_time", "max_time", "events",
    "min_rating", "min_play_seconds", "values", "category_separator", "shards",
)  # fmt: skip
_ROWS_OF_A_BATCH = 2**16


@dataclasses.dataclass(frozen=True)
class EventStore:
    """The events of a data folder.

    Attributes:
        behaviour_dir: of the data folder.
        logs: names and sizes in bytes of the logs that were read, in their order.
        reading: fingerprint of the settings they were read with.
    """

    behaviour_dir: str
    logs: tuple[tuple[str, int], ...]
    reading: str

    @classmethod
    def read(cls, data_dir: pathlib.Path, settings: DataConfig) -> "EventStore":
        """The store of a former run.

        Raises:
            UserError: it has none, or was read with other settings.
        """
        folder = data_dir / BEHAVIOUR_DIR
        path = folder / EVENTS_DIR / DESCRIPTION
        if not path.is_file():
            raise UserError(
                f"the base {data_dir} must be a data folder with its events, but has no {path}. "
                "Make it with data.keep_events = true."
            )
        value = json.loads(path.read_text(encoding="utf-8"))
        store = cls(str(folder), tuple((n, s) for n, s in value["logs"]), value["reading"])
        if store.reading != reading_of(settings):
            raise UserError(
                f"the base {data_dir} was read with other settings; these must be the same: "
                f"{', '.join(f'data.{name}' for name in _READING)}. Give those of the base (its "
                "config.json has them), or make the data without a base."
            )
        return store

    def new_files(self, files: Sequence[InputFile]) -> list[InputFile]:
        """Those of the logs that were not read yet.

        Raises:
            UserError: a log has changed its size since.
        """
        sizes = dict(self.logs)
        for file in files:
            if sizes.get(file.name, file.size_bytes) != file.size_bytes:
                raise UserError(
                    f"the log {file.name} has {file.size_bytes} bytes, but had {sizes[file.name]} "
                    f"when {self.behaviour_dir} was made from it. Give new events in a log of "
                    "another name, or make the data without a base."
                )
        return [file for file in files if file.name not in sizes]


def reading_of(settings: DataConfig) -> str:
    """The fingerprint of what decides how logs are read."""
    return fingerprint_of({name: getattr(settings, name) for name in _READING})


def write_description(
    behaviour_dir: pathlib.Path, logs: Sequence[tuple[str, int]], settings: DataConfig
) -> None:
    """Says what the events of this run were read from, in the folder for them."""
    (behaviour_dir / EVENTS_DIR).mkdir(exist_ok=True)
    write_json(
        behaviour_dir / EVENTS_DIR / DESCRIPTION,
        {"logs": [list(log) for log in logs], "reading": reading_of(settings)},
    )


def places_of(names: Iterable[str]) -> dict[str, int]:
    """Each log's place in the input: they are ordered by their names."""
    ordered = sorted(set(names), key=pathlib.PurePosixPath)  # as the input folder lists them
    return {name: place for place, name in enumerate(ordered)}


class WriteEvents(beam.PTransform):
    """`(partition, checked batches)` to the files of a store."""

    def __init__(self, behaviour_dir: str, shards: int) -> None:
        super().__init__()
        self._folder, self._shards = behaviour_dir, shards

    def expand(self, grouped: beam.PCollection) -> beam.PCollection:
        """See the class."""
        write = functools.partial(_write_events, self._folder, self._shards)
        return grouped | "KeepEvents" >> beam.MapTuple(write)


class ReadStored(beam.DoFn):
    """A partition to `(partition, checked batch)`, with the outputs of `records.ReadEvents`."""

    def __init__(
        self, store: EventStore, shards: int, places: dict[str, int], progress: JobProgress
    ) -> None:
        """Says where from.

        Args:
            store: of the former run.
            shards: of the store.
            places: of all logs in the input of this run.
            progress: told of every event.
        """
        self._folder, self._shards = store.behaviour_dir, shards
        former = places_of(name for name, _ in store.logs)
        self._moved = np.array([places[name] for name in former], np.int64)
        self._output = EventOutput(shards, progress)

    def process(self, partition: int) -> Iterator[Any]:
        """See the class."""
        path = path_of(self._folder, partition, self._shards)
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                for batch in file.iter_batches(_ROWS_OF_A_BATCH):
                    yield from self._output.of(_moved(batch, self._moved), [])
        except (OSError, pa.ArrowInvalid) as error:
            fault = f"the events {path} cannot be read: {error}. Make the data without a base."
            Metrics.counter(FAULTS, fault).inc()


def path_of(behaviour_dir: str, partition: int, shards: int) -> pathlib.Path:
    """The file of a partition."""
    name = f"events-{partition:05d}-of-{shards:05d}.parquet"
    return pathlib.Path(behaviour_dir) / EVENTS_DIR / name


def _write_events(
    behaviour_dir: str, shards: int, partition: int, batches: Iterable[pa.RecordBatch]
) -> int:
    table = pa.Table.from_batches(list(batches)).sort_by(POSITION)
    with whole_file(path_of(behaviour_dir, partition, shards)) as temporary:
        pq.write_table(
            table, temporary, compression="zstd", use_dictionary=["user_id", "event"],
            write_page_checksum=True, write_statistics=False,
        )  # fmt: skip
    return partition


def _moved(batch: pa.RecordBatch, moved: np.ndarray) -> pa.RecordBatch:
    positions = batch.column(POSITION).to_numpy()
    places, rows = np.divmod(positions, ROWS_OF_A_FILE)
    index = batch.schema.get_field_index(POSITION)
    return batch.set_column(index, POSITION, pa.array(moved[places] * ROWS_OF_A_FILE + rows))
