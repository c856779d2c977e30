"""The steps of the behaviour job: checked batches, timelines, shards, and what adds up over all."""

import functools
import pathlib
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsDict, AsSingleton

from pipelines import shards
from pipelines.checked_events import (
    EVENT_REJECTS,
    REJECTS_DIR,
    VOCABULARY_DIR,
    Logs,
    checked_events,
    write_event_names,
)
from pipelines.cleaning import CleanPartitions
from pipelines.cores import KeepCore
from pipelines.event_store import BEHAVIOUR_DIR, WriteEvents
from pipelines.item_statistics import MergeCounts, TimeEdges
from pipelines.job_progress import JobProgress
from pipelines.rejects import WriteRejects
from pipelines.statistics import CHECKED_BATCHES, PARTITIONS, WriteStatistics
from pipelines.timelines import Timelines, sort_timelines
from pipelines.transitions import WriteNeighbours
from pipelines.user_rows import UserRows
from tfrs_mm.config import DataConfig
from tfrs_mm.data.catalogue import ItemCounts
from tfrs_mm.data.item_neighbours import NEIGHBOURS_FILE
from tfrs_mm.data.negative_feedback import NEGATIVES_FILE
from tfrs_mm.data.splits import Moment, cut_moments

__all__ = ["BEHAVIOUR_DIR", "REJECTS_DIR", "VOCABULARY_DIR", "add_steps"]


def add_steps(
    pipeline: beam.Pipeline,
    logs: Logs,
    output_dir: pathlib.Path,
    num_items: int,
    settings: DataConfig,
    statistics: WriteStatistics | None,
    read: JobProgress,
    written: JobProgress,
) -> None:
    """Adds the whole job to the pipeline.

    Args:
        pipeline: without steps so far.
        logs: of the job.
        output_dir: holds the vocabulary of items, and takes everything else.
        num_items: of the vocabulary, the unknown row not counted.
        settings: of the data.
        statistics: the step that describes the input; None for none.
        read: told of the events that were read.
        written: told of the shards that were written.
    """
    vocabulary_dir, behaviour_dir = output_dir / VOCABULARY_DIR, output_dir / BEHAVIOUR_DIR
    items_path = str(vocabulary_dir / "items.txt")
    user_rows = UserRows(str(logs.base.vocabulary_dir / "users.txt") if logs.base else "")
    writing = shards.WriteShards(
        str(behaviour_dir), num_items, settings, written, items_path, user_rows
    )
    checked = checked_events(pipeline, logs, items_path, settings, read)
    grouped = checked.batches | "GroupUsers" >> beam.GroupByKey()
    if statistics is not None:
        # Of the new logs alone, as all of the statistics are.
        fresh = grouped if logs.base is None else checked.fresh | "GroupFresh" >> beam.GroupByKey()
        inputs = {CHECKED_BATCHES: checked.fresh, PARTITIONS: fresh}
        _ = inputs | "WriteStatistics" >> statistics
    if settings.keep_events:
        _ = grouped | "WriteStore" >> WriteEvents(str(behaviour_dir), settings.shards)
    cleaned = grouped | "CleanPartitions" >> CleanPartitions(
        str(behaviour_dir / NEGATIVES_FILE), settings
    )
    timelines = (
        cleaned.partitions
        | "SortTimelines" >> beam.MapTuple(functools.partial(_sort_timelines, settings))
        | "KeepCore" >> KeepCore(num_items, settings)
    )
    sizes = timelines | "CountUsers" >> beam.MapTuple(functools.partial(_count_users, user_rows))
    event_names = write_event_names(vocabulary_dir / "events.txt", logs.base, checked.event_names)
    made = timelines | "WriteShards" >> beam.ParDo(
        writing,
        AsDict(sizes),
        AsSingleton(event_names),
        AsSingleton(_cuts(pipeline, timelines, settings)),
    ).with_outputs(shards.TIMES, shards.TRAINING_EVENTS, shards.TRAINING_TIMELINES, shards.USER_IDS)
    # Without defaults: every job that reads a block has shards, and a default costs two stages.
    edges = (
        made[shards.TIMES]
        | "FindTimeEdges"
        >> beam.CombineGlobally(TimeEdges(settings.time_buckets)).without_defaults()
    )
    _ = (
        made[shards.TRAINING_EVENTS]
        | "CountItems" >> beam.Map(_count_items, num_items, AsSingleton(edges))
        | "MergeCounts" >> beam.CombineGlobally(MergeCounts(num_items)).without_defaults()
        | "WriteCounts" >> beam.Map(_write_counts, str(behaviour_dir / "item_counts.npz"))
    )
    if settings.transition_window:
        _ = made[shards.TRAINING_TIMELINES] | "WriteNeighbours" >> WriteNeighbours(
            str(behaviour_dir / NEIGHBOURS_FILE),
            items_path,
            num_items,
            settings,
            edges,
        )
    _ = (
        made[shards.USER_IDS]
        | "GatherUsers" >> beam.GroupByKey()
        | "WriteUsers"
        >> beam.MapTuple(
            functools.partial(_write_users, user_rows, str(vocabulary_dir / "users.txt"))
        )
    )
    rejects_path = output_dir / REJECTS_DIR / EVENT_REJECTS
    _ = (
        (checked.rejects, cleaned.rejects)
        | "JoinRejects" >> beam.Flatten()
        | "WriteRejects" >> WriteRejects(str(rejects_path))
    )


def _cuts(
    pipeline: beam.Pipeline, timelines: beam.PCollection, settings: DataConfig
) -> beam.PCollection:
    """One element: where the temporal split cuts, or None where each user is cut on their own."""
    if settings.split != "temporal":
        return pipeline | "NoCuts" >> beam.Create([None])
    shares = settings.split_train_share, settings.split_valid_share
    # Exact cuts need the global order: one worker holds 16 bytes of every event, and selects in
    # about three times as much.
    return (
        timelines
        | "TakeMoments" >> beam.MapTuple(_moments)
        | "GatherMoments" >> beam.GroupByKey()
        | "FindCuts" >> beam.MapTuple(functools.partial(_find_cuts, shares))
    )


def _sort_timelines(
    settings: DataConfig, partition: int, batches: Iterable[Any]
) -> tuple[int, Timelines]:
    return partition, sort_timelines(batches, settings)


def _count_users(user_rows: UserRows, partition: int, timelines: Timelines) -> tuple[int, int]:
    return partition, len(user_rows.new(timelines.user_ids))


def _moments(_: int, timelines: Timelines) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
    return 0, (timelines.times, timelines.positions)


def _find_cuts(
    shares: tuple[float, float], _: int, columns: Iterable[tuple[np.ndarray, np.ndarray]]
) -> tuple[Moment, Moment]:
    times, positions = zip(*columns, strict=True)
    return cut_moments(np.concatenate(times), np.concatenate(positions), shares)


def _count_items(
    events: tuple[np.ndarray, np.ndarray], num_items: int, edges: np.ndarray
) -> ItemCounts:
    return ItemCounts.from_events(*events, num_items, edges)


def _write_counts(counts: ItemCounts, path: str) -> None:
    counts.write(path)


def _write_users(
    user_rows: UserRows, path: str, _: int, parts: Iterable[tuple[int, list[str]]]
) -> None:
    user_rows.write(path, parts)
