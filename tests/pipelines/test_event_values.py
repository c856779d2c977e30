"""Ratings and durations of events, from the log to the records."""

import behaviour_world as world
import numpy as np
import pyarrow as pa
import pytest

from pipelines import behaviour
from pipelines.event_values import read_values
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Schema


def test_an_empty_cell_says_nothing_and_what_is_no_number_is_told():
    texts = pa.array(["4.5", "", "good", "-1", "inf"])
    values, [(fault, where)] = read_values(texts, 5, "rating")
    np.testing.assert_array_equal(values, [4.5, np.nan, np.nan, -1, np.nan])
    assert (fault, where.tolist()) == ("rating is no number", [False, False, True, False, True])
    values, [(fault, where)] = read_values(texts, 5, "duration")
    np.testing.assert_array_equal(values, [4.5, np.nan, np.nan, np.nan, np.nan])
    assert fault == "duration is no number of seconds" and where.tolist()[3]


def test_a_log_without_the_column_says_nothing():
    values, faults = read_values(None, 3, "rating")
    assert np.isnan(values).all() and len(values) == 3 and not faults


def rated_events():
    """Every third of the random events has a rating."""
    return [
        (*event, str(place % 50 / 10) if place % 3 == 0 else "")
        for place, event in enumerate(world.random_events())
    ]


def test_records_hold_what_the_first_event_with_an_item_says(tmp_path):
    events = [*rated_events(), ("user 1", "001", "view", "3", "good")]
    folder = world.write_input(tmp_path / "in", events)
    log = (folder / "interactions.csv").read_text()
    (folder / "interactions.csv").write_text(log.replace("timestamp\n", "timestamp,rating\n", 1))
    config = world.config_of(values="rating")
    made = world.run_job(folder, tmp_path / "out", config)
    assert made.report["reasons"] == {"rating is no number": 1}
    users, items = (
        Vocabulary.read(made.folder / "vocabulary" / f"{name}.txt").ids
        for name in ("users", "items")
    )
    first = {}
    for user, item, _, _, rating in sorted(rated_events(), key=lambda event: float(event[3])):
        first.setdefault((user, item), np.float32(rating) if rating else np.float32(np.nan))

    def expect(user, rows, columns, place):
        wanted = [first[users[user - 1], items[row - 1]] for row in rows if row]
        values, present = (
            columns[f"history/{key}"][place, : len(wanted)] for key in ("value", "value_present")
        )
        np.testing.assert_array_equal(np.where(present, values, np.nan), wanted)

    schema = Schema(behaviour.behaviour_features(made.folder, config), 6)
    windows = read_windows(made.folder, schema)
    for window, rows in enumerate(windows["history/item"]):
        expect(windows["user"][window], rows, windows, window)
    queries = read_queries(made.folder, schema, "users")
    for place, rows in enumerate(queries.history_items):
        expect(queries.user[place], rows, queries.extras, place)
    known = windows["history/value_present"][windows["history/item"] > 0]
    assert 0.1 < known.mean() < 0.6


def test_a_log_without_values_is_refused_where_they_are_asked_for(tmp_path):
    folder = world.write_input(tmp_path / "in", world.random_events())
    with pytest.raises(
        UserError, match=r"`data.values` is duration, .* 'duration'.* give \"none\""
    ):
        world.run_job(folder, tmp_path / "out", world.config_of(values="duration"))
