"""Profiles of every example, recomputed one event after another from the raw log before it."""

import behaviour_world as world
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines_world import DISLIKE, MAX_HISTORY, Columns, mixed_logs, rows_of_users, timelines_of

from pipelines import behaviour, favourites
from pipelines.extra_columns import ExtraColumns
from pipelines.profiles import ProfileRules, Profiles
from pipelines.splitting import SplitRules
from pipelines.timelines import encode_records
from tfrs_mm.config import DataConfig
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.data.ragged import Ragged
from tfrs_mm.data.splits import cut_moments
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Schema

DAY, HALF_LIFE, TOP = 86_400, 3 * 86_400, 2
WEIGHTS = {"x": 1.0, "y": 4.0}
CATEGORIES = [[], [1], [2, 1], [], [3], [1, 3, 2], [2]]  # of the rows 0 to 6
NUM_KINDS = 3  # rows of nothing, x and y


def profile_by_hand(
    log: list[tuple], moment: tuple, categories: list[list[int]], weights: dict[str, float],
    kinds: list[str], negative: str, half_life: float, top: int,
) -> dict[str, list]:  # fmt: skip
    """What a user's log says of them at a moment.

    Args:
        log: their events `(time, position, kind, item)` in any order, duplicates included.
        moment: time and position; only what is before counts.
        categories: of each item.
        weights: by kind, for the favourite categories.
        kinds: those of the vocabulary, in order.
        negative: the kind of negative feedback.
        half_life: seconds.
        top: favourite categories.
    """
    told, counts, activity, favourites, last = (
        set(),
        dict.fromkeys([negative, *kinds], 0),
        [],
        {},
        None,
    )
    for time, position, kind, item in sorted(log):
        if (time, position) >= moment:
            break
        if kind == negative:
            counts[negative] += 1
            continue
        if (time, kind, item) in told:
            continue
        told.add((time, kind, item))
        counts[kind] += 1
        activity.append(time)
        last = time
        for category in categories[item]:
            weight = weights[kind] * 2.0 ** ((time - moment[0]) / half_life)
            favourites[category] = favourites.get(category, 0.0) + weight
    best = sorted(favourites, key=lambda row: (-np.float32(favourites[row]), row))[:top]
    return {
        "profile/kinds": [counts[kind] for kind in (negative, *kinds)],
        "profile/activity": [
            sum(moment[0] - time <= days * DAY for time in activity) for days in (1, 7, 30)
        ],
        "profile/seconds_since_last": [-1 if last is None else int(np.floor(moment[0] - last))],
        "profile/categories": best + [0] * (top - len(best)),
        "profile/category_weights": [favourites[row] for row in best] + [0.0] * (top - len(best)),
    }


def expect_profile(found: dict[str, list], expected: dict[str, list]) -> None:
    """Ties between weights, which rounding breaks one way or the other, may be in either order."""
    for key in ("profile/kinds", "profile/activity", "profile/seconds_since_last"):
        assert found[key] == expected[key], key
    np.testing.assert_allclose(
        found["profile/category_weights"], expected["profile/category_weights"], rtol=1e-5
    )
    weights = expected["profile/category_weights"]
    if len(set(np.round(weights, 4))) == len(weights):
        assert found["profile/categories"] == expected["profile/categories"]


def records_of(events: list[tuple], kind: str):
    timelines = timelines_of(events, profiles=True)
    data = DataConfig(split=kind)
    cuts = cut_moments(timelines.times, timelines.positions) if kind == "temporal" else None
    split = SplitRules(data, "none").split(timelines, cuts)
    kind_rows = np.array([" xy".index(name) for name in timelines.event_names], np.int64)
    weights = np.array([0.0, WEIGHTS["x"], WEIGHTS["y"]])
    rules = ProfileRules(NUM_KINDS, weights, Ragged.of(CATEGORIES), TOP, HALF_LIFE)
    extras = ExtraColumns(timelines, profiles=Profiles(timelines.log, kind_rows, rules))
    records = encode_records(
        timelines, split, Columns(), rows_of_users(timelines), kind_rows, MAX_HISTORY, extras=extras
    )
    return timelines, records


def profile_at(record: dict, position: int) -> dict[str, list]:
    """The cells of one position of a window."""
    cells = {}
    length = len(record["history/item"])
    for key in (key for key in record if key.startswith("profile/")):
        width = len(record[key]) // length
        assert len(record[key]) == width * length
        cells[key] = record[key][position * width : (position + 1) * width]
    return cells


def profile_of(record: dict) -> dict[str, list]:
    cells = {key: record[key] for key in record if key.startswith("profile/")}
    return cells | {"profile/seconds_since_last": [cells["profile/seconds_since_last"]]}


@pytest.mark.parametrize("kind", world.KINDS)
@settings(deadline=None, max_examples=50)
@given(events=mixed_logs, chunk=st.sampled_from([1, 3, 2**20]))
def test_profiles_know_what_the_log_says_before_the_moment_and_nothing_else(kind, events, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(favourites, "_PAIRS_AT_ONCE", chunk)
        timelines, records = records_of(events, kind)
    logs, firsts = {}, {}
    for position, (user, name, item, time) in enumerate(events):
        logs.setdefault(user, []).append((time, position, name, item))
    for user, log in logs.items():
        for time, position, name, item in sorted(log):
            if name != DISLIKE:
                firsts.setdefault((user, item), (time, position))

    def by_hand(user: str, moment: tuple) -> dict[str, list]:
        return profile_by_hand(
            logs[user], moment, CATEGORIES, WEIGHTS, ["x", "y"], DISLIKE, HALF_LIFE, TOP
        )

    for window in records["train"]:
        user = timelines.user_ids[window["user"] - 1]
        for place, item in enumerate(window["history/item"]):
            expect_profile(profile_at(window, place), by_hand(user, firsts[user, item]))
    for name in ("valid", "test"):
        for query in records[name]:
            user = timelines.user_ids[query["user"] - 1]
            moment = firsts[user, query["target/item"][0]]
            expect_profile(profile_of(query), by_hand(user, moment))
    assert len(records["users"]) == len(timelines.user_ids)
    for query in records["users"]:
        user = timelines.user_ids[query["user"] - 1]
        # As of the last event, and with it.
        moment = max(time for time, *_ in logs[user]), len(events)
        expect_profile(profile_of(query), by_hand(user, moment))


@settings(deadline=None, max_examples=50)
@given(events=mixed_logs, more=mixed_logs)
def test_what_comes_later_changes_no_profile(events, more):
    latest = max((time for *_, time in events), default=0)
    later = [(user, name, item, time + latest + 1) for user, name, item, time in more]
    before, after = (timelines_of(log, profiles=True) for log in (events, events + later))
    profiles = []
    for timelines in (before, after):
        kind_rows = np.array([" xy".index(name) for name in timelines.event_names], np.int64)
        rules = ProfileRules(NUM_KINDS, np.ones(NUM_KINDS), Ragged.of(CATEGORIES), TOP, HALF_LIFE)
        extras = ExtraColumns(timelines, profiles=Profiles(timelines.log, kind_rows, rules))
        known = [
            timelines.starts[timelines.user_ids.index(user)] + place
            for user, count in zip(before.user_ids, before.ends - before.starts, strict=True)
            for place in range(count)
        ]
        profiles.append(extras.asked(np.array(known, np.int64)))
    for key, values in profiles[0].items():
        np.testing.assert_array_equal(values, profiles[1][key])


def test_a_profile_in_numbers():
    # p watches item 1 (category 1) on day 0, dislikes 4, and buys item 2 (2 and 1) on day 3.
    events = [("p", "x", 1, 0), ("p", "z", 4, DAY), ("p", "y", 2, 3 * DAY), ("p", "x", 3, 6 * DAY)]
    _, records = records_of(events, "leave_one_out")
    (query,) = records["test"]  # asked on day 6
    assert query["profile/kinds"] == [1, 1, 1]
    assert query["profile/activity"] == [0, 2, 2]
    assert query["profile/seconds_since_last"] == 3 * DAY
    assert query["profile/categories"] == [1, 2]
    # Half-lives are three days: the first event weighs 1 / 4, the second 4 / 2.
    np.testing.assert_allclose(query["profile/category_weights"], [2.25, 2.0])


def test_what_is_held_out_is_in_no_profile():
    events = [("p", "x", 1, 0), ("p", "z", 5, 5), ("p", "x", 5, 10), ("p", "x", 2, 20)]
    timelines = timelines_of(events, profiles=True)
    items = np.arange(7) != 5
    rules = ProfileRules(NUM_KINDS, np.ones(NUM_KINDS), Ragged.of(CATEGORIES), TOP, HALF_LIFE)
    log = timelines.log.of(np.array([True]), items, np.ones(3, bool))
    extras = ExtraColumns(timelines, profiles=Profiles(log, np.array([1]), rules))
    # Before item 2, and before item 5 itself, stands item 1 alone.
    assert extras.asked(np.array([1, 2]))["profile/kinds"].tolist() == [[0, 1, 0]] * 2
    assert extras.asked(np.array([1]))["profile/seconds_since_last"].tolist() == [10]
    assert extras.at_end(np.array([0]))["profile/kinds"].tolist() == [[0, 2, 0]]
    # The core leaves out users as well, and their log with them.
    core = timelines_of([("o", "x", 1, 3), *events], profiles=True).of(
        np.array([False, True]), items
    )
    extras = ExtraColumns(core, profiles=Profiles(core.log, np.array([1]), rules))
    assert extras.asked(np.array([0, 1]))["profile/kinds"].tolist() == [[0, 0, 0], [0, 1, 0]]


def test_near_duplicates_count_once():
    events = [("p", "x", 1, 0), ("p", "x", 1, 2), ("p", "y", 1, 3), ("p", "x", 2, 9)]
    timelines = timelines_of(events, profiles=True, near_duplicate_seconds=2.0)
    rules = ProfileRules(NUM_KINDS, np.ones(NUM_KINDS), None, TOP, HALF_LIFE)
    extras = ExtraColumns(timelines, profiles=Profiles(timelines.log, np.array([1, 2]), rules))
    assert extras.asked(np.array([1]))["profile/kinds"].tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("kind", world.KINDS)
def test_a_job_writes_the_profiles_of_its_raw_log(tmp_path, kind):
    events = [
        (user, item, ("view", "buy", "hate")[place % 3], str(36_000 * int(float(time))))
        for place, (user, item, _, time) in enumerate(world.random_events())
    ]
    kinds = {"buy": 3.0, "view": 1.0, "hate": -1.0}
    config = world.config_of(
        kind, profiles=True, profile_top=3, profile_half_life_days=2.0, min_user_events=2,
        events=[f"{name}={weight}" for name, weight in kinds.items()],
    )  # fmt: skip
    made = world.run_job(world.write_input(tmp_path / "in", events), tmp_path / "out", config)
    schema = Schema(behaviour.behaviour_features(made.folder, config), 6)
    users, items = (
        Vocabulary.read(made.folder / "vocabulary" / f"{name}.txt").ids
        for name in ("users", "items")
    )
    genres = Vocabulary.read(made.folder / "vocabulary" / "genres.txt").ids
    # As `write_input` writes them.
    categories = [[]] + [
        [genres.index(name) + 1 for name in ("xy" if row % 2 else "x")] for row in range(len(items))
    ]
    logs, firsts = {}, {}
    for position, (user, item, name, time) in enumerate(events):
        logs.setdefault(user, []).append((float(time), position, name, items.index(item) + 1))
    for user, log in logs.items():
        for time, position, name, item in sorted(log):
            if name != "hate":
                firsts.setdefault((user, item), (time, position))

    def expect(user: str, item: int, found: dict[str, np.ndarray]) -> None:
        expected = profile_by_hand(
            logs[user], firsts[user, item], categories, kinds, ["buy", "view"], "hate",
            2.0 * DAY, 3,
        )  # fmt: skip
        expect_profile({key: np.ravel(value).tolist() for key, value in found.items()}, expected)

    windows = read_windows(made.folder, schema)
    keys = [key for key in windows if key.startswith("profile/")]
    assert sorted(keys) == [
        "profile/activity", "profile/categories", "profile/category_weights", "profile/kinds",
        "profile/seconds_since_last",
    ]  # fmt: skip
    assert windows["profile/kinds"].shape[1:] == (7, 3)
    for window, rows in enumerate(windows["history/item"]):
        for place, row in enumerate(rows[rows > 0]):
            found = {key: windows[key][window, place] for key in keys}
            expect(users[windows["user"][window] - 1], row, found)
    for name in ("valid", "test"):
        queries = read_queries(made.folder, schema, name)
        assert len(queries)
        for place, first in enumerate(queries.targets.splits[:-1]):
            found = {key: queries.extras[key][place] for key in keys}
            expect(users[queries.user[place] - 1], queries.targets.values[first], found)


def test_profiles_need_the_times_and_the_categories_that_they_speak_of(tmp_path):
    events = [*world.random_events(), ("user 1", "001", "view", "")]
    folder = world.write_input(tmp_path / "in", events)
    with pytest.raises(UserError, match=r"`data\.profiles` is True, but 1 events"):
        world.run_job(folder, tmp_path / "out", world.config_of(profiles=True))
    with pytest.raises(UserError, match=r"`data\.profile_category` is 'type', but items\.csv"):
        config = world.config_of(profiles=True, profile_category="type")
        world.run_job(folder, tmp_path / "other", config)


def test_a_catalogue_without_categories_has_profiles_without_them(tmp_path):
    folder = world.write_input(tmp_path / "in", world.random_events())
    config = world.config_of(profiles=True, category_columns=[])
    made = world.run_job(folder, tmp_path / "out", config)
    schema = Schema(behaviour.behaviour_features(made.folder, config), 6)
    queries = read_queries(made.folder, schema, "test")
    assert set(queries.extras) == {
        "profile/kinds", "profile/activity", "profile/seconds_since_last",
    }  # fmt: skip
