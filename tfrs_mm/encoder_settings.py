"""What entries of the section `encoders` mean that are more than a number: pairs of modalities,
arguments of a backbone.

The configuration is checked by `..._faults`; jobs read legal entries by `..._of`.
"""

import tomllib
from collections.abc import Sequence
from typing import Any

from tfrs_mm.schema import Modality

# What the encoder decides itself: its inputs are squares of pixels, its weights are checked.
_RESERVED = ("input_shape", "input_tensor", "name", "trainable", "weights", "load_weights")


def pairs_of(entries: Sequence[str]) -> list[tuple[Modality, Modality]]:
    """Entries such as "image=text" to pairs of modalities."""
    return [tuple(map(Modality, _halves(entry))) for entry in entries]


def pair_faults(entries: Sequence[str], setting: str) -> list[str]:
    """One line for each entry that pairs no two modalities, or one that is paired already.

    Args:
        entries: the setting's value.
        setting: its dotted path.
    """
    faults, seen = [], set()
    known = [modality.value for modality in Modality]
    for entry in entries:
        pair = _halves(entry)
        if len(set(pair)) != 2 or not set(pair) <= set(known):
            faults.append(
                f'{setting}: entries must be two modalities, such as "image=text", of '
                f"{', '.join(known)}, received {entry!r}"
            )
        elif seen & set(pair):
            faults.append(
                f"{setting}: {', '.join(sorted(seen & set(pair)))} must be in one pair, "
                f"{entry!r} gives another"
            )
        seen |= set(pair)
    return faults


def arguments_of(entries: Sequence[str]) -> dict[str, Any]:
    """Entries such as "stackwise_filters=[64, 128]" to arguments by name.

    A value is in TOML's notation; bare words are strings.
    """
    return {name.strip(): _value(value) for name, _, value in map(_parted, entries)}


def argument_faults(entries: Sequence[str], setting: str) -> list[str]:
    """One line for each entry that gives no argument a value.

    Args:
        entries: the setting's value.
        setting: its dotted path.
    """
    faults, seen = [], set()
    for entry in entries:
        name, equals, value = _parted(entry)
        name = name.strip()
        if not (equals and name.isidentifier() and value.strip()):
            faults.append(
                f'{setting}: entries must be "name=value", such as "include_rescaling=true", '
                f"received {entry!r}"
            )
        elif name in _RESERVED:
            faults.append(f"{setting}: {name} is not for the configuration, received {entry!r}")
        elif name in seen:
            faults.append(f"{setting}: {name} must have one value, {entry!r} gives another")
        seen.add(name)
    return faults


def _halves(entry: str) -> tuple[str, ...]:
    return tuple(half.strip() for half in entry.split("="))


def _parted(entry: str) -> tuple[str, str, str]:
    return entry.partition("=")


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
