"""When events happened: texts of several units and of ISO 8601 as seconds, a whole column at a
time.

How a cell is read depends on the cell and the configuration alone, not on its neighbours.
"""

import dataclasses
import decimal
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.iso_times import iso_seconds
from tfrs_mm.config import DataConfig
from tfrs_mm.log_settings import moment_of

_LIMIT = 2.0**53  # from here on a float holds no whole second
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of a second's fraction
# Numbers below it are of this unit, beyond all of them nanoseconds: as seconds 1e11 is the year
# 5138, as milliseconds it is 1973; so it goes on.
_BELOW = {"s": 1e11, "ms": 1e14, "us": 1e17}
_PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"  # what Arrow and Python surely read alike


@dataclasses.dataclass(frozen=True)
class TimeRules:
    """How timestamps are read, and which may be.

    Attributes:
        unit: of numbers; see `data.time_unit`.
        earliest: seconds since 1970 that a timestamp must not lie before.
        latest: seconds since 1970 that it must not lie behind.
    """

    unit: str = "auto"
    earliest: float = -math.inf
    latest: float = math.inf

    @classmethod
    def of(cls, settings: DataConfig) -> "TimeRules":
        """Those of a configuration."""
        earliest, latest = moment_of(settings.min_time), moment_of(settings.max_time)
        return cls(
            settings.time_unit,
            -math.inf if earliest is None else earliest,
            math.inf if latest is None else latest,
        )


ANY_TIME = TimeRules()


def read_times(
    texts: pa.Array, orders: pa.Array | None, rules: TimeRules
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, np.ndarray]]]:
    """Numbers to order events by, whether the timestamp is empty, and what is wrong where.

    Args:
        texts: `[n]` timestamps; where one is empty, the order counts, and else 0.
        orders: `[n]` numbers without a unit, if the log has them.
        rules: of the timestamps.

    Returns:
        `[n]` float64 (seconds since 1970 where there is a timestamp, 0 where a fault holds), `[n]`
        bool, and faults with their `[n]` bool.
    """
    empty = pc.equal(texts, "")
    untimed = empty.to_numpy(zero_copy_only=False)
    ordered = np.zeros(len(texts))
    if orders is not None and untimed.any():
        ordered = numbers_of(pc.if_else(pc.and_(empty, pc.not_equal(orders, "")), orders, "0"))
    times = np.where(untimed, ordered, _seconds(pc.if_else(empty, "0", texts), rules.unit))
    no_time = ~np.isfinite(times)
    too_large = ~no_time & (np.abs(times) >= _LIMIT)
    times = np.where(no_time | too_large, 0.0, times)
    legal = ~(untimed | no_time | too_large)
    expected = {"auto": "neither a number nor an ISO 8601 time", "iso": "no ISO 8601 time"}
    faults = [
        (f"timestamp is {expected.get(rules.unit, 'no number')}", no_time & ~untimed),
        ("order is no number", no_time & untimed),
        ("timestamp or order is 2**53 seconds or beyond", too_large),
    ]
    if rules.earliest > -math.inf:
        faults.append(("timestamp is before data.min_time", legal & (times < rules.earliest)))
    if rules.latest < math.inf:
        faults.append(("timestamp is after data.max_time", legal & (times > rules.latest)))
    return times, untimed, faults


def numbers_of(texts: pa.Array) -> np.ndarray:
    """`[n]` float64 as Python reads them, NaN where a text is no number."""
    numbers = _all_numbers(texts)
    if numbers is not None:
        return numbers
    plain = pc.match_substring_regex(texts, _PLAIN)
    numbers = _all_numbers(pc.if_else(plain, texts, "nan")).copy()
    odd = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    encoded = texts.take(pa.array(odd)).dictionary_encode()
    read = np.array([_number(text) for text in encoded.dictionary.to_pylist()], np.float64)
    numbers[odd] = read[encoded.indices.to_numpy()]
    return numbers


def _seconds(texts: pa.Array, unit: str) -> np.ndarray:
    """`[n]` seconds since 1970, not finite where a text is no time."""
    if unit == "iso":
        return iso_seconds(texts)
    if unit != "auto":
        numbers = numbers_of(texts)
        return _scaled(texts, numbers, np.full(len(texts), _DIGITS[unit]))
    numbers = _all_numbers(texts)
    if numbers is not None:
        return _scaled(texts, numbers, _digits_by_size(numbers))
    plain = pc.match_substring_regex(texts, _PLAIN)
    others = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    iso = np.full(len(texts), np.nan)
    iso[others] = iso_seconds(texts.take(pa.array(others)))
    is_iso = ~np.isnan(iso)
    numbers = numbers_of(pc.if_else(pa.array(is_iso), "nan", texts))
    return np.where(is_iso, iso, _scaled(texts, numbers, _digits_by_size(numbers)))


def _digits_by_size(numbers: np.ndarray) -> np.ndarray:
    size = np.abs(numbers)
    units = [size < limit for limit in _BELOW.values()]
    return np.select(units, [_DIGITS[unit] for unit in _BELOW], _DIGITS["ns"])


def _scaled(texts: pa.Array, numbers: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """The numbers with their decimal point so many digits to the left."""
    times = numbers / 10.0**digits
    # Nanoseconds are more digits than a float holds: a full second could fall into the one before.
    coarse = np.isfinite(numbers) & (np.abs(numbers) >= _LIMIT) & (digits > 0)
    for places in np.unique(digits[coarse]):
        rows = np.flatnonzero(coarse & (digits == places))
        written = texts.take(pa.array(rows))
        plain = pc.match_substring_regex(written, _PLAIN)
        shifted = pc.binary_join_element_wise(written, f"e-{places}", "")
        times[rows] = numbers_of(pc.if_else(plain, shifted, "0"))
        for place in np.flatnonzero(~plain.to_numpy(zero_copy_only=False)):
            exact = decimal.Decimal(written[place].as_py()).scaleb(-int(places))
            times[rows[place]] = float(exact)
    return times


def _all_numbers(texts: pa.Array) -> np.ndarray | None:
    """The numbers, or None if some text is none that Arrow reads."""
    try:
        return pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
