"""A partition of users to its shard of every record set, and to what the job adds up over all."""

import concurrent.futures
import pathlib
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipelines.extra_columns import ExtraColumns
from pipelines.item_statistics import summarise_times
from pipelines.job_progress import JobProgress
from pipelines.profile_maker import ProfileMaker
from pipelines.records import NAMESPACE
from pipelines.splitting import (
    COLD_ITEMS,
    COLD_USERS,
    GAPS,
    LEFT_OUT,
    SplitRules,
    split_sizes,
)
from pipelines.timelines import RECORD_SETS, Timelines, encode_records
from pipelines.user_rows import UserRows
from tfrs_mm.config import DataConfig
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.optional_features import optional_features
from tfrs_mm.data.splits import TRAIN, Moment
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

# Counters.
REPEATS, USERS, TRAINED, VALID, TEST = "repeats dropped", "users", "train", "valid", "test"
EXACT, NEAR = "exact duplicates", "near duplicates"
WINDOWS = "windows"
# Outputs: times in brief, `(items, seconds)` of training events, these with how many each user has,
# and `(0, (partition, ids of new users))`.
TIMES, TRAINING_EVENTS, USER_IDS = "times", "training events", "user ids"
TRAINING_TIMELINES = "training timelines"  # only where transitions are counted

_COUNTERS = (
    EXACT, NEAR, REPEATS, USERS, TRAINED, VALID, TEST, LEFT_OUT, GAPS, COLD_ITEMS, COLD_USERS,
    WINDOWS,
)  # fmt: skip


class WriteShards(beam.DoFn):
    """`(partition, Timelines)` to files. Shards appear whole, so repeating a bundle is harmless."""

    def __init__(
        self,
        folder: str,
        num_items: int,
        settings: DataConfig,
        progress: JobProgress,
        items_path: str,
        user_rows: UserRows,
    ) -> None:
        """Says where to and how.

        Args:
            folder: takes the shards.
            num_items: of the vocabulary, the unknown row not counted.
            settings: how to split and how long histories are.
            progress: told of every partition.
            items_path: the vocabulary of items; the other vocabularies lie beside it.
            user_rows: what gives users their rows.
        """
        self._folder, self._num_items = pathlib.Path(folder), num_items
        self._settings, self._progress = settings, progress
        self._user_rows = user_rows
        self._rules = SplitRules(settings, items_path)
        self._profiles = ProfileMaker(settings, pathlib.Path(items_path).parent)
        self._counters = {name: Metrics.counter(NAMESPACE, name) for name in _COUNTERS}

    def process(
        self,
        element: tuple[int, Timelines],
        sizes: dict[int, int],
        event_names: list[str],
        cuts: tuple[Moment, Moment] | None,
    ) -> Iterator[Any]:
        """Writes the shards of one partition.

        Args:
            element: the partition.
            sizes: users of each partition that have no row yet.
            event_names: the vocabulary of events.
            cuts: where validation and test begin; None leaves out the last events of each user.
        """
        partition, timelines = element
        split = self._rules.split(timelines, cuts)
        profiles = None
        if self._settings.profiles:
            profiles = self._profiles.of(timelines, event_names, self._rules.cold_items)
        records = encode_records(
            timelines,
            split,
            ExamplesSpec(self._schema(self._user_rows.number(sizes), len(event_names))),
            user_rows=self._user_rows.of(partition, timelines.user_ids, sizes),
            event_rows=Vocabulary(tuple(event_names)).rows_of(timelines.event_names),
            max_history=self._settings.max_history,
            extras=ExtraColumns(timelines, self._settings.time_features, profiles),
            cold_items=self._rules.cold_items,
            exclude_negatives=self._settings.exclude_negatives,
        )
        paths = [
            self._folder / shard_name(name, partition, self._settings.shards)
            for name in RECORD_SETS
        ]
        # Compression leaves the interpreter to the others.
        with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
            list(pool.map(write_tfrecord, paths, [records[name] for name in RECORD_SETS]))
        self._count({
            EXACT: timelines.exact_duplicates,
            NEAR: timelines.near_duplicates,
            REPEATS: timelines.repeats,
            USERS: len(timelines.user_ids),
            WINDOWS: len(records["train"]),
            **split_sizes(timelines, split),
        })  # fmt: skip
        self._progress.advance()
        learnt = split == TRAIN
        seconds = np.floor(timelines.times[learnt]).astype(np.int64)
        yield TaggedOutput(TIMES, summarise_times(seconds))
        yield TaggedOutput(TRAINING_EVENTS, (timelines.items[learnt], seconds))
        if self._settings.transition_window:
            lengths = np.bincount(timelines.owners[learnt], minlength=len(timelines.starts))
            yield TaggedOutput(TRAINING_TIMELINES, (timelines.items[learnt], seconds, lengths))
        yield TaggedOutput(USER_IDS, (0, (partition, self._user_rows.new(timelines.user_ids))))

    def _schema(self, num_users: int, num_events: int) -> Schema:
        """What behaviour records need to know; items' own features are none of their business."""
        return Schema(
            (
                FeatureSpec("user", Owner.USER, Kind.ID, num_users + 1),
                FeatureSpec("item", Owner.ITEM, Kind.ID, self._num_items + 1),
                FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, num_events + 1),
                *optional_features(self._settings, num_events + 1, self._profiles.category_rows),
            ),
            self._settings.max_history,
        )

    def _count(self, found: dict[str, int]) -> None:
        for name, value in found.items():
            self._counters[name].inc(value)
