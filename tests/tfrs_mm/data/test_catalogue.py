import numpy as np
import pytest

from tfrs_mm.data.catalogue import ItemCounts, even_time_edges, read_catalogue
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema

SCHEMA = Schema(
    features=(
        FeatureSpec("item", Owner.ITEM, Kind.ID, size=4),
        FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, size=6, width=2),
        FeatureSpec("text", Owner.ITEM, Kind.MEDIA, size=2),
        FeatureSpec("image", Owner.ITEM, Kind.MEDIA, size=1),
    ),
    max_history=5,
)


def item(row, genres=(), text=None, image=None):
    return {
        "item": row,
        "item_id": f"i{row}",
        "title": f"Tïtle {row}",
        "genres": list(genres),
        "text/embedding": text or [0.0, 0.0],
        "text/present": text is not None,
        "image/embedding": image or [0.0],
        "image/present": image is not None,
    }


def write(data_dir, *shards):
    (data_dir / "items").mkdir()
    for index, records in enumerate(shards):
        path = data_dir / "items" / shard_name("items", index, len(shards))
        write_tfrecord(path, map(ExamplesSpec(SCHEMA).item.encode, records))
    return data_dir


def test_items_lie_at_their_rows_whatever_the_order_of_the_records(tmp_path):
    write(tmp_path, [item(3, [5, 1], text=[1.0, 2.0])], [item(1, image=[0.5]), item(2, [4])])
    catalogue = read_catalogue(tmp_path, SCHEMA)
    assert catalogue.num_items == 3
    assert catalogue.item_ids.tolist() == ["", "i1", "i2", "i3"]
    assert catalogue.titles.tolist() == ["", "Tïtle 1", "Tïtle 2", "Tïtle 3"]
    assert list(catalogue.embeddings) == [Modality.IMAGE, Modality.TEXT]
    assert catalogue.embeddings[Modality.TEXT].tolist() == [[0, 0], [0, 0], [0, 0], [1, 2]]
    assert catalogue.embeddings[Modality.IMAGE].tolist() == [[0], [0.5], [0], [0]]
    # image comes before text, whatever the order in the schema
    assert catalogue.present.tolist() == [
        [False, False],
        [True, False],
        [False, False],
        [False, True],
    ]
    assert catalogue.categories["genres"].tolist() == [[0, 0], [0, 0], [4, 0], [5, 1]]
    assert catalogue.embeddings[Modality.TEXT].dtype == np.float32
    assert catalogue.categories["genres"].dtype == np.int32


def test_a_catalogue_without_media_or_categories_is_read(tmp_path):
    schema = Schema(SCHEMA.features[:1], max_history=5)
    (tmp_path / "items").mkdir()
    records = [{"item": row, "item_id": str(row), "title": ""} for row in (1, 2, 3)]
    path = tmp_path / "items" / shard_name("items", 0, 1)
    write_tfrecord(path, map(ExamplesSpec(schema).item.encode, records))
    catalogue = read_catalogue(tmp_path, schema)
    assert catalogue.present.shape == (4, 0) and catalogue.embeddings == {} == catalogue.categories


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1, 3], r"1 rows missing, such as \[2\]; 0 rows more than once"),
        ([1, 2, 3, 3], r"0 rows missing, .*1 rows more than once, such as \[3\]"),
        ([1, 1, 2], r"such as \[3\]; 1 rows more than once, such as \[1\]"),
        ([0, 1, 2, 3], r"rows outside it: \[0\]"),
        ([], "3 rows missing"),
    ],
)
def test_records_that_are_not_one_for_each_item_are_refused(tmp_path, rows, message):
    write(tmp_path, [item(row) for row in rows])
    with pytest.raises(UserError, match=message):
        read_catalogue(tmp_path, SCHEMA)


def test_items_beyond_the_schema_are_refused(tmp_path):
    write(tmp_path, [item(1), item(2), item(3)])
    smaller = Schema(
        (FeatureSpec("item", Owner.ITEM, Kind.ID, size=3), *SCHEMA.features[1:]), max_history=5
    )
    with pytest.raises(UserError, match=r"rows outside it: \[3\]"):
        read_catalogue(tmp_path, smaller)


EDGES = np.array([0, 10, 20, 30])
# item 1 at 0, 5, 10 and 29; item 3 at 15; item 2 never
COUNTS = ItemCounts.from_events(np.array([1, 3, 1, 1, 1]), np.array([5, 15, 29, 10, 0]), 3, EDGES)


def test_events_are_counted_by_item_and_bucket():
    assert COUNTS.counts.tolist() == [[0, 0, 0], [2, 1, 1], [0, 0, 0], [0, 1, 0]]
    assert COUNTS.counts.dtype == np.int32
    assert COUNTS.first_time.tolist() == [-1, 0, -1, 15]
    assert COUNTS.last_time.tolist() == [-1, 29, -1, 15]
    assert COUNTS.totals.tolist() == [0, 4, 0, 1]


@pytest.mark.parametrize(
    ("time", "known"),
    # bucket [0, 10) knows nothing, [10, 20) the 2 before 10, [20, 30) the 3 before 20, later all 4
    [(-5, 0), (0, 0), (9, 0), (10, 2), (19, 2), (20, 3), (29, 3), (30, 4), (10**12, 4)],
)
def test_popularity_knows_only_the_buckets_before(time, known):
    assert COUNTS.as_of(np.array([1]), np.array([time])).tolist() == [known]


def test_items_and_times_of_popularity_broadcast():
    popularity = COUNTS.as_of(np.array([[1, 2, 3]]), np.array([[10], [25]]))
    assert popularity.tolist() == [[2, 0, 0], [3, 0, 1]]
    assert popularity.dtype == np.int64


def test_counts_survive_the_disk(tmp_path):
    COUNTS.write(tmp_path / "item_counts.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["item_counts.npz"]
    read = ItemCounts.read(tmp_path / "item_counts.npz")
    for name in ("time_edges", "counts", "first_time", "last_time"):
        np.testing.assert_array_equal(getattr(read, name), getattr(COUNTS, name))
        assert getattr(read, name).dtype == getattr(COUNTS, name).dtype
    assert set(np.load(tmp_path / "item_counts.npz").files) == {
        "time_edges",
        "counts",
        "first_time",
        "last_time",
    }


def test_counts_that_are_absent_or_broken_are_users_mistakes(tmp_path):
    with pytest.raises(UserError, match="do not exist"):
        ItemCounts.read(tmp_path / "item_counts.npz")
    (tmp_path / "item_counts.npz").write_bytes(b"PK broken")
    with pytest.raises(UserError, match="cannot be read"):
        ItemCounts.read(tmp_path / "item_counts.npz")
    np.savez(tmp_path / "item_counts.npz", counts=COUNTS.counts)
    with pytest.raises(UserError, match="time_edges"):
        ItemCounts.read(tmp_path / "item_counts.npz")
    np.savez(tmp_path / "item_counts.npz", counts=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(UserError, match="cannot be read"):
        ItemCounts.read(tmp_path / "item_counts.npz")


def test_counts_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="shapes must be"):
        ItemCounts(EDGES, COUNTS.counts, COUNTS.first_time[1:], COUNTS.last_time)
    with pytest.raises(ValueError, match="never decrease"):
        ItemCounts(EDGES[::-1], COUNTS.counts, COUNTS.first_time, COUNTS.last_time)
    with pytest.raises(ValueError, match="last edge 29, but one is at 29"):
        ItemCounts(np.array([0, 10, 20, 29]), COUNTS.counts, COUNTS.first_time, COUNTS.last_time)
    with pytest.raises(ValueError, match=r"received 5\.\.30"):
        ItemCounts.from_events(np.array([1, 1]), np.array([5, 30]), 3, EDGES)


def test_no_events_are_counted_as_none():
    nothing = np.array([], dtype=np.int64)
    counts = ItemCounts.from_events(nothing, nothing, 2, np.array([0, 1]))
    assert counts.totals.tolist() == [0, 0, 0] and counts.first_time.tolist() == [-1, -1, -1]


def test_edges_hold_both_ends_in_equal_buckets():
    assert even_time_edges(0, 29, 3).tolist() == [0, 10, 20, 30]
    assert even_time_edges(100, 100, 1).tolist() == [100, 101]
    # nanoseconds of 2020 to 2025 in 64 buckets
    edges = even_time_edges(1_577_836_800 * 10**9, 1_735_689_600 * 10**9, 64)
    assert edges[0] == 1_577_836_800 * 10**9 and edges[-1] == 1_735_689_600 * 10**9 + 1
    assert np.ptp(np.diff(edges)) <= 1


def test_events_without_times_all_fall_into_one_bucket_and_know_nothing_of_each_other():
    edges = even_time_edges(0, 0, 4)
    counts = ItemCounts.from_events(np.array([1, 1]), np.array([0, 0]), 1, edges)
    assert counts.totals.tolist() == [0, 2]
    assert counts.as_of(np.array([1]), np.array([0])).tolist() == [0]


def test_edges_the_wrong_way_round_are_refused():
    with pytest.raises(ValueError, match="not before"):
        even_time_edges(5, 3, 2)
