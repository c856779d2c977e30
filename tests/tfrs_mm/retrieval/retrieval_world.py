"""Two towers over forty items, and users who walk upwards through them."""

import numpy as np

from tfrs_mm.config import load_config
from tfrs_mm.retrieval import TwoTowerModel, build_two_tower
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema
from tfrs_mm.towers import ItemTables

NUM_ITEMS, MAX_HISTORY = 40, 6


def make_model(**overrides) -> TwoTowerModel:
    config = load_config(preset="tiny").with_overrides(
        {name.replace("__", "."): value for name, value in overrides.items()}
    )
    schema = Schema(
        (
            FeatureSpec("user", Owner.USER, Kind.ID, 9),
            FeatureSpec("item", Owner.ITEM, Kind.ID, NUM_ITEMS + 1),
            FeatureSpec("event", Owner.CONTEXT, Kind.CATEGORY, 3),
            FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, 4, 2),
            FeatureSpec("text", Owner.ITEM, Kind.MEDIA, 5),
        ),
        MAX_HISTORY,
    )
    generator = np.random.default_rng(0)
    present = generator.random((NUM_ITEMS + 1, 1)) < 0.8
    values = generator.normal(size=(NUM_ITEMS + 1, 1, 3)).astype(np.float32) * present[..., None]
    tables = ItemTables(
        values, present, {"genres": generator.integers(0, 4, (NUM_ITEMS + 1, 2)).astype(np.int32)},
        np.arange(NUM_ITEMS + 1) > 0,
    )  # fmt: skip
    return build_two_tower(config, schema, tables, np.r_[0, np.arange(NUM_ITEMS) + 1.0])


def make_batch(size: int = 32) -> dict[str, np.ndarray]:
    """Users walk upwards from a random item: the next one is always one more."""
    starts = np.random.default_rng(1).integers(1, NUM_ITEMS - MAX_HISTORY, (size, 1))
    rows = (starts + np.arange(MAX_HISTORY + 1)).astype(np.int32)
    is_target = np.ones_like(rows, bool)
    rows[: size // 4, 4:], is_target[: size // 4, 4:] = 0, False
    generator = np.random.default_rng(2)
    return {
        "history/item": rows,
        "history/time": np.cumsum(generator.integers(0, 9, rows.shape), axis=1),
        "history/event": generator.integers(1, 3, rows.shape, np.int32),
        "is_target": is_target,
    }
