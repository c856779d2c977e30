"""The one place that knows how records lie in TFRecords: their kinds, their keys, their shapes.

Three records: a *window* of a user's timeline to train on, a *query* to evaluate or serve, and an
*item* of the catalogue. Each is a `RecordSpec`, which writes whole columns without TensorFlow and
parses batches inside a TensorFlow graph.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tfrs_mm.data import optional_features
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.data.record_spec import Field, RecordSpec
from tfrs_mm.schema import Schema

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["ExamplesSpec", "Field", "Ragged", "RecordSpec"]

USER = "user"
ITEM = "item"
HISTORY_ITEM = "history/item"
HISTORY_TIME = "history/time"
HISTORY_EVENT = "history/event"
HISTORY_LENGTH = "history/length"  # of a parsed query
FIRST_TARGET = "first_target"
IS_TARGET = "is_target"  # of a parsed window
TARGET_ITEM = "target/item"
TARGET_TIME = "target/time"
SEEN_ITEM = "seen/item"
ITEM_ID = "item_id"
TITLE = "title"


@dataclasses.dataclass(frozen=True)
class ExamplesSpec:
    """The records of data described by `schema`.

    Attributes:
        schema: their features.

    `window`, `query` and `item` are the three layouts.
    """

    schema: Schema

    @functools.cached_property
    def window(self) -> RecordSpec:
        """Parsed: `user`; `[batch, max_history + 1]` `history/item|time|event` and `is_target`.

        Declared optional features have the same shape, or `[batch, max_history + 1, width]`.
        """
        positions = self.schema.max_history + 1
        fields = [
            self._user(),
            *self._history(positions),
            Field(FIRST_TARGET, "int64", limit=positions),
            *optional_features.window_fields(self.schema, positions),
        ]
        return self._spec("window", fields, functools.partial(_finish_window, schema=self.schema))

    @functools.cached_property
    def query(self) -> RecordSpec:
        """Parsed: `user`, history, targets, seen items.

        `history/item|time|event` are `[batch, max_history]`, with their length; targets and seen
        items are ragged. Declared optional features are `[batch, max_history]` beside the history,
        the others `[batch]` or `[batch, width]`.
        """
        num_rows = self.schema.num_items + 1
        fields = [
            self._user(),
            *self._history(self.schema.max_history),
            Field(TARGET_ITEM, "int64", "list", limit=num_rows),
            Field(TARGET_TIME, "int64", "list"),
            Field(SEEN_ITEM, "int64", "list", limit=num_rows),
            *optional_features.query_fields(self.schema),
        ]
        return self._spec("query", fields, _finish_query)

    @functools.cached_property
    def item(self) -> RecordSpec:
        """Parsed: `item`, `item_id`, `title`, embeddings, presence, categories.

        Embeddings are `[batch, dim]`, categories are padded.
        """
        fields = [
            Field(ITEM, "int64", limit=self.schema.num_items + 1),
            Field(ITEM_ID, "bytes"),
            Field(TITLE, "bytes"),
        ]
        for modality in self.schema.modalities:
            dim = self.schema.feature(modality.value).size
            fields.append(Field(modality.embedding_key, "float32", "vector", width=dim))
            fields.append(Field(modality.present_key, "int64", limit=2))
        for category in self.schema.categories:
            fields.append(
                Field(category.name, "int64", "list", width=category.width, limit=category.size)
            )
        present_keys = tuple(modality.present_key for modality in self.schema.modalities)
        return self._spec(
            "item", fields, functools.partial(_finish_item, present_keys=present_keys)
        )

    def _user(self) -> Field:
        return Field(USER, "int64", limit=self.schema.num_users + 1)

    def _history(self, width: int) -> list[Field]:
        num_events = self.schema.feature("event").size
        return [
            Field(HISTORY_ITEM, "int64", "list", width, limit=self.schema.num_items + 1),
            Field(HISTORY_TIME, "int64", "list", width),
            Field(HISTORY_EVENT, "int64", "list", width, limit=num_events),
            *optional_features.history_fields(self.schema, width),
        ]

    def _spec(self, name: str, fields: Sequence[Field], finish: Callable[..., Any]) -> RecordSpec:
        keys = {field.key for field in fields}
        history = (HISTORY_ITEM, HISTORY_TIME, HISTORY_EVENT)
        beside = [(HISTORY_ITEM, key) for key in optional_features.BESIDE_ITEMS]
        groups = (history, *beside, (TARGET_ITEM, TARGET_TIME))
        aligned = tuple(group for group in groups if keys.issuperset(group))
        # In the order of their keys, as protobuf itself would write them.
        return RecordSpec(name, tuple(sorted(fields, key=lambda field: field.key)), aligned, finish)


def _finish_window(
    parsed: dict[str, "tf.Tensor"], lengths: dict[str, "tf.Tensor"], schema: Schema
) -> dict[str, "tf.Tensor"]:
    """Marks the positions to learn from: those from the first target to the end of the window."""
    import tensorflow as tf

    first_target = parsed.pop(FIRST_TARGET)[:, tf.newaxis]
    positions = tf.range(parsed[HISTORY_ITEM].shape[1])[tf.newaxis, :]
    length = tf.cast(lengths[HISTORY_ITEM], tf.int32)[:, tf.newaxis]
    parsed[IS_TARGET] = (positions >= first_target) & (positions < length)
    return optional_features.by_position(parsed, schema, schema.max_history + 1)


def _finish_query(
    parsed: dict[str, "tf.Tensor"], lengths: dict[str, "tf.Tensor"]
) -> dict[str, "tf.Tensor"]:
    import tensorflow as tf

    parsed[HISTORY_LENGTH] = tf.cast(lengths[HISTORY_ITEM], tf.int32)
    return parsed


def _finish_item(
    parsed: dict[str, "tf.Tensor"], lengths: dict[str, "tf.Tensor"], present_keys: tuple[str, ...]
) -> dict[str, "tf.Tensor"]:
    import tensorflow as tf

    return parsed | {key: tf.cast(parsed[key], tf.bool) for key in present_keys}
