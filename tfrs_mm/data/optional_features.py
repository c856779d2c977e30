"""Features that behaviour records hold only where the configuration asks for them, and how they lie
there.

They are declared in the schema, so records, their fingerprint and the models follow from it; a
schema without them describes the records without them. In a window each position has its own
values, those of the moment when its item was asked for; in a query they are those of the first
target's moment. Nothing of the target itself, or of what came after, is in them. What lies beside
the items of a history belongs to its events, as their kinds do.
"""

from typing import TYPE_CHECKING

from tfrs_mm.data.record_spec import Field
from tfrs_mm.data.time_features import HOUR_ROWS, WEEKDAY_ROWS
from tfrs_mm.data_settings import DataConfig
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

if TYPE_CHECKING:
    import tensorflow as tf

# Of each event of a history, also in queries: the number of its session; its rating or duration, 0
# where it says nothing, and whether it says any. Those of a target are labels, no features.
HISTORY_SESSION = "history/session"
HISTORY_VALUE, HISTORY_VALUE_PRESENT = "history/value", "history/value_present"
HOUR, WEEKDAY = "context/hour", "context/weekday"
# Of the user: events of each kind, where row 0 is negative feedback; events of the last day, seven
# and thirty days; seconds since the last event, -1 without any; heaviest categories and weights.
PROFILE_KINDS, PROFILE_ACTIVITY = "profile/kinds", "profile/activity"
PROFILE_SECONDS = "profile/seconds_since_last"
PROFILE_CATEGORIES, PROFILE_WEIGHTS = "profile/categories", "profile/category_weights"

NUM_SPANS = 3  # of the activity
BESIDE_ITEMS = (HISTORY_SESSION, HISTORY_VALUE, HISTORY_VALUE_PRESENT)

_VECTORS = (PROFILE_KINDS, PROFILE_ACTIVITY, PROFILE_CATEGORIES, PROFILE_WEIGHTS)
# A value, or a vector, for each position of a window and for each query.
_MOMENTARY = (HOUR, WEEKDAY, PROFILE_SECONDS, *_VECTORS)


def optional_features(
    settings: DataConfig, kind_rows: int, category_rows: int
) -> tuple[FeatureSpec, ...]:
    """What the configuration asks for.

    Args:
        settings: of the data.
        kind_rows: of the vocabulary of kinds, row 0 included.
        category_rows: of the categories that profiles speak of, row 0 included; 0 without any.
    """
    features = []
    if settings.session_gap_minutes:
        features.append(FeatureSpec(HISTORY_SESSION, Owner.CONTEXT, Kind.NUMBER, 0))
    if settings.values != "none":
        features += [
            FeatureSpec(HISTORY_VALUE, Owner.CONTEXT, Kind.NUMBER, 0),
            FeatureSpec(HISTORY_VALUE_PRESENT, Owner.CONTEXT, Kind.NUMBER, 0),
        ]
    if settings.time_features:
        features += [
            FeatureSpec(HOUR, Owner.CONTEXT, Kind.CATEGORY, HOUR_ROWS),
            FeatureSpec(WEEKDAY, Owner.CONTEXT, Kind.CATEGORY, WEEKDAY_ROWS),
        ]
    if settings.profiles:
        features += [
            FeatureSpec(PROFILE_KINDS, Owner.USER, Kind.NUMBER, 0, kind_rows),
            FeatureSpec(PROFILE_ACTIVITY, Owner.USER, Kind.NUMBER, 0, NUM_SPANS),
            FeatureSpec(PROFILE_SECONDS, Owner.USER, Kind.NUMBER, 0),
        ]
    if settings.profiles and category_rows:
        top = settings.profile_top
        features += [
            FeatureSpec(PROFILE_CATEGORIES, Owner.USER, Kind.CATEGORY, category_rows, top),
            FeatureSpec(PROFILE_WEIGHTS, Owner.USER, Kind.NUMBER, 0, top),
        ]
    return tuple(features)


def optional_keys(schema: Schema) -> tuple[str, ...]:
    """The keys of those that the schema declares."""
    known = (*BESIDE_ITEMS, *_MOMENTARY)
    return tuple(f.name for f in schema.features if f.name in known)


def history_fields(schema: Schema, width: int) -> list[Field]:
    """Those that lie beside `history/item`, a value for each of at most `width` events."""
    declared = optional_keys(schema)
    return [
        Field(key, "float32" if key == HISTORY_VALUE else "int64", "list", width)
        for key in BESIDE_ITEMS
        if key in declared
    ]


def window_fields(schema: Schema, positions: int) -> list[Field]:
    """Those of each position, its values one behind the other."""
    return [
        Field(f.name, _dtype(f), "list", positions * f.width, _limit(f)) for f in momentary(schema)
    ]


def query_fields(schema: Schema) -> list[Field]:
    """Those of the moment that is asked about."""
    return [
        Field(f.name, _dtype(f), "vector", f.width, _limit(f))
        if f.name in _VECTORS
        else Field(f.name, _dtype(f), "scalar", None, _limit(f))
        for f in momentary(schema)
    ]


def momentary(schema: Schema) -> tuple[FeatureSpec, ...]:
    """The declared features that belong to a moment."""
    return tuple(feature for feature in schema.features if feature.name in _MOMENTARY)


def by_position(
    parsed: dict[str, "tf.Tensor"], schema: Schema, positions: int
) -> dict[str, "tf.Tensor"]:
    """The parsed window with `[batch, positions, width]` where a position has a vector."""
    import tensorflow as tf

    wide = {
        feature.name: feature.width for feature in momentary(schema) if feature.name in _VECTORS
    }
    return parsed | {
        key: tf.reshape(parsed[key], [-1, positions, width]) for key, width in wide.items()
    }


def _dtype(feature: FeatureSpec) -> str:
    return "float32" if feature.name == PROFILE_WEIGHTS else "int64"


def _limit(feature: FeatureSpec) -> int | None:
    return feature.size if feature.kind == Kind.CATEGORY else None
