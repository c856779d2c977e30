"""What the users of a synthetic catalogue do, and when.

An event is drawn from a sharp softmax over how much the user likes each item in her mood. A mood
lasts for a stretch of events. The last events of a user come after the release of the cold items,
and only these can be with a cold item.
"""

import numpy as np

EVENT_KINDS = ("view", "like", "rate")
NEW_EVENTS = 2  # of each user, after the release
SHARPNESS = 14.0  # a utility of 1 against 0 makes an item e^14 times as likely
OTHER_MOOD = 0.15  # what a class of the other mood is worth, where one of this mood is worth 1

_DAY_S = 86_400
_START_TIME = 1_704_067_200  # midnight of 2024-01-01, UTC
_RELEASE_TIME = _START_TIME + 330 * _DAY_S  # when the cold items come out
_END_TIME = _START_TIME + 365 * _DAY_S
_COLD_PROBABILITY = 0.35  # that one of a user's last two events is with a cold item
_SWITCH_PROBABILITY = 0.2  # that a mood ends before the next event
_RATED_SHARE = 0.25  # of the events


def utilities_of(
    classes: np.ndarray, preferred: np.ndarray, weights: np.ndarray, mood: int, other_mood: float
) -> np.ndarray:
    """How much a user likes every item in a mood, `[items]` from 0 to 1; see `draw_events`."""
    now, other = classes == preferred[mood], classes == preferred[1 - mood]
    return (now + other_mood * other) @ weights


def draw_events(
    rng: np.random.Generator,
    classes: np.ndarray,
    appeal: np.ndarray,
    is_cold: np.ndarray,
    preferred: np.ndarray,
    weights: np.ndarray,
    events_per_user: tuple[int, int],
) -> dict[str, np.ndarray]:
    """One user's events in the order of time, as columns of equal length.

    Args:
        rng: decides everything that is not given.
        classes: `[items, modality]`.
        appeal: `[items]`, added to the logits.
        is_cold: `[items]` bool.
        preferred: `[mood, modality]`, the classes this user likes.
        weights: `[modality]`, what a match is worth to her.
        events_per_user: least and most events.

    Returns:
        `items`, `times` in Unix seconds, `moods`, `kinds` as an index into `EVENT_KINDS`, and
        `ratings` from 1 to 5, or 0 where there is none.
    """
    num_events = int(rng.integers(events_per_user[0], events_per_user[1] + 1))
    moods = (rng.integers(2) + np.cumsum(rng.random(num_events) < _SWITCH_PROBABILITY)) % 2
    utilities = np.stack(
        [utilities_of(classes, preferred, weights, mood, OTHER_MOOD) for mood in (0, 1)]
    )
    unseen = np.ones(len(appeal), bool)
    items = np.zeros(num_events, np.int64)
    for position, mood in enumerate(moods):
        new = position >= num_events - NEW_EVENTS and rng.random() < _COLD_PROBABILITY
        # The largest of the logits plus Gumbel noise is a draw from their softmax.
        noisy = SHARPNESS * utilities[mood] + appeal + rng.gumbel(size=len(appeal))
        items[position] = np.argmax(np.where(unseen & (is_cold == new), noisy, -np.inf))
        unseen[items[position]] = False
    liked = utilities[moods, items]
    kinds = np.where(
        rng.random(num_events) < _RATED_SHARE, 2, (rng.random(num_events) < liked).astype(int)
    )
    ratings = np.clip(np.round(2.0 + 3.5 * liked + rng.normal(0.0, 0.5, num_events)), 1, 5)
    return {
        "items": items,
        "times": _draw_times(rng, moods),
        "moods": moods,
        "kinds": kinds,
        "ratings": np.where(kinds == 2, ratings, 0).astype(np.int64),
    }


def _draw_times(rng: np.random.Generator, moods: np.ndarray) -> np.ndarray:
    """Strictly increasing Unix seconds: a mood's stretch takes days, stretches lie months apart."""
    num_old = len(moods) - NEW_EVENTS
    stretch = np.concatenate([[0], np.cumsum(np.diff(moods[:num_old]) != 0)])
    starts = np.sort(rng.uniform(_START_TIME, _RELEASE_TIME - 10 * _DAY_S, stretch[-1] + 1))
    gaps = np.cumsum(rng.exponential(0.4 * _DAY_S, num_old))
    times = starts[stretch] + gaps - gaps[np.searchsorted(stretch, stretch)]
    steps = np.arange(num_old)
    times = np.maximum.accumulate(times.astype(np.int64) - steps) + steps
    times = np.minimum(times, _RELEASE_TIME - num_old + steps)
    # Two distinct seconds, in order.
    new = np.sort(rng.choice(_END_TIME - _RELEASE_TIME, NEW_EVENTS, replace=False)) + _RELEASE_TIME
    return np.concatenate([times, new])
