"""The hidden side of the synthetic catalogue: what items are, what users like and then do.

Every item has one hidden class for each modality: the style of its picture, the topic of its text,
the kind of its sound, the scene of its film. The four are drawn independently. A user likes one
class of each modality in the mood she is in, and another one in her other mood, and weighs the
modalities in her own way. She stays in a mood for a stretch of events. Nothing but the media and
the history gives any of this away. No files here: `synthetic.py` writes them.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrs_mm.data.synthetic_events import (
    NEW_EVENTS,
    OTHER_MOOD,
    SHARPNESS,
    draw_events,
    utilities_of,
)
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

_COLD_SHARE = 0.15
_MISSING_SHARE = 0.05
_APPEAL_SPREAD = 0.6  # standard deviation of an item's log-popularity
_EVEN_WEIGHTS = 4.0  # of the Dirichlet distribution of a user's weights; the higher the more even
_MIN_USERS = 2
_ID_FIRST = (
    "bcdfghjkmnpqrstvwxz"  # ids start with a letter, so that no reader takes one for a number
)
_ID_REST = _ID_FIRST + "23456789"


@dataclasses.dataclass(frozen=True)
class SyntheticWorld:
    """Everything that is true of a synthetic catalogue; the modality axis has the order of
    `Modality`.

    Attributes:
        item_ids: one opaque id for each item.
        user_ids: one opaque id for each user.
        item_classes: `[items, modality]` int64.
        appeal: `[items]`, added to the logits of every user.
        is_cold: `[items]` bool; a cold item occurs only among the last two events of a user.
        missing: `[items, modality]` bool; the item has no such medium.
        preferred: `[users, mood, modality]` int64, the class that is liked in that mood.
        weights: `[users, modality]`, each row sums to 1.
        other_mood: what a class of the other mood is worth, where one of this mood is worth 1.
        sharpness: what a utility of 1 adds to an item's logit.
        event_users: `[events]` int64 index into `user_ids`; events are in the order of time.
        event_items: `[events]` int64 index into `item_ids`.
        event_times: `[events]` int64 Unix seconds.
        event_moods: `[events]` int64, the mood the user was in.
        event_kinds: `[events]` int64 index into `EVENT_KINDS`.
        event_ratings: `[events]` int64 from 1 to 5; 0 where the event carries none.
    """

    item_ids: tuple[str, ...]
    user_ids: tuple[str, ...]
    item_classes: np.ndarray
    appeal: np.ndarray
    is_cold: np.ndarray
    missing: np.ndarray
    preferred: np.ndarray
    weights: np.ndarray
    other_mood: float
    sharpness: float
    event_users: np.ndarray
    event_items: np.ndarray
    event_times: np.ndarray
    event_moods: np.ndarray
    event_kinds: np.ndarray
    event_ratings: np.ndarray

    @property
    def cold_item_ids(self) -> tuple[str, ...]:
        """The ids of the cold items, in the order of `item_ids`."""
        return tuple(self.item_ids[index] for index in np.flatnonzero(self.is_cold))

    def utilities(self, user: int, mood: int) -> np.ndarray:
        """How much a user likes every item in a mood, `[items]` from 0 to 1."""
        return utilities_of(
            self.item_classes, self.preferred[user], self.weights[user], mood, self.other_mood
        )

    def logits(self, user: int, mood: int) -> np.ndarray:
        """`[items]`; an event is drawn from the softmax of these over the items not yet seen."""
        return self.sharpness * self.utilities(user, mood) + self.appeal


def build_world(
    num_items: int,
    num_users: int,
    seed: int,
    class_counts: Mapping[Modality, int],
    events_per_user: tuple[int, int],
) -> SyntheticWorld:
    """Draws a world.

    Args:
        num_items: items of the catalogue, cold ones included.
        num_users: users; each has events.
        seed: the same seed gives the same world.
        class_counts: hidden classes of each modality, two at least.
        events_per_user: least and most events of one user.

    Raises:
        UserError: lists everything that is too small.
    """
    _check(num_items, num_users, seed, events_per_user)
    rng = np.random.default_rng(seed)
    counts = [class_counts[modality] for modality in Modality]
    # A shuffled round-robin: every class of a modality has as many items, give or take one.
    classes = np.stack([rng.permutation(np.arange(num_items) % count) for count in counts], axis=1)
    is_cold = np.zeros(num_items, bool)
    is_cold[rng.choice(num_items, _num_cold(num_items), replace=False)] = True
    missing = np.zeros((num_items, len(counts)), bool)
    incomplete = rng.choice(num_items, round(_MISSING_SHARE * num_items), replace=False)
    missing[incomplete, np.arange(len(incomplete)) % len(counts)] = True
    preferred = np.stack(
        [[rng.choice(count, 2, replace=False) for count in counts] for _ in range(num_users)]
    ).transpose(0, 2, 1)
    weights = rng.dirichlet([_EVEN_WEIGHTS] * len(counts), num_users)
    appeal = rng.normal(0.0, _APPEAL_SPREAD, num_items)
    events = [
        draw_events(rng, classes, appeal, is_cold, preferred[user], weights[user], events_per_user)
        for user in range(num_users)
    ]
    users = np.repeat(np.arange(num_users), [len(one["items"]) for one in events])
    columns = {key: np.concatenate([one[key] for one in events]) for key in events[0]}
    order = np.argsort(columns["times"], kind="stable")
    return SyntheticWorld(
        item_ids=_opaque_ids(rng, num_items),
        user_ids=_opaque_ids(rng, num_users),
        item_classes=classes,
        appeal=appeal,
        is_cold=is_cold,
        missing=missing,
        preferred=preferred,
        weights=weights,
        other_mood=OTHER_MOOD,
        sharpness=SHARPNESS,
        event_users=users[order],
        **{f"event_{key}": values[order] for key, values in columns.items()},
    )


def world_to_dict(world: SyntheticWorld) -> dict[str, Any]:
    """The world as plain values for JSON; arrays become nested lists."""
    values = {field.name: getattr(world, field.name) for field in dataclasses.fields(world)}
    plain = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in values.items()
    }
    return {"modalities": [modality.value for modality in Modality], **plain}


def world_from_dict(values: Mapping[str, Any]) -> SyntheticWorld:
    """The inverse of `world_to_dict`; other keys are ignored."""
    read = {np.ndarray: np.asarray, float: float, tuple[str, ...]: tuple}
    fields = dataclasses.fields(SyntheticWorld)
    return SyntheticWorld(**{field.name: read[field.type](values[field.name]) for field in fields})


def _num_cold(num_items: int) -> int:
    return round(_COLD_SHARE * num_items)


def _suffices(num_items: int, most_events: int) -> bool:
    """Whether a user with so many events can always be given an item that is new to her."""
    num_cold = _num_cold(num_items)
    return num_cold >= NEW_EVENTS and num_items - num_cold >= most_events


def _check(num_items: int, num_users: int, seed: int, events_per_user: Sequence[int]) -> None:
    least, most = events_per_user
    faults = []
    if not NEW_EVENTS < least <= most:
        faults.append(
            f"events_per_user: must be (least, most) with {NEW_EVENTS} < least <= most, "
            f"received {tuple(events_per_user)}"
        )
    if not _suffices(num_items, most):
        needed = next(size for size in itertools.count(1) if _suffices(size, most))
        faults.append(
            f"num_items: must be at least {needed}, "
            f"for users with {most} events who never meet an item twice, received {num_items}"
        )
    if num_users < _MIN_USERS:
        faults.append(f"num_users: must be at least {_MIN_USERS}, received {num_users}")
    if seed < 0:
        faults.append(f"seed: must be 0 or more, received {seed}")
    if faults:
        raise UserError("a synthetic catalogue cannot be made so:\n  " + "\n  ".join(faults))


def _opaque_ids(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """`count` distinct random names of eight characters."""
    names: dict[str, None] = {}
    while len(names) < count:
        first = rng.choice(list(_ID_FIRST))
        names.setdefault(first + "".join(rng.choice(list(_ID_REST), 7)))
    return tuple(names)
