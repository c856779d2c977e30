"""The configuration: a tree of frozen dataclasses, read from TOML or JSON, overridden by dotted
path.

Whatever is wrong with a file or an override is reported in one error that lists all of it. No
TensorFlow here: jobs, models, exports and servers read this file.
"""

import dataclasses
import json
import os
import pathlib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tfrs_mm.artefacts import fingerprint_of
from tfrs_mm.errors import UserError

PRESETS_DIR = pathlib.Path(__file__).parent / "presets"


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How logs and the catalogue become examples."""

    interactions: str = "interactions.csv"  # a glob below the input folder
    items: str = "items.csv"  # one file below the input folder
    # Those of these columns that items.csv has are read as categories; the job says which it found.
    category_columns: tuple[str, ...] = ("genres", "genre", "categories", "type")
    category_separator: str = "|"
    max_categories: int = 8  # values kept of one item and column
    split: Literal["leave_one_out", "temporal"] = "leave_one_out"
    max_history: int = 50
    shards: int = 4
    time_buckets: int = 64  # popularity is known up to the start of the bucket an event falls into
    max_reject_share: float = 0.2  # more rejected events than this stop the job


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The encoder of one modality.

    `auto` takes the pretrained one where its weights are installed and else trains a small one on
    the catalogue's own media, and says which; `none` leaves the modality out.
    """

    kind: Literal["auto", "pretrained", "small", "none"] = "auto"
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
    """One encoder for each modality."""

    image: EncoderConfig = EncoderConfig()
    text: EncoderConfig = EncoderConfig()
    audio: EncoderConfig = EncoderConfig()
    video: EncoderConfig = EncoderConfig()


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """How an item's modalities become one vector."""

    kind: Literal["concat", "gated"] = "gated"
    reduced_dim: int = 128  # of each modality's stored embedding, by PCA
    modality_dropout: float = 0.2
    id_dropout: float = (
        0.1  # share of items whose id is hidden in training, so that content carries cold ones
    )


@dataclasses.dataclass(frozen=True)
class RetrievalConfig:
    """The two towers and how they are trained against each other."""

    dim: int = 64
    layers: int = 2
    heads: int = 2
    dropout: float = 0.3
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
    projection_dim: int = 32  # rank of a cross layer's kernel; 0 is full
    hidden: tuple[int, ...] = (64,)
    dropout: float = 0.2
    category_dim: int = 8
    negatives: int = 31  # of each positive, drawn from what retrieval returned for it
    max_examples: int = 20_000  # the newest positives of the training range
    batch_size: int = 128
    learning_rate: float = 0.001
    max_epochs: int = 20
    patience: int = 3


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
        return None, f"a list of {arguments[0].__name__}"
    if origin is types.UnionType:
        raise AssertionError("no field of the configuration is a union")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value), None
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
