"""The configuration: a tree of frozen dataclasses, read from TOML or JSON, overridden by dotted
path.

Whatever is wrong with a file or an override is reported in one error that lists all of it. No
TensorFlow here: jobs, models, exports and servers read this file.
"""

import dataclasses
import datetime
import json
import math
import os
import pathlib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tfrs_mm import log_settings
from tfrs_mm.artefacts import fingerprint_of
from tfrs_mm.errors import UserError

PRESETS_DIR = pathlib.Path(__file__).parent / "presets"

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


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole tree. The defaults are the `base` preset."""

    data: DataConfig = DataConfig()
    encoders: EncodersConfig = EncodersConfig()
    fusion: FusionConfig = FusionConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    index: IndexConfig = IndexConfig()
    ranking: RankingConfig = RankingConfig()
    training: TrainingConfig = TrainingConfig()
    export: ExportConfig = ExportConfig()

    def __post_init__(self) -> None:
        faults = _illegal_values(self)
        if faults:
            raise UserError("the configuration has illegal values:\n  " + "\n  ".join(faults))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written beside every artefact."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def fingerprint(self, *sections: str) -> str:
        """The fingerprint of these sections, or of the whole tree."""
        values = self.to_dict()
        return fingerprint_of({name: values[name] for name in sections} if sections else values)

    def with_overrides(self, overrides: Mapping[str, Any]) -> "Config":
        """A copy with values replaced by dotted path, such as `{"retrieval.temperature": 0.05}`.

        Raises:
            UserError: lists every unknown path, wrong type and illegal value.
        """
        tree: dict[str, Any] = {}
        for path, value in overrides.items():
            *parents, leaf = path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
                if not isinstance(node, dict):
                    raise UserError(f"override {path!r}: {parent!r} is set to a value as well.")
            node[leaf] = value
        return config_from_dict(tree, base=self)


def config_from_dict(values: Mapping[str, Any], base: Config | None = None) -> Config:
    """A configuration from nested plain values; what is not said comes from `base`.

    Raises:
        UserError: lists every unknown key, wrong type and illegal value.
    """
    faults: list[str] = []
    config = _replace(base if base is not None else Config(), values, "", faults)
    if faults:
        raise UserError("the configuration has faults:\n  " + "\n  ".join(faults))
    return dataclasses.replace(config)


def load_config(
    path: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    preset: str = "base",
    base: Config | None = None,
) -> Config:
    """The configuration of a preset, a file and `key=value` overrides, each on top of the one
    before.

    Args:
        path: a TOML or JSON file; its key `preset` names the preset it starts from.
        overrides: `dotted.path=value`, the value in TOML's notation; bare words are strings.
        preset: the preset to start from, unless the file names one.
        base: what to start from instead of `preset`, unless the file names a preset.

    Raises:
        UserError: no such file or preset, no valid TOML or JSON, or a fault that `config_from_dict`
            lists.
    """
    values = _read(pathlib.Path(path)) if path is not None else {}
    if "preset" in values or base is None:
        base = _preset(values.pop("preset", preset))
    config = config_from_dict(values, base=base)
    return config.with_overrides(dict(_parse_override(override) for override in overrides))


def _preset(name: str) -> Config:
    presets = sorted(file.stem for file in PRESETS_DIR.glob("*.toml"))
    if name not in presets:
        raise UserError(f"preset {name!r} does not exist. Choose one of {presets}.")
    return config_from_dict(_read(PRESETS_DIR / f"{name}.toml"))


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"configuration file {path} does not exist.")
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"configuration file {path} cannot be read: {error}") from error


def _parse_override(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise UserError(
            f"--set takes key=value, such as retrieval.temperature=0.05; received {text!r}."
        )
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()


def _replace(node: Any, values: Mapping[str, Any], prefix: str, faults: list[str]) -> Any:
    if not isinstance(values, Mapping):
        faults.append(f"{prefix.rstrip('.')}: is a section, received {values!r}")
        return node
    hints = typing.get_type_hints(type(node))
    changes = {}
    for key, value in values.items():
        name = prefix + key
        if key not in hints:
            faults.append(f"{name}: unknown; known here are {', '.join(hints)}")
        elif dataclasses.is_dataclass(hints[key]):
            changes[key] = _replace(getattr(node, key), value, name + ".", faults)
        else:
            converted, fault = _convert(value, hints[key])
            if fault:
                faults.append(f"{name}: must be {fault}, received {value!r}")
            else:
                changes[key] = converted
    try:
        return dataclasses.replace(node, **changes)
    except UserError as error:
        faults.append(str(error))
        return node


def _convert(value: Any, hint: Any) -> tuple[Any, str | None]:
    """`(value of the hinted type, None)`, or `(None, what it must be)`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return (
            (value, None)
            if value in arguments
            else (None, "one of " + ", ".join(map(repr, arguments)))
        )
    if origin is tuple:
        if isinstance(value, list | tuple):
            pairs = [_convert(entry, arguments[0]) for entry in value]
            if all(fault is None for _, fault in pairs):
                return tuple(entry for entry, _ in pairs), None
        choices = ", ".join(map(repr, typing.get_args(arguments[0])))
        return None, f"a list of {choices or arguments[0].__name__}"
    if origin is types.UnionType:
        raise AssertionError("no field of the configuration is a union")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value), None
    if hint is str and isinstance(value, datetime.date):
        return value.isoformat(), None  # TOML reads a date or time without quotes as such
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value, None
    return None, {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}[
        hint
    ]


def _illegal_values(config: Config) -> list[str]:
    """One line for each value that has the right type but makes no sense."""
    faults = []

    def demand(holds: bool, name: str, rule: str, value: Any) -> None:
        if not holds:
            faults.append(f"{name}: must be {rule}, received {value!r}")

    retrieval, ranking, data = config.retrieval, config.ranking, config.data
    for name, value in {
        "data.max_history": data.max_history,
        "data.shards": data.shards,
        "data.time_buckets": data.time_buckets,
        "data.max_categories": data.max_categories,
        "data.transition_top": data.transition_top,
        "fusion.reduced_dim": config.fusion.reduced_dim,
        "retrieval.dim": retrieval.dim,
        "retrieval.layers": retrieval.layers,
        "retrieval.heads": retrieval.heads,
        "retrieval.batch_size": retrieval.batch_size,
        "retrieval.in_batch_negatives": retrieval.in_batch_negatives,
        "retrieval.max_epochs": retrieval.max_epochs,
        "retrieval.patience": retrieval.patience,
        "ranking.candidates": ranking.candidates,
        "ranking.cross_layers": ranking.cross_layers,
        "ranking.negatives": ranking.negatives,
        "ranking.max_examples": ranking.max_examples,
        "ranking.batch_size": ranking.batch_size,
        "training.evaluation_batch": config.training.evaluation_batch,
        "training.max_validation_queries": config.training.max_validation_queries,
        "export.k": config.export.k,
    }.items():
        demand(value >= 1, name, "at least 1", value)
    for name, value in {
        "fusion.modality_dropout": config.fusion.modality_dropout,
        "fusion.id_dropout": config.fusion.id_dropout,
        "retrieval.dropout": retrieval.dropout,
        "ranking.dropout": ranking.dropout,
        "ranking.holdout": ranking.holdout,
        "retrieval.average_decay": retrieval.average_decay,
    }.items():
        demand(0.0 <= value < 1.0, name, "at least 0 and below 1", value)
    demand(
        0.0 <= data.max_reject_share <= 1.0,
        "data.max_reject_share",
        "from 0 to 1",
        data.max_reject_share,
    )
    for name, value in {
        "data.max_events_per_hour": data.max_events_per_hour,
        "data.min_user_events": data.min_user_events,
        "data.min_item_events": data.min_item_events,
    }.items():
        demand(value >= 0, name, "0 or more", value)
    faults += _anomaly_faults(data)
    demand(math.isfinite(data.min_rating), "data.min_rating", "finite", data.min_rating)
    faults += _log_faults(data)
    window, half_life = data.transition_window, data.transition_half_life
    days = data.transition_half_life_days
    demand(window >= 0, "data.transition_window", "0 or more", window)
    demand(half_life > 0, "data.transition_half_life", "above 0", half_life)
    demand(days >= 0, "data.transition_half_life_days", "0 or more", days)
    faults += _encoder_faults(config.encoders)
    scale = config.fusion.content_scale
    demand(scale > 0, "fusion.content_scale", "above 0", scale)
    demand(retrieval.temperature > 0, "retrieval.temperature", "above 0", retrieval.temperature)
    demand(
        retrieval.learning_rate > 0, "retrieval.learning_rate", "above 0", retrieval.learning_rate
    )
    demand(ranking.learning_rate > 0, "ranking.learning_rate", "above 0", ranking.learning_rate)
    negatives = retrieval.uniform_negatives
    demand(negatives >= 0, "retrieval.uniform_negatives", "0 or more", negatives)
    if retrieval.heads >= 1:
        demand(
            retrieval.dim % retrieval.heads == 0,
            "retrieval.dim",
            f"a multiple of retrieval.heads ({retrieval.heads})",
            retrieval.dim,
        )
    demand(
        config.export.k <= ranking.candidates,
        "export.k",
        f"at most ranking.candidates ({ranking.candidates})",
        config.export.k,
    )
    return faults


def _log_faults(data: DataConfig) -> list[str]:
    """One line for each entry of the section `data` that is more than a number and makes no
    sense."""
    item_columns = (*log_settings.ITEM_COLUMNS, *data.category_columns)
    return [
        *log_settings.column_faults(
            data.interaction_columns, log_settings.LOG_COLUMNS, "data.interaction_columns"
        ),
        *log_settings.column_faults(data.item_columns, item_columns, "data.item_columns"),
        *log_settings.weight_faults(data.events, "data.events"),
        *log_settings.moment_faults(
            data.min_time, data.max_time, ("data.min_time", "data.max_time")
        ),
    ]


def _anomaly_faults(data: DataConfig) -> list[str]:
    """One line for each setting of statistics and anomalies that makes no sense."""
    faults = []
    for name, least in {
        "statistics_values": 100,  # the error of an estimate from fewer is no use
        "statistics_top": 1,
        "statistics_categories": 1,
    }.items():
        value = getattr(data, name)
        if value < least:
            faults.append(f"data.{name}: must be at least {least}, received {value!r}")
    for name in (
        "missing", "rejected", "single_events", "without_events", "dominant", "divergence",
        "difference", "new", "vanished", "drop",
    ):  # fmt: skip
        value = getattr(data, f"anomaly_{name}")
        if not 0.0 <= value <= 1.0:
            faults.append(f"data.anomaly_{name}: must be from 0 to 1, received {value!r}")
    if not data.anomaly_jump >= 0.0:
        faults.append(f"data.anomaly_jump: must be 0 or more, received {data.anomaly_jump!r}")
    if not data.statistics and (data.anomaly_stop or data.anomaly_previous):
        faults.append(
            "data.statistics: must be true for data.anomaly_stop and data.anomaly_previous, "
            "received False"
        )
    return faults


def _encoder_faults(encoders: EncodersConfig) -> list[str]:
    """One line for each entry of the section `encoders` that makes no sense."""
    faults = []
    for name in ("image", "text", "audio", "video"):
        chosen: EncoderConfig = getattr(encoders, name)
        sources = [key for key in ("file", "column") if getattr(chosen, key)]
        wanted = {"given": (["file"], ["column"]), "saved_model": (["file"],)}
        if chosen.kind in wanted and sources not in wanted[chosen.kind]:
            rule = "either a file or a column" if chosen.kind == "given" else "a file, no column"
            faults.append(
                f"encoders.{name}: kind {chosen.kind!r} must have {rule}, received file "
                f"{chosen.file!r} and column {chosen.column!r}"
            )
        if chosen.kind not in wanted and sources:
            faults.append(
                f"encoders.{name}.{sources[0]}: must be empty unless kind is one of "
                f"{', '.join(map(repr, wanted))}, received {getattr(chosen, sources[0])!r}"
            )
    if not encoders.outlier_z > 0:
        faults.append(f"encoders.outlier_z: must be above 0, received {encoders.outlier_z!r}")
    cosine = encoders.near_duplicate_cosine
    if not 0 < cosine <= 1:
        faults.append(
            f"encoders.near_duplicate_cosine: must be above 0 and at most 1, received {cosine!r}"
        )
    if encoders.exact_near_duplicates < 0:
        faults.append(
            "encoders.exact_near_duplicates: must be 0 or more, received "
            f"{encoders.exact_near_duplicates!r}"
        )
    return faults
