import numpy as np
import pytest

from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.input_pipeline import read_queries, read_windows, window_batches
from tfrs_mm.data.optional_features import optional_features, optional_keys
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.data_settings import DataConfig
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

PLAIN = (
    FeatureSpec("user", Owner.USER, Kind.ID, 9),
    FeatureSpec("item", Owner.ITEM, Kind.ID, 9),
    FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, 3),
)
HISTORY = {"history/item": [3, 1], "history/time": [50, 60], "history/event": [1, 2]}


def schema_of(**settings: object) -> Schema:
    return Schema((*PLAIN, *optional_features(DataConfig(**settings), 3, 6)), max_history=3)


SESSIONS, TIMES = {"session_gap_minutes": 5.0}, {"time_features": True}


def window_of(**extras: object) -> dict:
    return {"user": 2, **HISTORY, "first_target": 0, **extras}


def query_of(**extras: object) -> dict:
    return {"user": 2, **HISTORY, "target/item": [4], "target/time": [99], "seen/item": [3, 1],
            **extras}  # fmt: skip


def test_nothing_is_declared_that_is_not_asked_for():
    assert optional_features(DataConfig(), 3, 6) == ()
    assert optional_keys(schema_of()) == ()
    assert optional_keys(schema_of(**SESSIONS, **TIMES)) == (
        "history/session", "context/hour", "context/weekday",
    )  # fmt: skip


def test_a_schema_with_optional_features_survives_json():
    schema = schema_of(**SESSIONS, **TIMES)
    assert Schema.from_dict(schema.to_dict()) == schema
    assert schema.fingerprint() != schema_of().fingerprint()


def test_windows_have_a_value_for_each_position(tmp_path):
    schema = schema_of(**SESSIONS, **TIMES)
    extras = {"history/session": [1, 2], "context/hour": [5, 24], "context/weekday": [7, 1]}
    encoded = ExamplesSpec(schema).window.encode(window_of(**extras))
    (tmp_path / "behaviour").mkdir()
    write_tfrecord(tmp_path / "behaviour" / shard_name("train", 0, 1), [encoded])
    batch = next(iter(window_batches(tmp_path, schema, batch_size=2, seed=1)))
    for key, values in extras.items():
        assert batch[key].shape == (2, 4)
        np.testing.assert_array_equal(batch[key], [[*values, 0, 0]] * 2)


def test_queries_have_the_values_of_their_moment(tmp_path):
    schema = schema_of(**SESSIONS, **TIMES)
    extras = {"history/session": [1, 2], "context/hour": 5, "context/weekday": 7}
    query = ExamplesSpec(schema).query
    (tmp_path / "behaviour").mkdir()
    records = [query.encode(query_of(**extras)), query.encode(query_of(**extras) | {"user": 1})]
    write_tfrecord(tmp_path / "behaviour" / shard_name("valid", 0, 1), records)
    queries = read_queries(tmp_path, schema, "valid")
    assert queries.user.tolist() == [1, 2]
    assert queries.extras["history/session"].tolist() == [[1, 2, 0]] * 2
    assert queries.extras["context/hour"].tolist() == [5, 5]
    assert queries.take(np.array([1])).extras["context/weekday"].tolist() == [7]


PROFILES = {"profiles": True, "profile_top": 2}
PROFILE = {
    "profile/kinds": [4, 0, 1], "profile/activity": [0, 1, 2], "profile/seconds_since_last": 99,
    "profile/categories": [5, 0], "profile/category_weights": [0.5, 0.0],
}  # fmt: skip


def test_profiles_are_vectors_of_the_user(tmp_path):
    schema = schema_of(**PROFILES)
    spec = ExamplesSpec(schema)
    (tmp_path / "behaviour").mkdir()
    # Of both positions one behind the other.
    lists = {key: [99] if value == 99 else value for key, value in PROFILE.items()}
    twice = {key: values * 2 for key, values in lists.items()}
    window = spec.window.encode(window_of(**twice))
    write_tfrecord(tmp_path / "behaviour" / shard_name("train", 0, 1), [window])
    batch = next(iter(window_batches(tmp_path, schema, batch_size=1, seed=1)))
    query = spec.query.encode(query_of(**PROFILE))
    write_tfrecord(tmp_path / "behaviour" / shard_name("test", 0, 1), [query])
    queries = read_queries(tmp_path, schema, "test")
    for key, values in PROFILE.items():
        zeros = np.zeros_like(values)
        np.testing.assert_array_equal(batch[key], [[values, values, zeros, zeros]])
        np.testing.assert_array_equal(queries.extras[key], [values])
    assert batch["profile/kinds"].shape == (1, 4, 3)
    assert queries.extras["profile/category_weights"].dtype == np.float32


def test_a_profile_of_one_category_is_a_vector_as_well(tmp_path):
    schema = schema_of(profiles=True, profile_top=1)
    profile = PROFILE | {"profile/categories": [5], "profile/category_weights": [0.5]}
    (tmp_path / "behaviour").mkdir()
    query = ExamplesSpec(schema).query.encode(query_of(**profile))
    write_tfrecord(tmp_path / "behaviour" / shard_name("test", 0, 1), [query])
    assert read_queries(tmp_path, schema, "test").extras["profile/categories"].tolist() == [[5]]


def test_values_lie_beside_the_items_of_a_history(tmp_path):
    schema = schema_of(values="rating", **SESSIONS)
    keys = ("history/session", "history/value", "history/value_present")
    assert optional_keys(schema) == keys
    spec, extras = ExamplesSpec(schema), dict(zip(keys, ([1, 1], [4.5, 0.0], [1, 0]), strict=True))
    (tmp_path / "behaviour").mkdir()
    for name, record in (
        ("train", spec.window.encode(window_of(**extras))),
        ("users", spec.query.encode(query_of(**extras))),
    ):
        write_tfrecord(tmp_path / "behaviour" / shard_name(name, 0, 1), [record])
    windows = read_windows(tmp_path, schema)
    np.testing.assert_array_equal(windows["history/value"], [[4.5, 0, 0, 0]])
    queries = read_queries(tmp_path, schema, "users")
    np.testing.assert_array_equal(queries.extras["history/value"], [[4.5, 0, 0]])
    np.testing.assert_array_equal(queries.extras["history/value_present"], [[1, 0, 0]])


def test_a_session_belongs_to_every_event():
    spec = ExamplesSpec(schema_of(**SESSIONS))
    with pytest.raises(ValueError, match="equally long"):
        spec.window.encode(window_of(**{"history/session": [1]}))
    with pytest.raises(ValueError, match="missing: "):
        spec.query.encode(query_of())
