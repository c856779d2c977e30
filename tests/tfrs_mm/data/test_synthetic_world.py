import json

import numpy as np
import pytest

from tfrs_mm.data.synthetic_world import SyntheticWorld, build_world, world_from_dict, world_to_dict
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality

CLASS_COUNTS = {Modality.IMAGE: 6, Modality.TEXT: 8, Modality.AUDIO: 6, Modality.VIDEO: 6}
TOP = 20


def make(num_items=400, num_users=300, seed=1, events_per_user=(12, 30)) -> SyntheticWorld:
    return build_world(num_items, num_users, seed, CLASS_COUNTS, events_per_user)


@pytest.fixture(scope="module")
def world() -> SyntheticWorld:
    return make()


def events_of(world: SyntheticWorld) -> list[np.ndarray]:
    """The events of each user, in the order of time."""
    return [np.flatnonzero(world.event_users == user) for user in range(len(world.user_ids))]


def ranks(world: SyntheticWorld, scores_of) -> tuple[np.ndarray, np.ndarray]:
    """Of each user's last item: its rank among those unseen (0 is best), and whether it is cold."""
    found, cold = [], []
    for user, events in enumerate(events_of(world)):
        *seen, target = world.event_items[events]
        scores = np.array(scores_of(user, int(world.event_moods[events[-1]])), float)
        scores[seen] = -np.inf
        # Half of the ties count as better.
        better = (scores > scores[target]).sum() + ((scores == scores[target]).sum() - 1) / 2
        found.append(better)
        cold.append(world.is_cold[target])
    return np.array(found), np.array(cold)


def train_counts(world: SyntheticWorld) -> np.ndarray:
    train = np.concatenate([events[:-2] for events in events_of(world)])
    return np.bincount(world.event_items[train], minlength=len(world.item_ids))


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    one, two, other = make(num_users=20), make(num_users=20), make(num_users=20, seed=2)
    assert world_to_dict(one) == world_to_dict(two)
    assert one.item_ids != other.item_ids


def test_no_cold_item_occurs_before_the_last_two_events_of_a_user(world):
    for events in events_of(world):
        assert not world.is_cold[world.event_items[events[:-2]]].any()


def test_about_a_third_of_the_last_two_events_are_cold(world):
    last = np.concatenate([events[-2:] for events in events_of(world)])
    # 600 draws at .35: a standard deviation of .0195, so three of them are .06.
    assert abs(world.is_cold[world.event_items[last]].mean() - 0.35) < 0.06


def test_fifteen_percent_of_the_items_are_cold_and_five_percent_miss_one_medium(world):
    assert world.is_cold.sum() == 60  # of 400
    assert len(world.cold_item_ids) == 60
    assert (world.missing.sum(axis=1) == 1).sum() == 20
    assert world.missing.sum() == 20


def test_nobody_meets_an_item_twice(world):
    for events in events_of(world):
        items = world.event_items[events]
        assert len(set(items)) == len(items)


def test_everybody_has_twelve_to_thirty_events(world):
    counts = [len(events) for events in events_of(world)]
    assert min(counts) == 12 and max(counts) == 30


def test_times_rise_for_each_user_and_cold_items_are_released_after_the_rest(world):
    assert (np.diff(world.event_times) >= 0).all()
    for events in events_of(world):
        assert (np.diff(world.event_times[events]) > 0).all()
    cold = world.is_cold[world.event_items]
    old = np.concatenate([world.event_times[events[:-2]] for events in events_of(world)])
    assert old.max() < world.event_times[cold].min()
    # A year of 365 days.
    assert world.event_times.max() - world.event_times.min() < 365 * 86_400


def test_every_class_has_as_many_items_and_the_modalities_are_independent(world):
    for column, count in enumerate([6, 8, 6, 6]):
        sizes = np.bincount(world.item_classes[:, column], minlength=count)
        assert sizes.max() - sizes.min() <= 1
    # 36 pairs of picture and film, 400/36 = 11 items each; chi-square has 25 degrees of freedom.
    pairs = np.bincount(world.item_classes[:, 0] * 6 + world.item_classes[:, 3], minlength=36)
    assert ((pairs - 400 / 36) ** 2 / (400 / 36)).sum() < 60


def test_ids_are_distinct_and_never_look_like_numbers(world):
    for ids in (world.item_ids, world.user_ids):
        assert len(set(ids)) == len(ids)
        assert all(name[0].isalpha() and name.isalnum() for name in ids)


def test_a_users_taste_rests_on_a_small_share_of_the_items(world):
    shares = []
    for user in range(50):
        chances = np.exp(world.logits(user, 0))
        chances = np.sort(chances / chances.sum())[::-1]
        shares.append(chances[:20].sum())  # 20 of 400 are 5 %
    assert np.mean(shares) > 0.8


def test_moods_last_so_that_the_recent_past_tells_more(world):
    same = [np.mean(np.diff(world.event_moods[events]) == 0) for events in events_of(world)]
    assert np.mean(same) > 0.7  # independent moods would give .5


def test_utilities_weigh_the_matches_of_the_mood():
    two = make(num_users=2)
    user, mood = 1, 0
    first, other = two.preferred[user]
    expected = [
        sum(
            weight * (1.0 if c == now else 0.15 if c == then else 0.0)
            for c, now, then, weight in zip(classes, first, other, two.weights[user], strict=True)
        )
        for classes in two.item_classes
    ]
    np.testing.assert_allclose(two.utilities(user, mood), expected, atol=1e-12)


def test_an_oracle_finds_cold_items_at_eight_times_chance_where_popularity_finds_none(world):
    chance = TOP / 400
    oracle, cold = ranks(world, world.logits)
    counts = train_counts(world)
    popularity, _ = ranks(world, lambda user, mood: counts)
    assert cold.sum() > 60
    assert (oracle[cold] < TOP).mean() > 8 * chance
    assert (popularity[cold] < TOP).mean() <= 2 * chance


def test_popularity_is_a_weak_baseline_on_all_events(world):
    counts = train_counts(world)
    popularity, _ = ranks(world, lambda user, mood: counts)
    share = (popularity < TOP).mean()
    assert share < 3 * TOP / 400
    # The favourites have a few times the events of the others, not a hundred times.
    warm = np.sort(counts[~world.is_cold])
    assert 1.5 < warm[-34:].mean() / warm.mean() < 5.0


def test_the_true_classes_of_the_history_alone_find_cold_items(world):
    histories = [world.event_items[events[:-1]] for events in events_of(world)]

    def scores_of(user: int, mood: int) -> np.ndarray:
        scores = np.zeros(len(world.item_ids))
        for age, item in enumerate(histories[user][::-1]):
            scores += 0.85**age * (world.item_classes == world.item_classes[item]).sum(axis=1)
        return scores

    found, cold = ranks(world, scores_of)
    assert (found[cold] < TOP).mean() > 5 * TOP / 400


def test_a_world_survives_json(world):
    back = world_from_dict(json.loads(json.dumps(world_to_dict(world))))
    assert world_to_dict(back) == world_to_dict(world)
    np.testing.assert_array_equal(back.utilities(3, 1), world.utilities(3, 1))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"num_items": 20}, "num_items: must be at least 35.*received 20"),
        ({"num_users": 1}, "num_users: must be at least 2, received 1"),
        ({"seed": -1}, "seed: must be 0 or more, received -1"),
        ({"events_per_user": (2, 30)}, r"events_per_user.*received \(2, 30\)"),
        ({"events_per_user": (12, 11)}, "events_per_user"),
    ],
)
def test_what_is_too_small_is_named_with_the_rule(arguments, named):
    with pytest.raises(UserError, match=named):
        make(**{"num_users": 5, **arguments})


def test_all_faults_come_at_once():
    with pytest.raises(UserError) as error:
        make(num_items=1, num_users=0, seed=-5)
    assert all(name in str(error.value) for name in ("num_items", "num_users", "seed"))


def test_the_smallest_catalogue_that_is_allowed_can_be_made():
    # 15 % of 35 are 5 cold items, and the 30 others suffice for 30 events.
    small = make(num_items=35, num_users=40)
    assert len(small.event_users) >= 40 * 12
