"""Logs found, read and divided; what is checked in them is tested beside."""

import gzip
import json
import re

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that

from pipelines.input_folder import InputFolder
from pipelines.job_progress import JobProgress
from pipelines.log_files import find_files
from pipelines.records import ReadEvents, partition_of
from pipelines.runners import counters, new_pipeline
from tfrs_mm.config import DataConfig
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

ITEMS = Vocabulary(("a", "b", "c"))


def logs(pattern: str, **data: object) -> DataConfig:
    return DataConfig(interactions=pattern, **data)


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
        | beam.ParDo(
            ReadEvents(str(tmp_path / "items.txt"), DataConfig(shards=3), JobProgress("none"))
        ).with_outputs("rejects", "event names", main="batches")
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
    assert [file.name for file in find_files(InputFolder.of(tmp_path), logs("*.csv"))] == [
        "a.csv",
        "b.csv",
    ]
    assert [file.name for file in find_files(InputFolder.of(tmp_path), logs("**/*.csv"))] == [
        "a.csv",
        "b.csv",
        "more/c.csv",
    ]


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
        find_files(InputFolder.of(tmp_path), logs(pattern))


def test_a_log_without_its_columns_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item,time\n")
    with pytest.raises(UserError, match=r"no column \['item_id', 'timestamp'\]"):
        find_files(InputFolder.of(tmp_path), logs("log.csv"))


def test_a_log_lacks_a_column_by_its_own_name(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n")
    with pytest.raises(UserError, match=r"no column \['reviewerID'\]"):
        find_files(
            InputFolder.of(tmp_path), logs("log.csv", interaction_columns=("user_id=reviewerID",))
        )


def test_ratings_that_no_log_has_are_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("user_id,item_id,timestamp\n")
    with pytest.raises(UserError, match=r"`data\.min_rating` is 3\.0, but no file"):
        find_files(InputFolder.of(tmp_path), logs("*.csv", min_rating=3.0))
    # One of several files is enough, by whatever name.
    (tmp_path / "b.csv").write_text("user_id,item_id,timestamp,stars\n")
    found = find_files(
        InputFolder.of(tmp_path),
        logs("*.csv", min_rating=3.0, interaction_columns=("rating=stars",)),
    )
    assert len(found) == 2
    with pytest.raises(UserError, match=r"`data\.min_play_seconds` is 5\.0, but no file"):
        find_files(InputFolder.of(tmp_path), logs("*.csv", min_play_seconds=5.0))


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.parquet"])
def test_a_log_that_cannot_be_read_to_its_end_is_told_by_a_counter(tmp_path, name):
    ITEMS.write(tmp_path / "items.txt")
    rows = [{"user_id": f"u{n}", "item_id": "a", "timestamp": n} for n in range(2000)]
    if name.endswith("gz"):
        content = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        said = r"cannot be read behind row \d+"
    else:
        # A tensor has no text.
        tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((len(rows), 2, 2)))
        table = pa.Table.from_pylist(rows).set_column(1, "item_id", tensors)
        pq.write_table(table, tmp_path / name)
        said = r"the column 'item_id' .* has the type extension"
    pipeline = new_pipeline([])
    _ = (
        pipeline
        | beam.Create([(0, str(tmp_path / name), name)])
        | beam.ParDo(ReadEvents(str(tmp_path / "items.txt"), DataConfig(), JobProgress("none")))
    )
    ((fault, count),) = counters(pipeline.run(), "behaviour/faults").items()
    assert re.search(said, fault) and name in fault
    assert count == 1
