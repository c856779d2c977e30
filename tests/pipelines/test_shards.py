import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsDict, AsSingleton
from apache_beam.testing.util import assert_that

from pipelines.job_progress import JobProgress
from pipelines.runners import counters, new_pipeline
from pipelines.shards import WriteShards
from pipelines.timelines import Timelines
from pipelines.user_rows import UserRows
from tfrs_mm.config import DataConfig
from tfrs_mm.data.tfrecord import find_shards, read_tfrecord


def timelines(users: list[str], counts: list[int]) -> Timelines:
    """Each user takes the items 1, 2, ... at the seconds 10, 20, ..."""
    ends = np.cumsum(counts)
    items = np.concatenate([np.arange(1, count + 1) for count in counts])
    return Timelines(
        users, ends - counts, ends, items, items * 10.0, np.arange(len(items)),
        np.zeros(len(items), np.int64), ["view"], repeats=1,
    )  # fmt: skip


def test_a_partition_becomes_its_shards_and_what_is_added_up(tmp_path):
    parts = [(0, timelines(["a", "c"], [4, 2])), (1, timelines(["b"], [3]))]
    settings = DataConfig(shards=2, max_history=3)

    def check_events(found):
        # Items of training: 1 and 2 of a, 1 and 2 of c; 1 of b.
        assert sorted((items.tolist(), times.tolist()) for items, times in found) == [
            ([1], [10]), ([1, 2, 1, 2], [10, 20, 10, 20]),
        ]  # fmt: skip

    def check_times(found):
        assert sorted((points.tolist(), weights.tolist()) for points, weights in found) == [
            ([10], [1]), ([10, 20], [2, 2]),
        ]  # fmt: skip

    def check_users(found):
        assert sorted(found) == [(0, (0, ["a", "c"])), (0, (1, ["b"]))]

    pipeline = new_pipeline([])
    sizes = pipeline | "Sizes" >> beam.Create([(1, 1), (0, 2)])
    names = pipeline | "Names" >> beam.Create([["other", "view"]])
    cuts = pipeline | "Cuts" >> beam.Create([None])
    writing = WriteShards(str(tmp_path), 9, settings, JobProgress("none"), "none", UserRows())
    made = (
        pipeline
        | "Parts" >> beam.Create(parts)
        | beam.ParDo(writing, AsDict(sizes), AsSingleton(names), AsSingleton(cuts)).with_outputs()
    )
    assert_that(made["training events"], check_events, label="events")
    assert_that(made["times"], check_times, label="times")
    assert_that(made["user ids"], check_users, label="users")
    found = counters(pipeline.run(), "behaviour")
    assert found == {
        "exact duplicates": 0, "near duplicates": 0, "repeats dropped": 2, "users": 3,
        "train": 5, "valid": 2, "test": 2, "events of users without training": 0, "windows": 3,
        "events in the gap": 0, "events of cold items": 0, "events of cold users": 0,
    }  # fmt: skip
    for name, records in (
        ("train", [2, 1]),
        ("valid", [1, 1]),
        ("test", [1, 1]),
        ("users", [2, 1]),
    ):
        assert [len(list(read_tfrecord(path))) for path in find_shards(tmp_path, name)] == records
    # b is the third user although partition 1 may be written first: "user" is followed by its row.
    (record,) = read_tfrecord(find_shards(tmp_path, "train")[1])
    assert record.endswith(b"\x0a\x04user\x12\x05\x1a\x03\x0a\x01\x03")
