"""Time of day and day of the week of moments, in UTC, as rows of two small vocabularies.

Both functions are whole-number arithmetic, so they take NumPy arrays and TensorFlow tensors alike,
and a model may derive from `history/time` what records do not hold.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

Seconds = TypeVar("Seconds", np.ndarray, "tf.Tensor")

HOUR_ROWS = 25  # of the vocabulary; row 0 is a moment that is not known
WEEKDAY_ROWS = 8

_HOUR, _DAY = 3_600, 86_400  # seconds
_FIRST_WEEKDAY = 3  # 1970 began on a Thursday; Monday is 0


def hours_of(seconds: Seconds) -> Seconds:
    """Rows 1 (from midnight on) to 24 of whole seconds since 1970."""
    return seconds // _HOUR % 24 + 1


def weekdays_of(seconds: Seconds) -> Seconds:
    """Rows 1 (Monday) to 7 (Sunday) of whole seconds since 1970."""
    return (seconds // _DAY + _FIRST_WEEKDAY) % 7 + 1
