import pytest

from tfrs_mm.config import Config
from tfrs_mm.errors import UserError


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"text.kind": "given"}, "must have either a file or a column"),
        ({"text.kind": "given", "text.file": "a.npz", "text.column": "v"}, "either a file or a"),
        ({"text.kind": "saved_model"}, "must have a file, no column"),
        ({"text.kind": "saved_model", "text.column": "v"}, "must have a file, no column"),
        ({"text.file": "a.npz"}, r"encoders\.text\.file: must be empty unless kind is one of"),
        ({"text.kind": "none", "text.column": "v"}, r"encoders\.text\.column: must be empty"),
        ({"outlier_z": 0.0}, r"encoders\.outlier_z: must be above 0"),
        ({"near_duplicate_cosine": 1.5}, "must be above 0 and at most 1"),
        ({"near_duplicate_cosine": 0.0}, "must be above 0 and at most 1"),
        ({"exact_near_duplicates": -1}, "must be 0 or more"),
    ],
)
def test_settings_that_contradict_each_other_are_told(values, fault):
    with pytest.raises(UserError, match=fault):
        Config().with_overrides({f"encoders.{key}": value for key, value in values.items()})


@pytest.mark.parametrize(
    "values",
    [
        {"text.kind": "given", "text.file": "a.npz"},
        {"text.kind": "given", "text.column": "v"},
        {"text.kind": "saved_model", "text.file": "folder"},
        {"near_duplicate_cosine": 1.0, "exact_near_duplicates": 0},
    ],
)
def test_settings_that_make_sense_are_taken(values):
    Config().with_overrides({f"encoders.{key}": value for key, value in values.items()})
