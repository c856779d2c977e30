"""The configuration: a tree of frozen dataclasses, read from TOML or JSON, overridden by dotted
path.

Whatever is wrong with a file or an override is reported in one error that lists all of it. No
TensorFlow here: jobs, models, exports and servers read this file.
"""

import dataclasses
import datetime
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
from tfrs_mm.settings import (
    AlignmentConfig,
    DataConfig,
    EncoderConfig,
    EncodersConfig,
    ExportConfig,
    FusionConfig,
    IndexConfig,
    LinearConfig,
    RankingConfig,
    RetrievalConfig,
    SourcesConfig,
    TrainingConfig,
)
from tfrs_mm.settings_checks import illegal_values

__all__ = [
    "AlignmentConfig", "Config", "DataConfig", "EncoderConfig", "EncodersConfig", "ExportConfig",
    "FusionConfig", "IndexConfig", "LinearConfig", "RankingConfig", "RetrievalConfig",
    "SourcesConfig", "TrainingConfig", "config_from_dict", "load_config",
]  # fmt: skip

PRESETS_DIR = pathlib.Path(__file__).parent / "presets"


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole tree. The defaults are the `base` preset."""

    data: DataConfig = DataConfig()
    encoders: EncodersConfig = EncodersConfig()
    fusion: FusionConfig = FusionConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    index: IndexConfig = IndexConfig()
    sources: SourcesConfig = SourcesConfig()
    linear: LinearConfig = LinearConfig()
    ranking: RankingConfig = RankingConfig()
    training: TrainingConfig = TrainingConfig()
    export: ExportConfig = ExportConfig()

    def __post_init__(self) -> None:
        faults = illegal_values(self)
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
