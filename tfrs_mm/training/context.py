"""Profiles and times of records as the numbers that the ranker takes, as of each example's moment,
and what the user tower takes of them and of the events of a history.

Records hold them as they stood right before the event that is asked about, in windows as in
queries, so nothing here can know the target.
"""

from collections.abc import Mapping

import numpy as np

from tfrs_mm.config import Config
from tfrs_mm.data import optional_features as optional
from tfrs_mm.data.input_pipeline import Queries
from tfrs_mm.errors import UserError
from tfrs_mm.ranking import RankingModel
from tfrs_mm.ranking.context import CONTEXT, FAVOURITE_WEIGHTS, FAVOURITES, ContextSpec
from tfrs_mm.schema import FeatureSpec, Schema
from tfrs_mm.towers import KINDS, TIMES

_COUNTS = (optional.PROFILE_KINDS, optional.PROFILE_ACTIVITY)
_TIMES = (optional.HOUR, optional.WEEKDAY)


def context_spec(config: Config, schema: Schema) -> ContextSpec | None:
    """What contexts of this data look like; None where `ranking.profiles` is off.

    Raises:
        UserError: the records hold neither profiles nor times.
    """
    if not config.ranking.profiles:
        return None
    size = sum(_size_of(feature) for feature in optional.momentary(schema))
    if not size:
        raise UserError(
            "`ranking.profiles` is true, but the records hold neither profiles nor times. Set it "
            "to false, or preprocess again with data.profiles or data.time_features."
        )
    if optional.PROFILE_CATEGORIES not in optional.optional_keys(schema):
        return ContextSpec(size)
    # As the jobs choose it: the one that is named, or the first one that there is.
    columns = [feature.name for feature in schema.categories]
    column = config.data.profile_category or next(
        name for name in config.data.category_columns if name in columns
    )
    return ContextSpec(size, schema.feature(optional.PROFILE_CATEGORIES).width, column)


def contexts_of(
    columns: Mapping[str, np.ndarray], spec: ContextSpec | None, schema: Schema
) -> dict[str, np.ndarray]:
    """The ranker's inputs from columns of records.

    Args:
        columns: by key, `[n]` or `[n, width]`.
        spec: of `context_spec`.
        schema: of the records.

    Returns:
        `context` `[n, size]` float32: logarithms of counts and of the seconds since the last event,
        whether there was none, and one place for each hour and day; `favourites` and
        `favourite_weights` where there are any. Nothing where `spec` is None.
    """
    if spec is None:
        return {}
    parts = [
        _numbers(columns[feature.name], feature.name, feature.size)
        for feature in optional.momentary(schema)
        if _size_of(feature)
    ]
    contexts = {CONTEXT: np.concatenate(parts, axis=1).astype(np.float32)}
    if spec.top:
        contexts[FAVOURITES] = columns[optional.PROFILE_CATEGORIES].astype(np.int32)
        contexts[FAVOURITE_WEIGHTS] = columns[optional.PROFILE_WEIGHTS].astype(np.float32)
    return contexts


def tower_contexts(config: Config, queries: Queries, schema: Schema) -> dict[str, np.ndarray]:
    """What the user tower is told of queries besides the items of their histories.

    Returns:
        `[queries, ...]` by name, see `UserTower.call`; nothing of what the configuration does not
        ask for.
    """
    settings = config.retrieval
    columns = {}
    if settings.time_gaps:
        columns[TIMES] = queries.history_times
    if settings.event_kinds:
        columns[KINDS] = queries.history_events
    if settings.profiles:
        columns |= {f.name: queries.extras[f.name] for f in optional.momentary(schema)}
    return columns


def tower_user_contexts(config: Config, users: Queries, schema: Schema) -> dict[str, np.ndarray]:
    """What a served model tells the user tower of each user; the time of a request is unknown.

    Returns:
        `[users + 1, ...]` by name, row 0 for an unknown user.
    """
    tables = {}
    for name, column in tower_contexts(config, users, schema).items():
        tables[name] = np.zeros((schema.num_users + 1, *column.shape[1:]), column.dtype)
        if name not in _TIMES:
            tables[name][users.user] = column
    return tables


def contexts_at(
    windows: Mapping[str, np.ndarray], places: np.ndarray, spec: ContextSpec | None, schema: Schema
) -> dict[str, np.ndarray]:
    """The ranker's inputs as of the moment of some events, see `contexts_of`.

    Args:
        windows: of `read_windows`.
        places: `[n, 2]`, the window that an event lies in, and its place there.
        spec: of `context_spec`.
        schema: of the records.
    """
    if spec is None:
        return {}
    at = tuple(places.T)
    columns = {feature.name: windows[feature.name][at] for feature in optional.momentary(schema)}
    return contexts_of(columns, spec, schema)


def user_contexts(
    users: Queries, spec: ContextSpec | None, ranker: RankingModel, schema: Schema
) -> dict[str, np.ndarray]:
    """What a served model tells the ranker of each user.

    The time of a request is not known when a model is written, so its places are as they were on
    average in training, and so is all of an unknown user's context.

    Args:
        users: the split `users`.
        spec: of `context_spec`.
        ranker: the trained one.
        schema: of the records.

    Returns:
        `[users + 1, ...]` by name, row 0 for an unknown user; nothing where `spec` is None.
    """
    if spec is None:
        return {}
    neutral = ranker.neutral_context.numpy()
    tables = {}
    for name, column in contexts_of(users.extras, spec, schema).items():
        tables[name] = np.zeros((schema.num_users + 1, *column.shape[1:]), column.dtype)
        tables[name][users.user] = column
    known = np.zeros(schema.num_users + 1, bool)
    known[users.user] = True
    sizes = [(f.name in _TIMES, _size_of(f)) for f in optional.momentary(schema)]
    of_time = np.concatenate([np.full(size, is_time) for is_time, size in sizes])
    told = known[:, None] & ~of_time[None, :]
    tables[CONTEXT] = np.where(told, tables[CONTEXT], neutral)
    return tables


def _size_of(feature: FeatureSpec) -> int:
    """Numbers that a feature gives to the context."""
    if feature.name in _TIMES:
        return feature.size - 1
    if feature.name == optional.PROFILE_SECONDS:
        return 2
    return feature.width if feature.name in _COUNTS else 0


def _numbers(column: np.ndarray, name: str, size: int) -> np.ndarray:
    """`[n, numbers]`."""
    if name in _TIMES:
        return column[:, None] == np.arange(1, size)
    if name == optional.PROFILE_SECONDS:
        return np.stack([np.log1p(np.maximum(column, 0)), column < 0], axis=1)
    return np.log1p(column)
