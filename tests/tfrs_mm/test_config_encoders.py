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
        ({"image.pca_dim": -1}, r"encoders\.image\.pca_dim: must be 0 or more"),
        ({"text.pca_epsilon": -1.0}, r"encoders\.text\.pca_epsilon: must be 0 or more"),
        ({"text.pca_epsilon": float("inf")}, "must be 0 or more and finite"),
        ({"cca": ["image=image"]}, r"encoders\.cca: entries must be two modalities"),
        ({"cca_dim": 0}, r"encoders\.cca_dim: must be at least 1"),
        ({"cca_ridge": -0.1}, r"encoders\.cca_ridge: must be 0 or more"),
        ({"image.kind": "keras_cv"}, "must have either weights in `file` or a `random_seed`"),
        (
            {"image.kind": "keras_cv", "image.file": "w.h5", "image.random_seed": 1},
            "either weights in `file` or a `random_seed`",
        ),
        (
            {"image.kind": "keras_cv", "image.random_seed": 1, "image.column": "c"},
            "must have no column",
        ),
        ({"text.kind": "keras_cv", "text.random_seed": 1}, "takes pictures and films only"),
        ({"image.backbone": "X"}, "must be left out unless kind is 'keras_cv'"),
        ({"image.random_seed": 0}, "must be left out unless kind is 'keras_cv'"),
        (
            {"image.kind": "keras_cv", "image.random_seed": 1, "image.backbone_arguments": ["a"]},
            r"image\.backbone_arguments: entries must be",
        ),
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
        {"image.kind": "keras_cv", "image.file": "preset"},
        {"video.kind": "keras_cv", "video.backbone": "X", "video.random_seed": 0},
        {"image.pca_dim": 8, "cca": ["image=text"], "cca_ridge": 0.0},
    ],
)
def test_settings_that_make_sense_are_taken(values):
    Config().with_overrides({f"encoders.{key}": value for key, value in values.items()})
