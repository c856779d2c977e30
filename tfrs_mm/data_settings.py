"""The section `data` of the configuration: how logs and the catalogue become examples."""

import dataclasses
from typing import Literal

# What may be found in the statistics of a job's input; `pipelines.anomalies` and `pipelines.drift`
# say when.
AnomalyRule = Literal[
    "no title", "no media", "missing values", "one value", "equal times", "future times",
    "single events", "items without events", "dominant user", "dominant item", "rejected events",
    "new column", "vanished column", "changed type", "new values", "vanished values", "new kind",
    "vanished kind", "divergence", "difference", "volume drop", "volume jump", "day drop",
    "day jump",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How logs and the catalogue become examples."""

    # Tables are CSV, JSON lines (.jsonl, .ndjson, .json) or Parquet (.parquet, .pq), by their name;
    # the first two may be compressed (.gz, .zst, .bz2).
    interactions: str = "interactions.csv"  # a glob below the input folder
    items: str = "items.csv"  # one file below the input folder
    # Columns that the tables call otherwise, each "ours=theirs", such as "user_id=reviewerID".
    interaction_columns: tuple[str, ...] = ()
    item_columns: tuple[str, ...] = ()
    # What numbers in the column timestamp count. "auto" goes by the size of each: below 1e11
    # seconds, below 1e14 ms, below 1e17 us, else ns; where it is no number, it is read as ISO 8601,
    # which without a zone is UTC. Time columns of Parquet arrive as seconds.
    time_unit: Literal["auto", "s", "ms", "us", "ns", "iso"] = "auto"
    min_time: str = ""  # ISO 8601 or seconds, as text; events before it are rejected
    max_time: str = ""  # and those after it
    # Kinds of events, each "kind=weight", such as "purchase=3" or "dislike=-1"; other kinds are
    # rejected. A negative kind is kept as negative feedback, and is never history, positive or
    # target. All weights are kept in vocabulary/event_weights.json; training does not use them so
    # far. Without entries every kind is positive and weighs 1.
    events: tuple[str, ...] = ()
    min_rating: float = 0.0  # rated events (column rating) below it are negative feedback; 0 is off
    # Events that lasted less (column duration, in seconds) are negative feedback: a play that was
    # broken off speaks against the item, whatever its kind. An empty duration says nothing; 0 is
    # off.
    min_play_seconds: float = 0.0
    # What records hold of each event besides its kind, `history/value`, which the ranker's value
    # head learns from: the rating, or the duration in seconds, of the user's first event with the
    # item.
    values: Literal["none", "rating", "duration"] = "none"
    # Events of the same user, item and kind that lie this near to the one before are told as
    # duplicates; with 0 those at the same time alone.
    near_duplicate_seconds: float = 0.0
    max_events_per_hour: int = 0  # users with more in some hour are left out as robots; 0 is off
    # The k-core of the whole log: users and items with fewer events, each item of a user counted
    # once, are left out again and again until none is left; 0 is off.
    min_user_events: int = 0
    min_item_events: int = 0
    # Those of these columns that items.csv has are read as categories; the job says which it found.
    category_columns: tuple[str, ...] = ("genres", "genre", "categories", "type")
    category_separator: str = "|"
    max_categories: int = 8  # values kept of one item and column
    # What is asked for in validation and test. leave_one_out: the last event of each user is test,
    # the one before validation. temporal: events are cut by time, all users at the same moments.
    # Events at the same time are in the order of the input: by name of the file, then by row.
    split: Literal["leave_one_out", "temporal"] = "leave_one_out"
    split_train_share: float = 0.8  # of the events, that train in a temporal split
    split_valid_share: float = 0.1  # and that validate; the rest is test
    # Whether what would be validation trains as well, and nothing validates: for a last fit, with
    # the epochs that a run on the same logs has found best (`tfrs-mm train --epochs-from RUN`).
    train_on_validation: bool = False
    # Events less than this before the beginning of validation and of test are neither learnt from
    # nor asked for in a temporal split; they stand in histories. 0 leaves no gap.
    split_gap_seconds: float = 0.0
    # Share of the items, chosen by a hash of the id, that are kept out of training: their events
    # are targets of validation and test or nothing, and stand in no history.
    cold_item_share: float = 0.0
    # Share of the users, chosen likewise, that nothing is learnt from. They are asked in test
    # alone, and what they did before is their history.
    cold_user_share: float = 0.0
    split_seed: int = 1  # of the hashes
    max_history: int = 50
    # A pause longer than this ends a session; records then hold `history/session`, the number of
    # each event's session. 0 is off.
    session_gap_minutes: float = 0.0
    # Whether records hold hour and day of the week (UTC) of what is asked: `context/hour` and
    # `context/weekday`.
    time_features: bool = False
    # Whether the events as they were read are kept in behaviour/events, so that a later run can go
    # on from them (--base) instead of reading all logs again.
    keep_events: bool = True
    # Whether records hold what the user did before the moment that is asked about, `profile/...`:
    # events of each kind, events of the last 1, 7 and 30 days, seconds since the last event, and
    # the heaviest categories. In training windows every position has a profile of its own.
    profiles: bool = False
    profile_category: str = ""  # the column of these categories; "" takes the first one found
    profile_top: int = 5  # categories of a profile
    profile_half_life_days: float = 30.0  # after which an event counts half for a category
    # Whether queries list items that the user disliked before as seen, so that they are not
    # recommended; if the user takes such an item nevertheless, it cannot be found.
    exclude_negatives: bool = False
    shards: int = 4
    time_buckets: int = 64  # popularity is known up to the start of the bucket an event falls into
    max_reject_share: float = 0.2  # more rejected events than this stop the job
    # A log that is damaged or cut off stops the job; or its rows are kept up to the block of 4 MiB
    # with the damage, and the report and the rejects name the file.
    unreadable_files: Literal["stop", "reject"] = "stop"
    statistics: bool = True  # whether the job writes statistics.json and anomalies.json
    # Distinct values, numbers and days of a column that are counted exactly; beyond it they are
    # estimated from this many, and statistics.json says with what error.
    statistics_values: int = 16_384
    statistics_top: int = 20  # most frequent values listed of a column
    statistics_categories: int = 1_000  # of a category column, and kinds of events
    anomaly_previous: str = ""  # a former data folder whose statistics are compared; "" for none
    anomaly_stop: bool = False  # whether an anomaly that is an error stops the job
    # Anomalies that are errors; all others are warnings.
    anomaly_errors: tuple[AnomalyRule, ...] = (
        "equal times", "future times", "vanished column", "changed type", "vanished kind",
        "volume drop",
    )  # fmt: skip
    anomaly_missing: float = 0.5  # share of missing cells, or of items without title or media
    anomaly_rejected: float = 0.05  # share of rejected events
    anomaly_single_events: float = 0.5  # share of users with one event only
    anomaly_without_events: float = 0.5  # share of items without any event
    anomaly_dominant: float = 0.1  # share of all events that one user or one item has
    # Against the former run. Distances are allowed besides what chance makes of as many rows.
    anomaly_divergence: float = 0.1  # Jensen-Shannon, in bits, from 0 to 1
    anomaly_difference: float = 0.1  # L-infinity: the largest difference of a value's share
    anomaly_new: float = 0.0  # share of rows with values, or kinds, that were not there
    anomaly_vanished: float = 0.0  # share of former rows with values that are gone
    anomaly_drop: float = 0.5  # share by which rows, in total or of a day, may be fewer
    anomaly_jump: float = 1.0  # and by which they may be more; 1 is twice as many
    # Items this many steps of a user apart are counted as neighbours; 0 counts none.
    transition_window: int = 8
    transition_half_life: float = 2.0  # steps that halve the weight of a pair of items
    transition_half_life_days: float = 0.0  # age that halves it again; 0 lets no age count
    transition_top: int = 100  # neighbours kept of one item
