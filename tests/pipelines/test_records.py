import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.event_kinds import KindRules
from pipelines.event_times import TimeRules
from pipelines.id_faults import id_fault
from pipelines.records import check_events
from pipelines.tables import ROW_NUMBER, log_dialect, read_table
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary

ITEMS = Vocabulary(("a", "b", "c"))


def checked(tmp_path, text: str, place: int = 0, **data: object) -> tuple[list[dict], list[dict]]:
    """The usable events of a log, and the rejects."""
    (tmp_path / "log.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    settings = DataConfig(**data)
    events, rejects = [], []
    for batch, _ in read_table(
        str(tmp_path / "log.csv"),
        ("user_id", "item_id", "timestamp", "event", "order", "rating", "duration"),
        log_dialect(settings),
    ):
        good, bad = check_events(
            batch, ITEMS, place, "log.csv", TimeRules.of(settings), KindRules.of(settings)
        )
        events += good.to_pylist()
        rejects += bad
    return events, rejects


def test_an_event_becomes_numbers(tmp_path):
    events, rejects = checked(
        tmp_path, "item_id,user_id,event,timestamp,rating\nb,007,buy,12.75,5\n"
    )
    assert not rejects
    assert events == [
        {
            "user_id": "007",
            "event": "buy",
            "item": 2,
            "time": 12.75,
            "untimed": False,
            "position": 2,
            "negative": False,
        }
    ]


def test_events_of_a_later_file_come_later_in_the_input(tmp_path):
    log = "user_id,item_id,timestamp\n" + "u,a,1\n" * 3
    first, second = (checked(tmp_path, log, place)[0] for place in (0, 1))
    assert max(event["position"] for event in first) < min(event["position"] for event in second)


def test_without_an_event_it_is_an_interaction(tmp_path):
    absent, _ = checked(tmp_path, "user_id,item_id,timestamp\nu,a,1\n")
    empty, _ = checked(tmp_path, "user_id,item_id,timestamp,event\nu,a,1,\nu,b,1,buy\n")
    assert [event["event"] for event in absent] == ["interaction"]
    assert [event["event"] for event in empty] == ["interaction", "buy"]


def test_without_a_timestamp_the_order_counts_and_else_nothing(tmp_path):
    with_order, _ = checked(tmp_path, "user_id,item_id,timestamp,order\nu,a,,7\nu,b,,\nu,c,9,1\n")
    assert [(event["time"], event["untimed"]) for event in with_order] == [
        (7, True),
        (0, True),
        (9, False),
    ]
    without, _ = checked(tmp_path, "user_id,item_id,timestamp\nu,a,\n")
    assert [(event["time"], event["untimed"]) for event in without] == [(0, True)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",a,1,1,e", "user_id is empty"),
        ("u,,1,1,e", "item_id is empty"),
        ("u\x07,a,1,1,e", "user_id has control characters"),
        ('"u\nv",a,1,1,e', "user_id has control characters"),
        ("u,a\x00,1,1,e", "item_id has control characters"),
        ("u,a,1,1,e\x1b", "event has control characters"),
        ("u\udce9,a,1,1,e", "user_id is not UTF-8"),
        ("u,a,yesterday,1,e", "timestamp is neither a number nor an ISO 8601 time"),
        ("u,a,nan,1,e", "timestamp is neither a number nor an ISO 8601 time"),
        ("u,a,inf,1,e", "timestamp is neither a number nor an ISO 8601 time"),
        ("u,a,,first,e", "order is no number"),
        # As nanoseconds 1e16 s, and 2**53 is about 9e15.
        ("u,a,1e25,1,e", "timestamp or order is 2**53 seconds or beyond"),
        ("u,a,,9007199254740992,e", "timestamp or order is 2**53 seconds or beyond"),
        ("u,z,1,1,e", "item_id is not in the catalogue"),
        (",z,x,1,e", "user_id is empty"),  # the first of several faults
    ],
)
def test_what_is_wrong_with_a_row_is_said_and_the_others_go_on(tmp_path, line, reason):
    header = "user_id,item_id,timestamp,order,event"
    events, (reject,) = checked(tmp_path, f"{header}\nu,a,1,1,e\n{line}\nu,b,2,2,e\n")
    assert [event["item"] for event in events] == [1, 2]
    assert reject["reason"] == reason
    assert reject["where"] == "log.csv:3"
    assert set(reject["record"]) == set(header.split(","))


@pytest.mark.parametrize("text", ["+5", "5.0", " 5", "5e0", "1_000e-3"])
def test_a_number_is_read_as_python_reads_it_whatever_stands_beside_it(tmp_path, text):
    alone, _ = checked(tmp_path, f"user_id,item_id,timestamp\nu,a,{text}\n")
    beside, _ = checked(tmp_path, f"user_id,item_id,timestamp\nu,b,x\nu,a,{text}\n")
    assert (
        [event["time"] for event in alone] == [event["time"] for event in beside] == [float(text)]
    )


# Texts that are a number, nearly one, or a word for one.
numbers = st.one_of(
    st.text("0123456789.eE+-_ naif", max_size=7),
    st.floats().map(str),
    st.sampled_from(
        ["Infinity", "0x10", "1e400", "\u0663", "9007199254740991", "9007199254740992", "5f", "1d3"]
    ),
)


@given(
    st.sampled_from(["auto", "s"]),
    st.lists(
        st.tuples(
            st.sampled_from(["u", "v", ""]), st.sampled_from(["a", "b", "z", "", "a\x00"]), numbers
        ),
        max_size=6,
    ),
)
def test_each_row_is_either_an_event_or_a_reject(unit, rows):
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    batch = pa.RecordBatch.from_arrays(
        [*columns, pa.array(range(2, len(rows) + 2), pa.int64())],
        ["user_id", "item_id", "timestamp", ROW_NUMBER],
    )
    events, rejects = check_events(batch, ITEMS, 0, "log.csv", TimeRules(unit))

    def time_of(text: str) -> float:
        try:
            time = float(text or "0")
        except ValueError:
            return math.nan
        size = abs(time)
        if unit == "s" or size < 1e11:
            return time
        per_second = 10**3 if size < 1e14 else 10**6 if size < 1e17 else 10**9
        if 2.0**53 <= size < math.inf:  # more digits than a float holds
            return float(Fraction(text) / per_second)
        return time / per_second

    good, bad = [], []
    for number, (user, item, text) in enumerate(rows, start=2):
        time = time_of(text)
        if user and item in ("a", "b") and abs(time) < 2.0**53:  # of no number nothing holds
            good.append((user, item == "b", time, number))
        else:
            bad.append((f"log.csv:{number}", {"user_id": user, "item_id": item, "timestamp": text}))
    found = [(e["user_id"], e["item"] == 2, e["time"], e["position"]) for e in events.to_pylist()]
    assert found == good
    assert [(reject["where"], reject["record"]) for reject in rejects] == bad


def test_ids_that_differ_only_in_broken_bytes_are_not_one_user(tmp_path):
    events, rejects = checked(tmp_path, "user_id,item_id,timestamp\ncaf\udce9,a,1\ncaf\udce8,a,2\n")
    assert not events
    assert len(rejects) == 2


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("x y", None),
        ("ü", None),
        ("", "is empty"),
        ("\ufffd", "is not UTF-8"),
        ("\t", "has control characters"),
    ],
)
def test_faults_of_ids(value, fault):
    assert id_fault(value) == fault


def test_negative_times_are_times(tmp_path):
    events, _ = checked(tmp_path, "user_id,item_id,timestamp\nu,a,-0.5\n")
    np.testing.assert_array_equal([event["time"] for event in events], [-0.5])


def test_columns_of_other_names_are_read_by_ours(tmp_path):
    names = ("user_id=reviewerID", "timestamp=unixReviewTime", "rating=overall")
    events, rejects = checked(
        tmp_path,
        "reviewerID,user_id,item_id,unixReviewTime,overall\nr,not this one,a,5,1\nr,x,b,,x\n",
        interaction_columns=names,
        min_rating=2.0,
    )
    assert [(e["user_id"], e["time"], e["negative"]) for e in events] == [("r", 5, True)]
    # A reject speaks of our names.
    assert rejects[0]["record"] == {"user_id": "r", "item_id": "b", "timestamp": "", "rating": "x"}


def test_times_outside_the_range_are_rejected(tmp_path):
    # 2024-05-01T00:00:00Z is second 1714521600.
    lines = ["1714521599", "1714521600", "2024-05-02T00:00:00+00:00", "2024-05-02T00:00:01Z", ""]
    log = "user_id,item_id,timestamp\n" + "".join(f"u,a,{line}\n" for line in lines)
    events, rejects = checked(tmp_path, log, min_time="2024-05-01", max_time="1714608000")
    # Without a timestamp an event lies nowhere.
    assert [event["time"] for event in events] == [1714521600, 1714608000, 0]
    assert [(reject["where"], reject["reason"]) for reject in rejects] == [
        ("log.csv:2", "timestamp is before data.min_time"),
        ("log.csv:5", "timestamp is after data.max_time"),
    ]


def test_kinds_of_events_are_listed_or_rejected_and_speak_for_or_against(tmp_path):
    log = "user_id,item_id,timestamp,event,rating\nu,a,1,buy,\nu,b,1,dislike,5\nu,c,1,,\n"
    events, rejects = checked(tmp_path, log, events=("buy=3", "dislike=-1"))
    assert [(e["event"], e["negative"]) for e in events] == [("buy", False), ("dislike", True)]
    # Without a name the kind is "interaction".
    assert [reject["reason"] for reject in rejects] == ["event kind is not in data.events"]
    events, rejects = checked(tmp_path, log, events=("buy=3", "dislike=-1", "interaction=1"))
    assert [e["negative"] for e in events] == [False, True, False]
    assert not rejects


def test_rated_events_below_the_least_rating_are_negative(tmp_path):
    log = "user_id,item_id,timestamp,rating\nu,a,1,2.5\nu,b,1,3\nu,c,1,\nu,a,2,good\nu,b,2,nan\n"
    events, rejects = checked(tmp_path, log, min_rating=3.0)
    assert [e["negative"] for e in events] == [True, False, False]
    assert [reject["reason"] for reject in rejects] == ["rating is no number"] * 2
    assert not any(event["negative"] for event in checked(tmp_path, log)[0])


def test_events_that_lasted_too_short_are_negative(tmp_path):
    log = "user_id,item_id,timestamp,secs\nu,a,1,9.5\nu,b,1,10\nu,c,1,\nu,a,2,-1\nu,b,2,long\n"
    names = ("duration=secs",)
    events, rejects = checked(tmp_path, log, min_play_seconds=10.0, interaction_columns=names)
    # An event without a duration says nothing.
    assert [e["negative"] for e in events] == [True, False, False]
    assert [reject["reason"] for reject in rejects] == ["duration is no number of seconds"] * 2
    assert rejects[0]["record"]["duration"] == "-1"
    events, rejects = checked(tmp_path, log, interaction_columns=names)
    assert [e["negative"] for e in events] == [False] * 5
    assert not rejects
