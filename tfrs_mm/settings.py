"""The sections of the configuration: every setting there is, with its default and what it means."""

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
    # rejected. So far only the sign of a weight counts: a negative kind is kept as negative
    # feedback, and is never history, positive or target. Without entries every kind is positive.
    events: tuple[str, ...] = ()
    min_rating: float = 0.0  # rated events (column rating) below it are negative feedback; 0 is off
    max_events_per_hour: int = 0  # users with more in some hour are left out as robots; 0 is off
    # The k-core of the whole log: users and items with fewer events, each item of a user counted
    # once, are left out again and again until none is left; 0 is off.
    min_user_events: int = 0
    min_item_events: int = 0
    # Those of these columns that items.csv has are read as categories; the job says which it found.
    category_columns: tuple[str, ...] = ("genres", "genre", "categories", "type")
    category_separator: str = "|"
    max_categories: int = 8  # values kept of one item and column
    split: Literal["leave_one_out", "temporal"] = "leave_one_out"
    max_history: int = 50
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


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The encoder of one modality.

    `auto` takes the pretrained one where its weights are installed and else trains a small one on
    the catalogue's own media, and says which; `saved_model` takes an exported encoder of yours,
    `given` takes embeddings of yours as they are; `none` leaves the modality out.
    """

    kind: Literal["auto", "pretrained", "small", "saved_model", "given", "none"] = "auto"
    # saved_model: the encoder's folder. given: a file below the input folder, .parquet (columns
    # item_id and embedding), .npz (arrays item_ids and embeddings), or .npy with the ids, one a
    # line, beside it in a file of the same name that ends in .ids.txt.
    file: str = ""
    column: str = ""  # given: instead of a file, a column of the catalogue with JSON lists
    size_px: int = 224  # side of an image or a frame, pretrained encoder
    frames: int = 8  # of a video
    max_seconds: float = 30.0  # of a sound
    max_bytes: int = 64 * 2**20  # of a file; larger ones are rejected
    max_pixels: int = 50_000_000  # of a picture; larger ones are rejected
    small_dim: int = 64  # embedding of the small encoder
    small_size_px: int = 64  # side of an image or a frame, small encoder
    small_epochs: int = 12
    batch_size: int = 32


@dataclasses.dataclass(frozen=True)
class EncodersConfig:
    """One encoder for each modality, where embeddings are kept, and what is told of them."""

    image: EncoderConfig = EncoderConfig()
    text: EncoderConfig = EncoderConfig()
    audio: EncoderConfig = EncoderConfig()
    video: EncoderConfig = EncoderConfig()
    # Keeps embeddings by the content of what was embedded, for later runs; empty keeps none.
    cache_dir: str = ""
    # Of TensorFlow in each worker process, such as 1 where each core has a worker; 0 leaves it at
    # one for each core. The last bits of embeddings depend on it.
    threads: int = 0
    outlier_z: float = 4.0  # standard deviations from the mean at which an item is an outlier
    near_duplicate_cosine: float = 0.98  # of the embeddings of two items that are all but the same
    # Among so many different embeddings near duplicates are found exactly, among more by hashing.
    exact_near_duplicates: int = 20_000


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """How an item's modalities become one vector."""

    kind: Literal["concat", "gated"] = "gated"
    reduced_dim: int = 128  # of each modality's stored embedding, by PCA
    # Of each modality's vector, which has length 1 on average; with a larger one content learns
    # faster than ids, which suits catalogues where few interactions meet much content.
    content_scale: float = 1.0
    modality_dropout: float = 0.1
    id_dropout: float = (
        0.1  # share of items whose id is hidden in training, so that content carries cold ones
    )


@dataclasses.dataclass(frozen=True)
class RetrievalConfig:
    """The two towers and how they are trained against each other."""

    dim: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.2
    similarity: Literal["cosine", "dot"] = "cosine"  # of query and candidate
    temperature: float = 0.07
    in_batch_negatives: int = 1024  # drawn from the batch's targets and shared by all its queries
    uniform_negatives: int = 512  # drawn from all items with events besides
    log_q_correction: bool = True
    remove_accidental_hits: bool = True
    mask_history: bool = True  # items of the user's own window are no negatives
    batch_size: int = 64  # windows of `data.max_history` positions, over all replicas
    learning_rate: float = 0.002
    weight_decay: float = 0.0
    average_decay: float = (
        0.99  # of the weights' moving average, which is evaluated and exported; 0 is none
    )
    max_epochs: int = 60
    patience: int = 6  # epochs without a better validation NDCG@10


@dataclasses.dataclass(frozen=True)
class IndexConfig:
    """How the corpus is searched."""

    kind: Literal["exact", "scann"] = "exact"
    leaves: int = 0  # 0 chooses: about sqrt(corpus) from 100,000 items on, else none
    leaves_to_search: int = 0  # 0 chooses a tenth of the leaves
    reordering: int = 0  # candidates re-scored exactly; 0 chooses four times the number asked for


@dataclasses.dataclass(frozen=True)
class RankingConfig:
    """The DCN-v2 ranker over what retrieval returned."""

    candidates: int = 200
    # Newest share of each user's training events that retrieval leaves to the ranker; with 0 both
    # learn from all of them.
    holdout: float = 0.1
    cross_layers: int = 2
    projection_dim: int = 8  # rank of a cross layer's kernel; 0 is full
    hidden: tuple[int, ...] = (32,)
    dropout: float = 0.2
    category_dim: int = 8
    # Share of candidates that are shown in training as if they were new, without popularity and
    # item-to-item statistics, so that new items are not ranked down for having none.
    hide_events: float = 0.2
    negatives: int = 63  # of each positive, drawn from what retrieval returned for it
    max_examples: int = 20_000  # the newest positives of the training range
    batch_size: int = 128
    learning_rate: float = 0.0005
    max_epochs: int = 20
    patience: int = 4


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """What holds for both stages."""

    seed: int = 1
    strategy: Literal["default", "mirrored", "multi-worker", "tpu"] = "default"
    jit_compile: bool = False
    evaluation_batch: int = 256
    max_validation_queries: int = (
        20_000  # drawn by seed; the validation after each epoch asks no more
    )


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """The served model."""

    k: int = 20
