"""The events of a job: those of its logs, and of a former run that it goes on from."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import apache_beam as beam

from pipelines import records
from pipelines.earlier_rejects import CheckAgain
from pipelines.event_store import BEHAVIOUR_DIR, EventStore, ReadStored, places_of
from pipelines.input_folder import InputFile
from pipelines.job_progress import JobProgress
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

REJECTS_DIR, VOCABULARY_DIR = "rejects", "vocabulary"
EVENT_REJECTS = "events.jsonl"


@dataclasses.dataclass(frozen=True)
class Base:
    """The data folder of a former run.

    Attributes:
        data_dir: of the run.
        store: its events.
    """

    data_dir: pathlib.Path
    store: EventStore

    @classmethod
    def read(cls, data_dir: pathlib.Path, settings: DataConfig) -> "Base":
        """The base in a folder.

        Raises:
            UserError: it holds no events, or they were read with other settings.
        """
        base = cls(data_dir.resolve(), EventStore.read(data_dir.resolve(), settings))
        if not base.rejects_path.is_file():
            raise UserError(
                f"the base {data_dir} lacks {base.rejects_path}. Give a whole data folder."
            )
        return base

    @property
    def vocabulary_dir(self) -> pathlib.Path:
        """Its vocabularies."""
        return self.data_dir / VOCABULARY_DIR

    @property
    def rejects_path(self) -> pathlib.Path:
        """What it left out."""
        return self.data_dir / REJECTS_DIR / EVENT_REJECTS

    @property
    def statistics_dir(self) -> pathlib.Path:
        """Where it described its input."""
        return self.data_dir / BEHAVIOUR_DIR


class Logs(NamedTuple):
    """The logs of a job.

    Attributes:
        new: those that are read.
        places: of all logs by name, those of a base included; they order the events.
        base: where there is one.
    """

    new: tuple[InputFile, ...]
    places: dict[str, int]
    base: Base | None

    @classmethod
    def of(cls, files: Sequence[InputFile], base: Base | None) -> "Logs":
        """Those of an input folder, but for what the base has read.

        Raises:
            UserError: a log that the base has read is another by now.
        """
        new = base.store.new_files(files) if base else list(files)
        known = [name for name, _ in base.store.logs] if base else []
        return cls(tuple(new), places_of([*known, *(file.name for file in new)]), base)

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """Names and sizes in bytes of all of them, in their order."""
        sizes = dict(self.base.store.logs if self.base else ())
        sizes |= {file.name: file.size_bytes for file in self.new}
        return [(name, sizes[name]) for name in self.places]


class CheckedEvents(NamedTuple):
    """What was read.

    Attributes:
        fresh: `(partition, record batch)` of the new logs.
        batches: of all.
        rejects: of all.
        event_names: `(0, names of kinds)`.
    """

    fresh: beam.PCollection
    batches: beam.PCollection
    rejects: beam.PCollection
    event_names: beam.PCollection


def checked_events(
    pipeline: beam.Pipeline,
    logs: Logs,
    items_path: str,
    settings: DataConfig,
    read: JobProgress,
) -> CheckedEvents:
    """Reads and checks all events.

    Args:
        pipeline: without steps so far.
        logs: of the job.
        items_path: the vocabulary of items.
        settings: of the data.
        read: told of the events that were read.
    """
    tags = (records.REJECTS, records.EVENT_NAMES)
    elements = [(logs.places[file.name], file.path, file.name) for file in logs.new]
    named = pipeline | "NameLogs" >> beam.Create(elements)
    if len(elements) > 1:
        named |= "SpreadLogs" >> beam.Reshuffle()
    reading = records.ReadEvents(items_path, settings, read)
    fresh = named | "ReadEvents" >> beam.ParDo(reading).with_outputs(*tags, main="batches")
    if logs.base is None:
        return CheckedEvents(fresh.batches, fresh.batches, *(fresh[tag] for tag in tags))
    stored = ReadStored(logs.base.store, settings.shards, logs.places, read)
    again = CheckAgain(items_path, settings, logs.places, read)
    sources = [
        fresh,
        pipeline
        | "NamePartitions" >> beam.Create(range(settings.shards))
        | "ReadStored" >> beam.ParDo(stored).with_outputs(*tags, main="batches"),
        pipeline
        | "NameRejects" >> beam.Create([str(logs.base.rejects_path)])
        | "CheckAgain" >> beam.ParDo(again).with_outputs(*tags, main="batches"),
    ]
    joined = [
        [source[tag] for source in sources] | f"Join {tag}" >> beam.Flatten()
        for tag in ("batches", *tags)
    ]
    return CheckedEvents(fresh.batches, *joined)


def write_event_names(
    path: pathlib.Path, base: Base | None, names: beam.PCollection
) -> beam.PCollection:
    """One element: the vocabulary of kinds of events, which is written; those of a base first."""
    former = Vocabulary.read(base.vocabulary_dir / path.name).ids if base else ()
    write = functools.partial(_write_event_names, str(path), former)
    return names | "GatherEvents" >> beam.GroupByKey() | "WriteEvents" >> beam.MapTuple(write)


def _write_event_names(
    path: str, former: Sequence[str], _: int, parts: Iterable[list[str]]
) -> list[str]:
    new = {name for part in parts for name in part} - set(former)
    names = [*former, *sorted(new)]
    Vocabulary(tuple(names)).write(path)
    return names
