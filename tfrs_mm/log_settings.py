"""What entries of the section `data` mean that are more than a number: renamed columns, weights of
kinds of events, moments.

The configuration is checked by `..._faults`; jobs read legal entries by `..._of`.
"""

import datetime
import math
from collections.abc import Collection, Sequence

LOG_COLUMNS = ("user_id", "item_id", "timestamp", "event", "order", "rating", "duration")
ITEM_COLUMNS = (
    "item_id", "title", "description", "image_path", "audio_path", "video_path",
)  # fmt: skip


def columns_of(entries: Sequence[str]) -> dict[str, str]:
    """Entries such as "user_id=reviewerID" to the table's own names by ours."""
    return {ours.strip(): theirs.strip() for ours, _, theirs in _parted(entries)}


def column_faults(entries: Sequence[str], known: Collection[str], setting: str) -> list[str]:
    """One line for each entry that renames nothing.

    Args:
        entries: the setting's value.
        known: columns that may be renamed.
        setting: its dotted path.
    """
    faults, seen = [], set()
    for entry, (ours, equals, theirs) in zip(entries, _parted(entries), strict=True):
        ours = ours.strip()
        if not (equals and ours and theirs.strip()):
            faults.append(
                f'{setting}: entries must be "ours=theirs", such as "item_id=asin", '
                f"received {entry!r}"
            )
        elif ours not in known:
            faults.append(
                f"{setting}: {ours!r} of {entry!r} is no column that is read; "
                f"known are {', '.join(known)}"
            )
        elif ours in seen:
            faults.append(f"{setting}: {ours!r} must be renamed once, {entry!r} does so again")
        seen.add(ours)
    return faults


def weights_of(entries: Sequence[str]) -> dict[str, float]:
    """Entries such as "purchase=3" to weights by kind of event."""
    return {kind.strip(): float(weight) for kind, _, weight in _parted_last(entries)}


def weight_faults(entries: Sequence[str], setting: str) -> list[str]:
    """One line for each entry that gives no kind a weight."""
    faults, seen = [], set()
    for entry, (kind, equals, weight) in zip(entries, _parted_last(entries), strict=True):
        kind, number = kind.strip(), _number(weight)
        if not (equals and kind and math.isfinite(number) and number != 0.0):
            faults.append(
                f'{setting}: entries must be "kind=weight" with a weight other than 0, such as '
                f'"purchase=3" or "dislike=-1", received {entry!r}'
            )
        elif kind in seen:
            faults.append(f"{setting}: {kind!r} must have one weight, {entry!r} gives another")
        seen.add(kind)
    return faults


def moment_of(text: str) -> float | None:
    """Seconds since 1970 of a number of seconds or an ISO 8601 time (without a zone UTC), None of
    the empty text.

    Raises:
        ValueError: it is neither.
    """
    if not text.strip():
        return None
    number = _number(text)
    if not math.isnan(number):
        if math.isinf(number):
            raise ValueError(f"{text!r} is no moment")
        return number
    moment = datetime.datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def moment_faults(earliest: str, latest: str, settings: tuple[str, str]) -> list[str]:
    """One line for each of two moments that is none, or one if they are the wrong way round.

    Args:
        earliest: the value of the first setting.
        latest: that of the second.
        settings: their dotted paths.
    """
    faults, moments = [], []
    for text, setting in zip((earliest, latest), settings, strict=True):
        try:
            moments.append(moment_of(text))
        except ValueError:
            faults.append(
                f"{setting}: must be seconds since 1970 or an ISO 8601 time, as text, such as "
                f'"2024-05-01T12:00:00Z", or "" for none, received {text!r}'
            )
    if not faults and None not in moments and moments[0] > moments[1]:
        faults.append(f"{settings[0]}: must not lie behind {settings[1]}, received {earliest!r}")
    return faults


def _parted(entries: Sequence[str]) -> list[tuple[str, str, str]]:
    return [entry.partition("=") for entry in entries]


def _parted_last(entries: Sequence[str]) -> list[tuple[str, str, str]]:
    # A kind may hold an equals sign, a weight does not.
    return [entry.rpartition("=") for entry in entries]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
