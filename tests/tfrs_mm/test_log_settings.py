import pytest

from tfrs_mm.config import Config, load_config
from tfrs_mm.errors import UserError
from tfrs_mm.log_settings import columns_of, moment_of, weights_of


def test_entries_are_read():
    assert columns_of(("user_id=reviewerID", "item_id = a=b ")) == {
        "user_id": "reviewerID",
        "item_id": "a=b",
    }
    assert weights_of(("purchase=3", "dislike = -1.5", "x=y=2")) == {
        "purchase": 3.0,
        "dislike": -1.5,
        "x=y": 2.0,
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        (" ", None),
        ("5.5", 5.5),
        ("-3", -3),
        ("2024-05-01", 1714521600),
        ("2024-05-01T02:00:00+02:00", 1714521600),
        ("2024-05-01T00:00:00Z", 1714521600),
    ],
)
def test_a_moment_is_seconds_or_an_iso_time(text, moment):
    assert moment_of(text) == moment


@pytest.mark.parametrize("text", ["noon", "inf", "nan", "2024-13-01"])
def test_what_is_no_moment(text):
    with pytest.raises(ValueError):
        moment_of(text)


@pytest.mark.parametrize(
    ("setting", "value", "fault"),
    [
        ("interaction_columns", ["user=reviewerID"], "'user' of 'user=reviewerID' is no column"),
        ("interaction_columns", ["user_id"], 'must be "ours=theirs"'),
        ("interaction_columns", ["user_id="], 'must be "ours=theirs"'),
        ("interaction_columns", ["=x"], 'must be "ours=theirs"'),
        ("interaction_columns", ["user_id=a", "user_id=b"], "'user_id' must be renamed once"),
        ("item_columns", ["genre s=x"], "known are item_id, title"),
        ("item_columns", ["user_id=x"], "'user_id' of 'user_id=x' is no column"),
        ("events", ["purchase"], 'must be "kind=weight"'),
        ("events", ["purchase=much"], 'must be "kind=weight"'),
        ("events", ["purchase=nan"], 'must be "kind=weight"'),
        ("events", ["purchase=0"], "other than 0"),
        ("events", ["=1"], 'must be "kind=weight"'),
        ("events", ["a=1", "a=2"], "'a' must have one weight"),
        ("min_time", "noon", "must be seconds since 1970 or an ISO 8601 time"),
        ("max_time", "noon", "must be seconds since 1970 or an ISO 8601 time"),
        ("min_rating", float("nan"), "must be finite"),
        ("max_events_per_hour", -1, "must be 0 or more"),
        ("min_user_events", -1, "must be 0 or more"),
        ("min_item_events", -1, "must be 0 or more"),
        ("time_unit", "min", "must be one of 'auto'"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(setting, value, fault):
    with pytest.raises(UserError) as caught:
        Config().with_overrides({f"data.{setting}": value})
    assert f"data.{setting}: " in str(caught.value)
    assert fault in str(caught.value)


def test_a_range_of_times_must_not_end_before_it_starts():
    with pytest.raises(UserError, match=r"data\.min_time: must not lie behind data\.max_time"):
        Config().with_overrides({"data.min_time": "2024-05-02", "data.max_time": "2024-05-01"})
    Config().with_overrides({"data.min_time": "2024-05-01", "data.max_time": "2024-05-01"})


def test_category_columns_may_be_renamed():
    config = Config().with_overrides(
        {"data.category_columns": ["colour"], "data.item_columns": ["colour=farbe"]}
    )
    assert config.data.item_columns == ("colour=farbe",)


def test_a_time_needs_no_quotes_on_the_command_line():
    settings = ["data.min_time=2024-05-01", "data.max_time=2024-05-01T12:00:00Z"]
    data = load_config(overrides=settings).data
    assert (data.min_time, data.max_time) == ("2024-05-01", "2024-05-01T12:00:00+00:00")
