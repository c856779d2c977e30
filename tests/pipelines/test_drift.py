"""Every change between two runs, planted and found; and none where there is none."""

import copy

import numpy as np
import pyarrow as pa
import pytest

from pipelines.column_report import describe
from pipelines.column_summary import ColumnSpec, Type, summarise
from pipelines.drift import odd_against
from tfrs_mm.config import DataConfig

GENRES = [["drama", "comedy", "war"][n % 3] for n in range(300)]
YEARS = [str(1950 + n % 60) for n in range(300)]
TITLES = [f"Title {n}" for n in range(300)]
KINDS = ["view"] * 200 + ["buy"] * 100


def column(cells: list[str], kind: Type | None = None, listed: int = 10, limit: int = 200) -> dict:
    spec = ColumnSpec("column", kind, "|" if kind == Type.CATEGORY else "")
    return describe(summarise(pa.array(cells, pa.string()), spec, limit), spec, None, listed)


def statistics(**columns: dict) -> dict:
    """Statistics of a run with these columns in the catalogue, `event` in the interactions."""
    base = {
        "genres": column(GENRES, Type.CATEGORY),
        "year": column(YEARS),
        "title": column(TITLES, Type.TEXT),
    }
    kinds = columns.pop("event", column(KINDS, Type.CATEGORY))
    kept = {name: values for name, values in (base | columns).items() if values is not None}
    return {"interactions": {"columns": {"event": kinds}}, "catalogue": {"columns": kept}}


def found_in(current: dict, former: dict | None = None, **settings: float) -> dict:
    """Figures of the anomalies by rule and column."""
    changed, _ = odd_against(former or statistics(), current, DataConfig(**settings))
    return {(anomaly.rule, anomaly.column): anomaly for anomaly in changed}


def test_equal_runs_have_nothing_odd():
    assert odd_against(statistics(), statistics(), DataConfig()) == ([], [])


def test_the_same_distribution_drawn_anew_has_nothing_odd():
    generator = np.random.default_rng(3)
    anew = statistics(
        genres=column(generator.choice(GENRES, 250).tolist(), Type.CATEGORY),
        year=column(generator.choice(YEARS, 250).tolist()),
    )
    assert found_in(anew) == {}


def test_columns_come_and_go():
    found = found_in(statistics(year=None, country=column(["fr"] * 300)))
    assert set(found) == {("vanished column", "year"), ("new column", "country")}
    assert found["vanished column", "year"].expected == "a column of type number"


def test_a_number_that_becomes_a_text_is_told_and_not_compared():
    found = found_in(statistics(year=column([*YEARS[:-1], "soon"])))
    assert set(found) == {("changed type", "year")}
    assert found["changed type", "year"].found == "type text"


def test_a_column_that_falls_empty_is_told():
    assert set(found_in(statistics(title=column([""] * 300)))) == {("changed type", "title")}


def test_values_come_and_go():
    found = found_in(
        statistics(genres=column([*GENRES[:294], *["opera"] * 6], Type.CATEGORY)),
        statistics(genres=column([*GENRES[:288], *["noir"] * 12], Type.CATEGORY)),
    )
    assert set(found) == {("new values", "genres"), ("vanished values", "genres")}
    # 6 and 12 of 300
    assert found["new values", "genres"].figure == 0.02
    assert found["new values", "genres"].found == "'opera': 6 of 300"
    assert found["vanished values", "genres"].figure == 0.04


def test_few_new_values_may_be_allowed():
    now = statistics(genres=column([*GENRES[:294], *["opera"] * 6], Type.CATEGORY))
    assert found_in(now, anomaly_new=0.02) == {}
    assert set(found_in(now, anomaly_new=0.019)) == {("new values", "genres")}


def test_kinds_of_events_come_and_go():
    now = statistics(event=column(["view"] * 280 + ["play"] * 20, Type.CATEGORY))
    found = found_in(now, anomaly_divergence=1.0, anomaly_difference=1.0)
    assert set(found) == {("new kind", "event"), ("vanished kind", "event")}
    assert found["vanished kind", "event"].figure == pytest.approx(1 / 3)


def test_values_that_are_not_all_listed_cannot_be_called_new():
    many = [f"genre {n % 20}" for n in range(300)]
    now = statistics(genres=column(many, Type.CATEGORY))
    changed, not_compared = odd_against(now, copy.deepcopy(now), DataConfig())
    assert changed == []
    assert [entry["column"] for entry in not_compared] == ["genres"]
    assert "the former run lists 10 of 20 values" in not_compared[0]["reason"]


def test_a_category_that_shifts_is_found_by_both_distances():
    found = found_in(statistics(genres=column(["war"] * 280 + GENRES[:20], Type.CATEGORY)))
    assert set(found) == {("divergence", "genres"), ("difference", "genres")}
    # war had 100 of 300, now 280 + 6 of 300
    assert found["difference", "genres"].figure == pytest.approx(286 / 300 - 1 / 3)
    # 0.1, and three times half the root of 2 / 300 for chance
    assert found["difference", "genres"].threshold == pytest.approx(0.1 + 1.5 * (2 / 300) ** 0.5)


@pytest.mark.parametrize(
    "years",
    [
        [str(1980 + n % 60) for n in range(300)],  # half of them beyond the former range
        [str(1950 + n % 10) for n in range(300)],  # the same range, all in a sixth of it
        [""] * 200 + YEARS[:100],  # two thirds missing, else the same
    ],
)
def test_numbers_that_shift_are_found(years):
    found = found_in(statistics(year=column(years)))
    assert ("divergence", "year") in found
    assert {name for _, name in found} == {"year"}


def test_numbers_in_buckets_are_compared_all_the_same():
    generator = np.random.default_rng(9)
    before, same = (column([str(n) for n in generator.normal(0, 1, 3000)]) for _ in range(2))
    wider = column([str(n) for n in generator.normal(0, 3, 3000)])
    assert before["quantile_error"] > 0
    assert found_in(statistics(year=same), statistics(year=before)) == {}
    assert ("divergence", "year") in found_in(statistics(year=wider), statistics(year=before))


def test_texts_that_are_not_all_known_are_compared_by_what_is_missing():
    found = found_in(statistics(title=column(["", "", "", *TITLES[:100]] * 3)))
    assert found == {}  # 3 of 103 missing
    found = found_in(statistics(title=column([""] * 150 + TITLES[:150])))
    assert set(found) == {("divergence", "title"), ("difference", "title")}
    assert found["difference", "title"].figure == 0.5
