import collections
import dataclasses
import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines import item_pairs
from pipelines.item_pairs import AddPairs, PairSums, pairs_of, sums_of
from tfrs_mm.config import DataConfig

ONE = 2**20  # units of weight 1
DAY = 86_400
SIZE = 8

# Events `(item, second)` of users of partitions; items may come back, times may be negative.
users = st.lists(st.tuples(st.integers(1, SIZE - 1), st.integers(-9 * DAY, 9 * DAY)), max_size=7)
partitions = st.lists(st.lists(users, max_size=4), max_size=4)
settings = st.builds(
    DataConfig,
    transition_window=st.integers(1, 5),
    transition_half_life=st.sampled_from([0.5, 1.0, 2.0, 3.7]),
    transition_half_life_days=st.sampled_from([0.0, 0.1, 1.0, 30.0]),
)


def timelines(of_users: list[list[tuple[int, int]]]) -> item_pairs.Timelines:
    items, seconds = np.array([event for own in of_users for event in own]).reshape(-1, 2).T
    lengths = np.array([len(own) for own in of_users], np.int64)
    return items.astype(np.int64), seconds.astype(np.int64), lengths


def tables_of(of_users: list, newest: int, config: DataConfig) -> list[PairSums]:
    return [sums_of(*pairs, SIZE) for pairs in pairs_of(timelines(of_users), newest, config)]


def expect_sums(sums: PairSums, forward: dict[tuple[int, int], int]) -> None:
    """`forward` holds units by `(earlier, later)`."""
    wanted = collections.defaultdict(lambda: [0, 0])
    for (earlier, later), units in forward.items():
        wanted[earlier, later][0] += units
        wanted[later, earlier][1] += units
    pairs = [divmod(key, SIZE) for key in sums.keys.tolist()]
    assert pairs == sorted(wanted)
    assert list(zip(sums.forward.tolist(), sums.backward.tolist(), strict=True)) == [
        tuple(wanted[pair]) for pair in pairs
    ]


def add(tables: list[PairSums]) -> PairSums:
    combine = AddPairs()
    accumulator = combine.create_accumulator()
    for table in tables:
        accumulator = combine.add_input(accumulator, table)
    return combine.extract_output(accumulator)


def test_a_pair_is_halved_by_steps_and_never_leaves_its_user():
    config = DataConfig(transition_window=2, transition_half_life=1.0)
    (sums,) = tables_of([[(1, 0), (2, 0), (3, 0), (4, 0)], [(2, 0), (3, 0)]], 0, config)
    # First user: one step 1-2, 2-3, 3-4 weigh 1; two steps 1-3, 2-4 weigh 1/2; 1-4 is three apart.
    # Second user: 2-3 weighs 1, in all 2.
    expect_sums(
        sums,
        {(1, 2): ONE, (2, 3): 2 * ONE, (3, 4): ONE, (1, 3): ONE // 2, (2, 4): ONE // 2},
    )


def test_an_item_that_comes_back_counts_at_every_occurrence_but_not_with_itself():
    config = DataConfig(transition_window=2, transition_half_life=1.0)
    (sums,) = tables_of([[(1, 0), (1, 0), (2, 0), (1, 0)]], 0, config)
    # 1-1 is no pair; the second and the first 1 lead to 2 by 1 + 1/2; 2 to the last 1 by 1.
    expect_sums(sums, {(1, 2): ONE + ONE // 2, (2, 1): ONE})


def test_age_is_that_of_the_later_event_and_counts_back_from_the_newest_of_all():
    config = DataConfig(transition_window=1, transition_half_life_days=2.0)
    events = [[(1, 0), (2, 4 * DAY), (3, 7 * DAY)]]
    (sums,) = tables_of(events, 8 * DAY, config)
    # The newest event is elsewhere, at day 8: 2 is 4 days old, two half-lives; 3 one day, half of
    # one.
    expect_sums(sums, {(1, 2): ONE // 4, (2, 3): round(ONE * 0.5**0.5)})


def test_what_is_too_old_to_weigh_is_no_pair():
    config = DataConfig(transition_window=1, transition_half_life_days=1.0)
    # 20 half-lives leave one unit, 21 leave half of one, which is none.
    (sums,) = tables_of([[(1, 0), (2, 1 * DAY), (3, 0)]], 21 * DAY, config)
    expect_sums(sums, {(1, 2): 1})


@given(partitions, settings, st.integers(1, 6), st.randoms())
def test_sums_are_those_of_a_plain_loop_in_whatever_order_they_come(parts, config, stretch, random):
    seconds = [second for own in itertools.chain(*parts) for _, second in own]
    newest = max(seconds, default=0)
    wanted = collections.Counter()
    for own in itertools.chain(*parts):
        for place, (earlier, _) in enumerate(own):
            for steps, (later, second) in enumerate(own[place + 1 :], start=1):
                weight = 2.0 ** (-(steps - 1) / config.transition_half_life)
                if config.transition_half_life_days:
                    weight *= 2.0 ** (-(newest - second) / DAY / config.transition_half_life_days)
                units = round(weight * ONE)
                if steps <= config.transition_window and earlier != later and units:
                    wanted[earlier, later] += units
    whole = add([table for of_users in parts for table in tables_of(of_users, newest, config)])
    expect_sums(whole, wanted)
    # Cut into stretches of few events, shuffled, and merged in groups.
    before, item_pairs._PAIRS_AT_ONCE = item_pairs._PAIRS_AT_ONCE, stretch
    try:
        tables = [table for of_users in parts for table in tables_of(of_users, newest, config)]
    finally:
        item_pairs._PAIRS_AT_ONCE = before
    random.shuffle(tables)
    combine = AddPairs()
    groups = [combine.compact(tables[:2]), [], tables[2:]]
    merged = combine.extract_output(combine.merge_accumulators(groups))
    for field in dataclasses.fields(PairSums):
        one, other = getattr(whole, field.name), getattr(merged, field.name)
        assert one.tobytes() == other.tobytes()


def test_tables_that_come_one_by_one_are_merged_seldom(monkeypatch):
    moved = 0
    summed = item_pairs._summed

    def counted(keys, *units):
        nonlocal moved
        moved += len(keys)
        return summed(keys, *units)

    tables = [
        PairSums(np.arange(4) + 4 * number, np.ones(4, np.int64), np.zeros(4, np.int64))
        for number in range(256)
    ]
    monkeypatch.setattr(item_pairs, "_summed", counted)
    sums = add(tables)
    assert sums.keys.tolist() == list(range(1024))
    # Merged after 2, 4, ..., 256 tables: 8 + 16 + ... + 1024 < 2048 pairs, and once at the end.
    assert moved <= 2048 + 1024


def test_without_pairs_the_sums_are_empty():
    combine = AddPairs()
    sums = combine.extract_output(combine.merge_accumulators([[], []]))
    assert len(sums.keys) == len(sums.forward) == len(sums.backward) == 0
    assert list(pairs_of(timelines([]), 0, DataConfig())) == []
