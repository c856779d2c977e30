import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.duplicates import Pairs, duplicates_of

# (user, time or order, item, kind, untimed); few of each, so that duplicates are the rule.
logs = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 12).map(lambda half: half / 2), st.integers(1, 3),
        st.integers(0, 1), st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


def found(rows: list[tuple], seconds: float) -> tuple[list[bool], list[bool]]:
    """Exact and near duplicates of rows that are sorted by user and time."""
    kinds = (np.int64, np.float64, np.int64, np.int64, bool)
    users, times, items, names, untimed = (
        np.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)
    )
    exact, near = duplicates_of(Pairs.of(users, items), names, times, untimed, seconds)
    return exact.tolist(), near.tolist()


@settings(deadline=None)
@given(logs, st.sampled_from([0.0, 0.5, 2.0]))
def test_an_event_is_compared_with_the_one_before_it_that_is_alike(rows, seconds):
    rows.sort(key=lambda row: row[:2])  # stable, so what ties stays in the order of the input
    exact, near = [], []
    for place, (user, time, *rest) in enumerate(rows):
        alike = [t for u, t, *others in rows[:place] if [u, *others] == [user, *rest]]
        gap = time - alike[-1] if alike else np.inf
        exact.append(gap == 0)
        near.append(0 < gap <= seconds and not rest[-1])
    assert found(rows, seconds) == (exact, near)


@settings(deadline=None)
@given(logs)
def test_the_first_events_of_the_pairs_are_found(rows):
    rows.sort(key=lambda row: row[:2])
    pairs = [(user, item) for user, _, item, *_ in rows]
    users, items = (np.array(column, np.int64) for column in zip(*pairs, strict=True)) if pairs \
        else (np.zeros(0, np.int64),) * 2  # fmt: skip
    firsts = [place for place, pair in enumerate(pairs) if pair not in pairs[:place]]
    assert Pairs.of(users, items).firsts.tolist() == firsts


def test_a_burst_is_one_event():
    # Each three seconds after the one before, though nine after the first; then a pause of four.
    rows = [(0, float(time), 1, 0, False) for time in (0, 3, 6, 9, 13)]
    assert found(rows, 3.0) == ([False] * 5, [False, True, True, True, False])


def test_events_without_a_time_have_exact_duplicates_alone():
    rows = [(0, float(time), 1, 0, True) for time in (5, 5, 6)]
    assert found(rows, 100.0) == ([False, True, False], [False] * 3)
    # Nor is an order the same as a time.
    assert found([(0, 5.0, 1, 0, True), (0, 5.0, 1, 0, False)], 1.0) == ([False] * 2, [False] * 2)
