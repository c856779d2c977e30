import numpy as np
import pytest

from tfrs_mm.config import Config
from tfrs_mm.data.input_pipeline import Queries
from tfrs_mm.data.optional_features import optional_features
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.errors import UserError
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema
from tfrs_mm.training.context import (
    context_spec,
    contexts_of,
    tower_contexts,
    tower_user_contexts,
    user_contexts,
)

ON = Config().with_overrides(
    {"ranking.profiles": True, "data.profiles": True, "data.time_features": True,
     "data.profile_top": 2}
)  # fmt: skip
COLUMNS = {
    "profile/kinds": np.array([[0, 3], [0, 0]]),
    "profile/activity": np.array([[1, 2, 3], [0, 0, 0]]),
    "profile/seconds_since_last": np.array([99, -1]),
    "profile/categories": np.array([[4, 0], [0, 0]]),
    "profile/category_weights": np.array([[2.5, 0.0], [0.0, 0.0]], np.float32),
    "context/hour": np.array([24, 0]),
    "context/weekday": np.array([1, 0]),
}


def schema_of(config=ON):
    own = (
        FeatureSpec("user", Owner.USER, Kind.ID, 4),
        FeatureSpec("item", Owner.ITEM, Kind.ID, 9),
        FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, 2),
        FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, 6, 3),
    )
    return Schema(own + optional_features(config.data, 2, 6), 5)


def test_contexts_are_logarithms_flags_and_places():
    spec = context_spec(ON, schema_of())
    # 24 hours, 7 days, 2 kinds, 3 spans, seconds and whether there are none
    assert (spec.size, spec.top, spec.category) == (24 + 7 + 2 + 3 + 2, 2, "genres")
    found = contexts_of(COLUMNS, spec, schema_of())
    numbers, hours = found["context"], np.zeros(24)
    hours[23] = 1
    monday = [1, 0, 0, 0, 0, 0, 0]
    logs = np.log([1, 4, 2, 3, 4, 100])  # of 1 more: kinds, activity, seconds
    np.testing.assert_allclose(numbers[0], [*hours, *monday, *logs, 0], rtol=1e-6)
    np.testing.assert_array_equal(numbers[1], [0] * (spec.size - 1) + [1])  # without any event
    assert found["favourites"].tolist() == [[4, 0], [0, 0]]
    assert numbers.dtype == np.float32 and found["favourites"].dtype == np.int32


def test_without_profiles_there_are_no_contexts():
    assert context_spec(Config(), schema_of()) is None
    assert contexts_of(COLUMNS, None, schema_of()) == {}
    assert user_contexts(None, None, None, schema_of()) == {}


def test_profiles_that_records_lack_cannot_be_read():
    config = Config().with_overrides({"ranking.profiles": True})
    with pytest.raises(UserError, match=r"preprocess again with data\.profiles"):
        context_spec(config, schema_of(config))


def make_users():
    empty = Ragged.of([(), ()])
    history = np.array([[7, 8, 0, 0, 0], [5, 0, 0, 0, 0]], np.int32)
    return Queries(
        np.array([3, 1]), history, 10 * history, history // 5, np.array([2, 1]),
        empty, empty, empty, COLUMNS,
    )  # fmt: skip


def test_the_user_tower_is_told_what_it_reads_and_of_served_users_no_time():
    users = make_users()
    assert tower_contexts(Config(), users, schema_of()) == {}
    chosen = ON.with_overrides(
        {"retrieval.time_gaps": 4, "retrieval.event_kinds": True, "retrieval.profiles": True}
    )
    told = tower_contexts(chosen, users, schema_of())
    assert set(told) == {"history/time", "history/event", *COLUMNS}
    kept = tower_user_contexts(chosen, users, schema_of())
    for name, column in told.items():
        is_time = name.startswith("context/")
        wanted = np.zeros_like(column) if is_time else column
        np.testing.assert_array_equal(kept[name][[3, 1]], wanted)
        assert len(kept[name]) == 4 and not kept[name][[0, 2]].any()


def test_a_served_model_knows_users_but_not_the_time():
    spec = context_spec(ON, schema_of())

    class Trained:
        import tensorflow as tf

        neutral_context = tf.fill([spec.size], 0.5)

    users = make_users()
    found = user_contexts(users, spec, Trained, schema_of())
    told = contexts_of(COLUMNS, spec, schema_of())["context"]
    assert (found["context"][:, :31] == 0.5).all()  # hours and days
    np.testing.assert_array_equal(found["context"][[3, 1], 31:], told[:, 31:])
    assert (found["context"][[0, 2]] == 0.5).all()  # an unknown user, and one without records
    assert found["favourites"].tolist() == [[0, 0], [0, 0], [0, 0], [4, 0]]
