"""ISO 8601 texts as seconds since 1970, a whole column at a time.

Read are calendar dates with or without a time of day, such as 2024-05-01, 2024-05-01T12:30Z and
2024-05-01 12:30:00.25 +02:00. Without a zone they are UTC, without a time of day its first moment.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PATTERN = (
    r"^\s*(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r" ?(?:[Zz]|UTC|(?P<sign>[+-])(?P<zone_hours>\d\d):?(?P<zone_minutes>\d\d)?)?)?\s*$"
)
# The part of it that Arrow reads alike.
_COMMON = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?Z?$"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_MICROSECONDS = 1_000_000


def iso_seconds(texts: pa.Array) -> np.ndarray:
    """`[n]` float64 seconds since 1970, NaN where a text is no moment that the calendar has."""
    common = pc.match_substring_regex(texts, _COMMON)
    seconds = _common_seconds(pc.if_else(common, texts, "1970-01-01 00:00:00"))
    if seconds is None:
        return _any_seconds(texts)
    others = np.flatnonzero(~common.to_numpy(zero_copy_only=False))
    if len(others):
        seconds[others] = _any_seconds(texts.take(pa.array(others)))
    return seconds


def _common_seconds(texts: pa.Array) -> np.ndarray | None:
    """The seconds of texts of the common form, None if the calendar lacks one."""
    try:
        times = pc.cast(pc.utf8_rtrim(texts, "Z"), pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return _rounded(times.cast(pa.int64()).to_numpy())


def _rounded(microseconds: np.ndarray) -> np.ndarray:
    """The float64 seconds that are nearest, before 1970 too."""
    whole, part = np.divmod(microseconds, _MICROSECONDS)
    # One division rounds once, but only what float64 holds exactly; so far from 1970 that it does
    # not, the sum cannot be rounded wrongly.
    return np.where(
        np.abs(microseconds) < 2**53, microseconds / _MICROSECONDS, whole + part / _MICROSECONDS
    )


def _any_seconds(texts: pa.Array) -> np.ndarray:
    parts = pc.extract_regex(texts, _PATTERN)

    def number(name: str) -> np.ndarray:
        """The digits of a group, 0 where it or the whole pattern is not met."""
        digits = pc.fill_null(pc.struct_field(parts, name), "")
        digits = pc.if_else(pc.equal(digits, ""), "0", digits)
        return digits.cast(pa.int64()).to_numpy(zero_copy_only=False)

    year, month, day, hour, minute, second = map(
        number, ("year", "month", "day", "hour", "minute", "second")
    )
    zone_hours, zone_minutes = number("zone_hours"), number("zone_minutes")
    months = (year - 1970) * 12 + month - 1
    dates = months.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    # A day that a month has not falls into another month.
    legal = (
        pc.is_valid(parts).to_numpy(zero_copy_only=False)
        & (dates.astype("datetime64[M]").astype(np.int64) == months)
        & (month >= 1)
        & (month <= 12)
        & (hour < 24)
        & (minute < 60)
        & (second < 60)
        & (zone_hours < 24)
        & (zone_minutes < 60)
    )
    west = pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), "-"), False)
    east_of_utc = zone_hours * _HOUR + zone_minutes * _MINUTE
    east_of_utc[west.to_numpy(zero_copy_only=False)] *= -1
    whole = dates.astype(np.int64) * _DAY + hour * _HOUR + minute * _MINUTE + second - east_of_utc
    fraction = pc.utf8_rpad(pc.fill_null(pc.struct_field(parts, "fraction"), ""), 7, "0")
    millionths = pc.utf8_slice_codeunits(fraction, 0, 6).cast(pa.int64())
    beyond = pc.binary_join_element_wise("0.000000", pc.utf8_slice_codeunits(fraction, 6), "")
    seconds = _rounded(whole * _MICROSECONDS + millionths.to_numpy(zero_copy_only=False))
    seconds = seconds + beyond.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(legal, seconds, np.nan)
