import math

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from pipelines.job_progress import JobProgress
from pipelines.records import ReadEvents, check_events, find_files, id_fault, partition_of
from pipelines.runners import counters, new_pipeline
from pipelines.tables import ROW_NUMBER, read_table
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

ITEMS = Vocabulary(("a", "b", "c"))


def checked(tmp_path, text: str, place: int = 0) -> tuple[list[dict], list[dict]]:
    """The usable events of a log, and the rejects."""
    (tmp_path / "log.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    events, rejects = [], []
    for batch, _ in read_table(
        str(tmp_path / "log.csv"), ("user_id", "item_id", "timestamp", "event", "order")
    ):
        good, bad = check_events(batch, ITEMS, place, "log.csv")
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
        ("u,a,yesterday,1,e", "timestamp is no number"),
        ("u,a,nan,1,e", "timestamp is no number"),
        ("u,a,inf,1,e", "timestamp is no number"),
        ("u,a,,first,e", "order is no number"),
        # Nanoseconds since 1970, which a float does not hold exactly.
        (
            "u,a,1700000000000000000,1,e",
            "timestamp or order is 2**53 or beyond; seconds are expected",
        ),
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
    st.lists(
        st.tuples(
            st.sampled_from(["u", "v", ""]), st.sampled_from(["a", "b", "z", "", "a\x00"]), numbers
        ),
        max_size=6,
    )
)
def test_each_row_is_either_an_event_or_a_reject(rows):
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    batch = pa.RecordBatch.from_arrays(
        [*columns, pa.array(range(2, len(rows) + 2), pa.int64())],
        ["user_id", "item_id", "timestamp", ROW_NUMBER],
    )
    events, rejects = check_events(batch, ITEMS, 0, "log.csv")

    def time_of(text: str) -> float:
        try:
            return float(text or "0")
        except ValueError:
            return math.nan

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


def test_partitions_do_not_depend_on_the_process_or_the_batch():
    # CRC-32's published check value, of "123456789", is 0xcbf43926, and 0x26 = 38 is 2 modulo 4.
    # Of "u2" it is 0xdb46cecc: 0; of "ü" in UTF-8 0x63d969d5: 1.
    users = pa.array(["123456789", "u2", "123456789", "ü"])
    assert partition_of(users, 4).tolist() == [2, 0, 2, 1]
    assert partition_of(users.slice(3), 4).tolist() == [1]
    assert partition_of(pa.array([], pa.string()), 4).tolist() == []


def test_a_log_becomes_batches_of_partitions(tmp_path):
    ITEMS.write(tmp_path / "items.txt")
    users = [f"u{number}" for number in range(40)]
    log = (
        "user_id,item_id,timestamp\n"
        + "".join(f"{user},a,1\n" for user in users)
        + "broken\nu1,z,1\n"
    )
    (tmp_path / "log.csv").write_text(log)

    def check_batches(batches):
        found = {}
        for partition, batch in batches:
            assert 0 <= partition < 3
            for user in batch.column("user_id").to_pylist():
                assert found.setdefault(user, partition) == partition
        assert sorted(found) == sorted(users)
        assert set(found.values()) == {partition for partition, _ in batches} == {0, 1, 2}

    def check_rejects(rejects):
        assert sorted((reject["reason"], reject["where"]) for reject in rejects) == [
            ("item_id is not in the catalogue", "logs/log.csv:43"),
            ("the row has not as many cells as the header", "logs/log.csv:42"),
        ]

    pipeline = new_pipeline([])
    read = (
        pipeline
        | beam.Create([(0, str(tmp_path / "log.csv"), "logs/log.csv")])
        | beam.ParDo(ReadEvents(str(tmp_path / "items.txt"), 3, JobProgress("none"))).with_outputs(
            "rejects", "event names", main="batches"
        )
    )
    assert_that(read.batches, check_batches, label="batches")
    assert_that(read.rejects, check_rejects, label="rejects")
    result = pipeline.run()
    assert counters(result, "behaviour") == {
        "events read": 42, "events rejected": 2, "events without time": 0,
    }  # fmt: skip
    assert set(counters(result, "behaviour/reasons").values()) == {1}
    assert not counters(result, "behaviour/faults")


def test_logs_are_found_in_the_order_of_their_names(tmp_path):
    for name in ("b.csv", "a.csv", "more/c.csv", "items.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("user_id,item_id,timestamp\n")
    assert [path.name for path in find_files(tmp_path, "*.csv")] == ["a.csv", "b.csv"]
    assert [path.name for path in find_files(tmp_path, "**/*.csv")] == ["a.csv", "b.csv", "c.csv"]


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("*.tsv", "matches no file"),
        ("more", "matches no file"),
        ("../*.csv", "must lie below"),
        ("", "must lie"),
    ],
)
def test_a_pattern_without_logs_is_refused(tmp_path, pattern, fault):
    (tmp_path / "more").mkdir()
    with pytest.raises(UserError, match=fault):
        find_files(tmp_path, pattern)


def test_a_log_without_its_columns_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item,time\n")
    with pytest.raises(UserError, match=r"no column \['item_id', 'timestamp'\]"):
        find_files(tmp_path, "log.csv")


def test_negative_times_are_times(tmp_path):
    events, _ = checked(tmp_path, "user_id,item_id,timestamp\nu,a,-0.5\n")
    np.testing.assert_array_equal([event["time"] for event in events], [-0.5])
