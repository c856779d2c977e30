import gzip

import numpy as np
import pytest
import tensorflow as tf

from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.input_pipeline import (
    Queries,
    count_windows,
    read_queries,
    read_windows,
    window_batches,
)
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

SCHEMA = Schema(
    features=(
        FeatureSpec("user", Owner.USER, Kind.ID, size=101),
        FeatureSpec("item", Owner.ITEM, Kind.ID, size=51),
        FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, size=3),
    ),
    max_history=2,
)


def window(user, items, start=0, first_target=0):
    times = [start + 10 * place for place in range(len(items))]
    return {
        "user": user,
        "history/item": items,
        "history/time": times,
        "history/event": [1] * len(items),
        "first_target": first_target,
    }


def query(user, history, targets, seen):
    return {
        "user": user,
        "history/item": history,
        "history/time": [100 + place for place in range(len(history))],
        "history/event": [2] * len(history),
        "target/item": targets,
        "target/time": [200 + place for place in range(len(targets))],
        "seen/item": seen,
    }


def write(data_dir, split, shards):
    spec = ExamplesSpec(SCHEMA)
    record = spec.window if split == "train" else spec.query
    (data_dir / "behaviour").mkdir(exist_ok=True)
    for index, records in enumerate(shards):
        path = data_dir / "behaviour" / shard_name(split, index, len(shards))
        write_tfrecord(path, map(record.encode, records))
    return data_dir


@pytest.fixture
def ten_windows(tmp_path):
    users = range(1, 11)
    shards = [[window(user, [user, 1]) for user in users if user % 2 == rest] for rest in (0, 1)]
    return write(tmp_path, "train", shards)


def epochs_of_users(dataset, windows):
    users = np.concatenate([batch["user"].numpy() for batch in dataset])
    return users.reshape(-1, windows).tolist()


def test_a_batch_has_the_promised_keys_dtypes_and_static_shapes(ten_windows):
    spec = window_batches(ten_windows, SCHEMA, batch_size=4, seed=1).element_spec
    # max_history 2 gives windows of 3 positions
    assert {key: (tensor.dtype, tensor.shape.as_list()) for key, tensor in spec.items()} == {
        "user": (tf.int32, [4]),
        "history/item": (tf.int32, [4, 3]),
        "history/time": (tf.int64, [4, 3]),
        "history/event": (tf.int32, [4, 3]),
        "is_target": (tf.bool, [4, 3]),
    }


def test_one_epoch_holds_every_window_once(ten_windows):
    (users,) = epochs_of_users(
        window_batches(ten_windows, SCHEMA, batch_size=5, seed=1, epochs=1), 10
    )
    assert sorted(users) == list(range(1, 11))


def test_each_epoch_is_whole_and_in_another_order(ten_windows):
    epochs = epochs_of_users(
        window_batches(ten_windows, SCHEMA, batch_size=5, seed=1, epochs=4), 10
    )
    assert all(sorted(users) == list(range(1, 11)) for users in epochs)
    # two of 10! = 3,628,800 orders are equal by chance about never
    assert len({tuple(users) for users in epochs}) == 4


def test_the_seed_determines_the_order(ten_windows):
    def order(seed):
        return epochs_of_users(
            window_batches(ten_windows, SCHEMA, batch_size=5, seed=seed, epochs=2), 10
        )

    assert order(7) == order(7)
    assert order(7) != order(8)


def test_a_row_keeps_its_parts_together(ten_windows):
    for batch in window_batches(ten_windows, SCHEMA, batch_size=5, seed=3, epochs=1):
        np.testing.assert_array_equal(batch["history/item"][:, 0], batch["user"])
        np.testing.assert_array_equal(batch["is_target"], [[True, True, False]] * 5)


def test_a_data_set_smaller_than_a_batch_fills_it_by_repetition(tmp_path):
    write(tmp_path, "train", [[window(1, [1])], [window(2, [2]), window(3, [3])]])
    batches = list(window_batches(tmp_path, SCHEMA, batch_size=7, seed=1).take(2))
    users = np.concatenate([batch["user"].numpy() for batch in batches])
    # 14 places: four whole epochs of three windows, and two more
    assert users.shape == (14,)
    counts = np.bincount(users, minlength=4)[1:]
    assert counts.sum() == 14 and counts.min() >= 4 and counts.max() <= 5


def test_without_epochs_the_batches_do_not_end(ten_windows):
    assert len(list(window_batches(ten_windows, SCHEMA, batch_size=5, seed=1).take(9))) == 9


def test_windows_of_like_length_share_a_batch_and_none_is_lost(tmp_path):
    lengths = [1, 2, 3, 1, 1, 3, 2, 1, 1, 1]
    windows = [window(user, [5] * length) for user, length in enumerate(lengths, 1)]
    folder = write(tmp_path, "train", [windows])
    grouped = window_batches(folder, SCHEMA, batch_size=2, seed=1, epochs=1, lengths=[1, 2])
    found = [(batch["history/item"].numpy() > 0).sum(axis=1).tolist() for batch in grouped]
    # Six of length 1 are three batches, two each of 2 and 3 one.
    assert sorted(found) == [[1, 1], [1, 1], [1, 1], [2, 2], [3, 3]]
    # Up to 2 and above: eight and two.
    grouped = window_batches(folder, SCHEMA, batch_size=2, seed=1, epochs=1, lengths=[2])
    assert [batch["history/item"].shape for batch in grouped] == [(2, 3)] * 5
    assert sorted(user for batch in grouped for user in batch["user"].numpy()) == [*range(1, 11)]


def test_too_few_windows_for_one_batch_are_a_users_mistake(ten_windows, tmp_path_factory):
    # 10 windows twice are 20, one short of a batch of 21
    with pytest.raises(UserError, match="2 epochs of 10 windows fill no batch"):
        window_batches(ten_windows, SCHEMA, batch_size=21, seed=1, epochs=2)
    assert len(list(window_batches(ten_windows, SCHEMA, batch_size=20, seed=1, epochs=2))) == 1
    empty = write(tmp_path_factory.mktemp("empty"), "train", [[], []])
    with pytest.raises(UserError, match="no training windows"):
        window_batches(empty, SCHEMA, batch_size=2, seed=1)
    with pytest.raises(UserError, match="at least 1"):
        window_batches(ten_windows, SCHEMA, batch_size=0, seed=1)


def test_a_missing_shard_stops_every_reader(ten_windows):
    (ten_windows / "behaviour" / shard_name("train", 0, 2)).unlink()
    for read in (
        lambda: window_batches(ten_windows, SCHEMA, batch_size=2, seed=1),
        lambda: count_windows(ten_windows, SCHEMA),
        lambda: read_windows(ten_windows, SCHEMA),
    ):
        with pytest.raises(UserError, match="train-00000-of-00002"):
            read()


def test_windows_are_counted_over_all_shards(ten_windows):
    assert count_windows(ten_windows, SCHEMA) == 10


def test_windows_are_read_in_the_order_of_users_and_time(tmp_path):
    late = window(2, [5, 6, 7], start=500, first_target=1)
    write(
        tmp_path, "train", [[late, window(9, [1])], [window(2, [3, 4, 5], start=5), window(1, [8])]]
    )
    windows = read_windows(tmp_path, SCHEMA)
    assert windows["user"].tolist() == [1, 2, 2, 9]
    assert windows["history/item"].tolist() == [[8, 0, 0], [3, 4, 5], [5, 6, 7], [1, 0, 0]]
    assert windows["history/time"].tolist()[1:3] == [[5, 15, 25], [500, 510, 520]]
    assert windows["is_target"].tolist()[1:3] == [[True] * 3, [False, True, True]]


def test_queries_come_in_the_order_of_users_with_all_their_parts(tmp_path):
    write(
        tmp_path,
        "test",
        [[query(30, [4, 5], [6], [3, 4, 5]), query(7, [], [], [])], [query(8, [9], [1, 2], [9])]],
    )
    queries = read_queries(tmp_path, SCHEMA, "test")
    assert len(queries) == 3
    assert queries.user.tolist() == [7, 8, 30]
    assert queries.history_items.tolist() == [[0, 0], [9, 0], [4, 5]]
    assert queries.history_times.tolist() == [[0, 0], [100, 0], [100, 101]]
    assert queries.history_events.tolist() == [[0, 0], [2, 0], [2, 2]]
    assert queries.history_length.tolist() == [0, 1, 2]
    assert [rows.tolist() for rows in queries.targets] == [[], [1, 2], [6]]
    assert [times.tolist() for times in queries.target_times] == [[], [200, 201], [200]]
    assert [rows.tolist() for rows in queries.seen] == [[], [9], [3, 4, 5]]
    assert (
        queries.history_items.dtype == queries.seen.values.dtype == queries.user.dtype == np.int32
    )
    assert queries.history_times.dtype == queries.target_times.values.dtype == np.int64


def test_some_queries_can_be_taken(tmp_path):
    write(tmp_path, "users", [[query(user, [user], [], [user, 50]) for user in (1, 2, 3)]])
    taken = read_queries(tmp_path, SCHEMA, "users").take([2, 0])
    assert isinstance(taken, Queries)
    assert taken.user.tolist() == [3, 1]
    assert [rows.tolist() for rows in taken.seen] == [[3, 50], [1, 50]]


def test_more_queries_than_are_parsed_at_once_stay_together(tmp_path):
    # read 1,024 at a time: three batches, the last one with 52
    records = [query(1 + place % 100, [1 + place % 50], [2], [1, 2]) for place in range(2100)]
    write(tmp_path, "valid", [records[:700], records[700:]])
    queries = read_queries(tmp_path, SCHEMA, "valid")
    assert len(queries) == len(queries.seen) == 2100
    assert queries.user.tolist() == sorted(1 + place % 100 for place in range(2100))
    assert queries.seen.values.tolist() == [1, 2] * 2100


def test_a_split_without_queries_has_the_right_shapes(tmp_path):
    queries = read_queries(write(tmp_path, "valid", [[], []]), SCHEMA, "valid")
    assert len(queries) == 0
    assert queries.history_items.shape == (0, 2) and queries.history_items.dtype == np.int32
    assert len(queries.targets) == 0


def test_an_unknown_split_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="valid, test, users; received 'train'"):
        read_queries(tmp_path, SCHEMA, "train")


def test_damaged_records_and_another_schema_are_users_mistakes(tmp_path):
    write(tmp_path, "valid", [[query(1, [1, 2], [3], [1, 2])]])
    shorter = Schema(SCHEMA.features, max_history=1)
    with pytest.raises(UserError, match="another schema"):
        read_queries(tmp_path, shorter, "valid")
    path = tmp_path / "behaviour" / shard_name("valid", 0, 1)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[20] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(UserError, match="damaged"):
        read_queries(tmp_path, SCHEMA, "valid")
