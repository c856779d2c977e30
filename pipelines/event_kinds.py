"""What kind an event is of, and whether it speaks for the item or against it."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.event_times import numbers_of
from tfrs_mm.config import DataConfig
from tfrs_mm.log_settings import weights_of

DEFAULT_EVENT = "interaction"  # where a log has no column `event`, or a row nothing in it
UNLISTED = "event kind is not in data.events"


@dataclasses.dataclass(frozen=True)
class KindRules:
    """Which kinds of events there are, and which are negative feedback.

    Attributes:
        weights: by kind, never 0; empty where every kind is positive.
        min_rating: events with a rating below it are negative; 0 where ratings are not read.
        min_seconds: events that lasted less are negative; 0 where durations are not read.
    """

    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    min_rating: float = 0.0
    min_seconds: float = 0.0

    @classmethod
    def of(cls, settings: DataConfig) -> "KindRules":
        """Those of a configuration."""
        return cls(weights_of(settings.events), settings.min_rating, settings.min_play_seconds)

    @property
    def know_negatives(self) -> bool:
        """Whether an event can be negative feedback."""
        return (
            self.min_rating != 0.0
            or self.min_seconds != 0.0
            or any(weight < 0 for weight in self.weights.values())
        )


ANY_KIND = KindRules()


def read_kinds(
    events: pa.Array | None,
    ratings: pa.Array | None,
    durations: pa.Array | None,
    count: int,
    rules: KindRules,
) -> tuple[pa.Array, np.ndarray, list[tuple[str, np.ndarray]]]:
    """The kinds, which events are negative feedback, and what is wrong where.

    Args:
        events: `[n]` texts, if the log has them.
        ratings: `[n]` texts, if the log has them; an empty one says nothing.
        durations: `[n]` texts, seconds, if the log has them; an empty one says nothing.
        count: n.
        rules: of the kinds.

    Returns:
        `[n]` strings, `[n]` bool, and faults with their `[n]` bool.
    """
    names = pa.repeat(pa.scalar(DEFAULT_EVENT), count)
    if events is not None:
        names = pc.if_else(pc.equal(events, ""), DEFAULT_EVENT, events)
    negative, faults = np.zeros(count, bool), []
    if rules.weights:
        encoded = names.dictionary_encode()
        found = [rules.weights.get(name, 0.0) for name in encoded.dictionary.to_pylist()]
        weights = np.array(found, np.float64)[encoded.indices.to_numpy()]
        negative |= weights < 0
        faults.append((UNLISTED, weights == 0))
    if rules.min_rating != 0.0 and ratings is not None:
        rated, numbers = _said(ratings)
        negative |= rated & (numbers < rules.min_rating)
        faults.append(("rating is no number", rated & ~np.isfinite(numbers)))
    if rules.min_seconds != 0.0 and durations is not None:
        lasted, numbers = _said(durations)
        negative |= lasted & (numbers < rules.min_seconds)
        impossible = ~np.isfinite(numbers) | (numbers < 0)
        faults.append(("duration is no number of seconds", lasted & impossible))
    return names, negative, faults


def _said(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where `[n]` texts are not empty, and their numbers: 0 where they are, NaN for none."""
    said = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    return said, numbers_of(pc.if_else(pa.array(said), texts, "0"))
