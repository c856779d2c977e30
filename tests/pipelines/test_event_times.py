import datetime
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.event_times import TimeRules, numbers_of, read_times
from pipelines.iso_times import iso_seconds
from tfrs_mm.config import DataConfig


def read(texts, unit="auto", orders=None, **limits) -> tuple[list[float], list[str | None]]:
    """Times, and the first fault of each."""
    columns = [None if column is None else pa.array(column, pa.string()) for column in
               (texts, orders)]  # fmt: skip
    times, _, faults = read_times(*columns, TimeRules(unit, **limits))
    said = [
        next((reason for reason, holds in faults if holds[place]), None)
        for place in range(len(texts))
    ]
    return times.tolist(), said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1714521600", 1714521600),
        ("99999999999", 99999999999),  # the last second: the year 5138
        ("100000000000", 100000000),  # the first millisecond: 1973
        ("1714521600250", 1714521600.25),
        ("99999999999999", 99999999999.999),
        ("100000000000000", 100000000),  # the first microsecond
        ("1714521600250000", 1714521600.25),
        ("100000000000000000", 100000000),  # the first nanosecond
        ("1714521600250000000", 1714521600.25),
        ("-1714521600250", -1714521600.25),
        ("1.7145216e9", 1714521600),
        ("0", 0),
    ],
)
def test_the_size_of_a_number_tells_its_unit(text, seconds):
    assert read([text]) == ([seconds], [None])
    # Whatever stands beside it.
    assert read(["x", text, "2024-05-01", "7"])[0] == [0, seconds, 1714521600, 7]


@pytest.mark.parametrize(("unit", "divisor"), {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}.items())
def test_a_unit_that_is_named_holds_for_all(unit, divisor):
    times, faults = read(["5", "1714521600000", "2024-05-01"], unit)
    assert times[:2] == [5 / divisor, 1714521600000 / divisor]
    assert faults == [None, None, "timestamp is no number"]


def test_iso_times_alone():
    times, faults = read(["2024-05-01", "1714521600", ""], "iso", ["", "", "3"])
    assert times == [1714521600, 0, 3]
    assert faults == [None, "timestamp is no ISO 8601 time", None]


def test_the_order_has_no_unit():
    # 1e11 would be a millisecond as a timestamp.
    assert read(["", "", ""], orders=["100000000000", "", "x"]) == (
        [1e11, 0, 0],
        [None, None, "order is no number"],
    )
    assert read(["", "5"], "ms", ["7000", "9000"])[0] == [7000, 0.005]


def test_what_a_float_cannot_hold_is_rejected():
    said = "timestamp or order is 2**53 seconds or beyond"
    assert read(["9007199254740992"], "s")[1] == [said]
    assert read(["9007199254740991"], "s")[1] == [None]
    assert read(["1e25"])[1] == [said]  # 1e16 seconds
    assert read([""], orders=["-9007199254740992"])[1] == [said]


def test_limits_are_moments_of_the_configuration():
    rules = TimeRules.of(DataConfig(min_time="1970-01-01T00:00:05Z", max_time="7.5"))
    assert (rules.earliest, rules.latest) == (5, 7.5)
    assert TimeRules.of(DataConfig()) == TimeRules("auto", -math.inf, math.inf)
    _, faults = read(["4.9", "5", "7.5", "7.6", "", "x"], earliest=5, latest=7.5)
    assert faults == [
        "timestamp is before data.min_time", None, None, "timestamp is after data.max_time",
        None, "timestamp is neither a number nor an ISO 8601 time",
    ]  # fmt: skip


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2 * 10**9).map(lambda s: s * 10**9)),
    st.sampled_from(["us", "ns"]),
)
def test_whole_numbers_of_a_unit_are_divided_as_if_they_had_no_end(ticks, unit):
    per_second = {"us": 10**6, "ns": 10**9}[unit]
    times, _ = read([str(tick) for tick in ticks], unit)
    # Python divides whole numbers to the nearest float.
    assert times == [tick / per_second for tick in ticks]
    odd, _ = read([f"{tick // 10}.{abs(tick) % 10}e1" for tick in ticks if tick > 0], unit)
    assert odd == [tick / per_second for tick in ticks if tick > 0]


moments = st.datetimes(
    timezones=st.just(datetime.UTC)
    | st.integers(-1439, 1439).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m)))
)


BEFORE_1970 = datetime.datetime(1969, 12, 31, 23, 59, 58, 999_996, tzinfo=datetime.UTC)


@given(st.lists(st.tuples(moments, st.sampled_from("T "), st.booleans()), max_size=8))
@example([(BEFORE_1970, "T", False)])
def test_iso_times_are_those_of_python(rows):
    texts = [
        moment.isoformat(sep).replace("+00:00", "Z" if is_short else "+00:00")
        for moment, sep, is_short in rows
    ]
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    expected = [(moment - epoch).total_seconds() for moment, _, _ in rows]
    np.testing.assert_array_equal(iso_seconds(pa.array(texts, pa.string())), expected)
    # Arrow reads the capital T only.
    unusual = pa.array([text.replace("T", "t") for text in texts], pa.string())
    np.testing.assert_array_equal(iso_seconds(unusual), expected)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-05-01", 1714521600),
        ("2024-05-01T00:00", 1714521600),
        ("2024-05-01t00:00:01z", 1714521601),
        (" 2024-05-01 00:00:00 UTC ", 1714521600),
        ("2024-05-01 02:00:00+02:00", 1714521600),
        ("2024-04-30 22:30-0130", 1714521600),
        ("2024-05-01T02+02", math.nan),  # minutes are needed
        ("2024-05-01T00:00:00.5", 1714521600.5),
        ("2024-05-01T00:00:00,123456789", 1714521600.123456789),
        ("1969-12-31T23:59:59.25Z", -0.75),
        ("2024-02-29", 1709164800),  # 2024-02-28 is second 1709078400
        ("2023-02-29", math.nan),
        ("2024-00-10", math.nan),
        ("2024-13-01", math.nan),
        ("2024-05-00", math.nan),
        ("2024-05-32", math.nan),
        ("2024-05-01T24:00:00", math.nan),
        ("2024-05-01T00:60:00", math.nan),
        ("2024-05-01T00:00:00+24:00", math.nan),
        ("20240501", math.nan),
        ("2024-05-01Z", math.nan),
        ("2024-05-01T00:00:00Z and more", math.nan),
        ("٢٠٢٤-05-01", math.nan),
        ("", math.nan),
    ],
)
def test_what_is_an_iso_time(text, seconds):
    np.testing.assert_array_equal(iso_seconds(pa.array([text])), [seconds])


number_like = st.text("0123456789.eE+-_ nif", max_size=8) | st.floats().map(str)


@given(st.lists(number_like | st.dates().map(str), max_size=8))
@example(["1", ".5", "5.", "+5", " 5 ", "1_0", "1e400", "-0", "infinity", "nan", ""])
def test_numbers_are_those_of_python_whatever_stands_beside_them(texts):
    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return math.nan

    np.testing.assert_array_equal(numbers_of(pa.array(texts, pa.string())), [*map(number, texts)])


@given(st.lists(number_like | st.dates().map(str) | moments.map(str), min_size=1, max_size=8))
def test_a_cell_is_read_alike_alone_and_among_others(texts):
    times, faults = read(texts)
    alone = [read([text]) for text in texts]
    assert (times, faults) == ([time for (time,), _ in alone], [fault for _, (fault,) in alone])
