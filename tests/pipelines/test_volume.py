import datetime

import pytest

from pipelines.volume import odd_volume
from tfrs_mm.config import DataConfig

FIRST = datetime.date(2024, 1, 1)


def run_of(counts: list[int], first: int = 0, items: int = 50, exact: bool = True) -> dict:
    """Statistics of a run with so many events on days from the `first` after `FIRST` on."""
    days = {
        (FIRST + datetime.timedelta(first + place)).isoformat(): count
        for place, count in enumerate(counts)
        if count
    }
    return {
        "interactions": {"rows": sum(counts), "per_day": {"exact": exact, "days": days}},
        "catalogue": {"rows": items},
    }


def found_in(former: dict, current: dict) -> dict:
    settings = DataConfig(anomaly_drop=0.5, anomaly_jump=1.0)
    return {(odd.rule, odd.table): odd for odd in odd_volume(former, current, settings)}


USUAL = run_of([100] * 20)


def test_the_same_and_a_bit_more_or_less_is_fine():
    assert found_in(USUAL, USUAL) == {}
    assert found_in(USUAL, run_of([51, 199] * 10)) == {}


def test_the_next_days_as_usual_are_fine():
    assert found_in(USUAL, run_of([90, 110] * 10, first=20)) == {}
    assert found_in(USUAL, run_of([90, 110] * 10, first=10)) == {}


@pytest.mark.parametrize(
    ("items", "rule", "figure"), [(24, "volume drop", 0.52), (101, "volume jump", 1.02)]
)
def test_a_catalogue_that_loses_or_gains_many_rows_is_odd(items, rule, figure):
    found = found_in(USUAL, run_of([100] * 20, items=items))
    assert set(found) == {(rule, "catalogue")}
    assert found[rule, "catalogue"].figure == pytest.approx(figure)


def test_a_log_that_loses_or_gains_many_events_is_odd():
    # 9 days of 20 are 55 % fewer, 41 days are 105 % more.
    assert set(found_in(USUAL, run_of([100] * 9))) == {("volume drop", "interactions")}
    assert set(found_in(USUAL, run_of([100] * 41))) == {("volume jump", "interactions")}


def test_a_day_that_lost_events_is_odd():
    odd = found_in(USUAL, run_of([100] * 7 + [40, 0] + [100] * 11))["day drop", "interactions"]
    assert odd.found == "2 days, most of all 2024-01-09 with 0 events instead of 100"
    assert (odd.figure, odd.threshold) == (1.0, 0.5)


def test_a_day_that_gained_events_is_odd():
    found = found_in(USUAL, run_of([100] * 7 + [201] + [100] * 12))
    assert set(found) == {("day jump", "interactions")}
    assert found["day jump", "interactions"].figure == pytest.approx(1.01)


def test_a_new_day_is_compared_with_what_was_usual():
    # Usual is from 80 to 120: at least 40, at most 240.
    former = run_of([80, 100, 120] * 7)
    assert found_in(former, run_of([40, 240, 100] * 7, first=21)) == {}
    found = found_in(former, run_of([39, 241, 100] * 7, first=21))
    assert set(found) == {("day drop", "interactions"), ("day jump", "interactions")}
    assert found["day drop", "interactions"].found.startswith("7 days")


def test_a_new_day_without_any_event_is_odd():
    odd = found_in(USUAL, run_of([100] * 5 + [0, 0] + [100] * 13, first=20))
    assert set(odd) == {("day drop", "interactions")}
    assert "2024-01-26 with 0 events" in odd["day drop", "interactions"].found


def test_where_days_without_events_were_usual_they_are_fine():
    former = run_of([100, 0] * 10)
    assert found_in(former, run_of([100, 0, 0] * 9, first=20)) == {}


def test_days_that_were_put_together_are_not_compared():
    odd = run_of([100] * 10 + [1000] + [0] * 9, exact=False)
    assert found_in(USUAL, odd) == {}


def test_the_first_run_and_empty_runs_are_fine():
    nothing = run_of([], items=0)
    assert found_in(nothing, USUAL) == {}
    assert set(found_in(USUAL, nothing)) == {
        ("volume drop", "interactions"), ("volume drop", "catalogue"),
    }  # fmt: skip
