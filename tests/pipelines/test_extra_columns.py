"""Sessions and times of the week in the records of a whole job."""

import datetime

import behaviour_world as world
import pytest

from pipelines import behaviour
from tfrs_mm.data.input_pipeline import read_queries, read_windows
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Schema

OPTIONS = {"session_gap_minutes": 10.0, "time_features": True}


def random_hours() -> list[world.Event]:
    """The random events, whose second is now five minutes, in May 2024."""
    return [
        (user, item, name, str(1_714_521_600 + 300 * int(float(time))))
        for user, item, name, time in world.random_events()
    ]


def sessions_by_hand(events: list[world.Event]) -> dict[tuple[str, str], int]:
    """The session in which a user met an item first; repeats go on with a session as well."""
    found, last = {}, {}
    for user, item, _, time in sorted(events, key=lambda event: float(event[3])):
        before, number = last.get(user, (float(time), 1))
        number += float(time) - before > 600
        last[user] = (float(time), number)
        found.setdefault((user, item), number)
    return found


@pytest.mark.parametrize("kind", world.KINDS)
def test_records_hold_sessions_and_the_time_of_the_week(tmp_path, kind):
    config = world.config_of(kind, **OPTIONS)
    folder = world.write_input(tmp_path / "in", random_hours())
    made = world.run_job(folder, tmp_path / "out", config)
    schema = Schema(behaviour.behaviour_features(made.folder, config), 6)
    users, items = (
        Vocabulary.read(made.folder / "vocabulary" / f"{name}.txt").ids
        for name in ("users", "items")
    )
    sessions = sessions_by_hand(random_hours())

    def of_the_week(second: int) -> tuple[int, int]:
        moment = datetime.datetime.fromtimestamp(int(second), datetime.UTC)
        return moment.hour + 1, moment.isoweekday()

    def expect_sessions(user: int, rows, found) -> None:
        expected = [sessions[users[user - 1], items[row - 1]] for row in rows if row]
        assert found[: len(expected)].tolist() == expected
        assert not found[len(expected) :].any()

    windows = read_windows(made.folder, schema)
    for window, rows in enumerate(windows["history/item"]):
        expect_sessions(windows["user"][window], rows, windows["history/session"][window])
        for place, row in enumerate(rows):
            found = tuple(
                int(windows[key][window, place]) for key in ("context/hour", "context/weekday")
            )
            assert found == (of_the_week(windows["history/time"][window, place]) if row else (0, 0))
    for name in ("valid", "test", "users"):
        queries = read_queries(made.folder, schema, name)
        assert len(queries) > 0
        for place in range(len(queries)):
            expect_sessions(
                queries.user[place], queries.history_items[place],
                queries.extras["history/session"][place],
            )  # fmt: skip
            found = tuple(
                int(queries.extras[key][place]) for key in ("context/hour", "context/weekday")
            )
            # Nobody knows when a user comes again.
            asked = name != "users"
            first = queries.target_times.values[queries.target_times.splits[place]] if asked else 0
            assert found == (of_the_week(first) if asked else (0, 0))


def test_what_is_not_asked_for_changes_no_record(tmp_path):
    folder = world.write_input(tmp_path / "in", random_hours())
    plain = world.run_job(folder, tmp_path / "plain", world.config_of())
    more = world.run_job(folder, tmp_path / "more", world.config_of(**OPTIONS))
    assert (plain.train, plain.windows, plain.queries) == (more.train, more.windows, more.queries)
    records = [made.folder / "behaviour" for made in (plain, more)]
    assert {path.name for path in records[0].iterdir()} == {p.name for p in records[1].iterdir()}


def test_sessions_of_events_without_times_are_refused(tmp_path):
    events = [*random_hours(), ("user 1", "001", "view", "")]
    folder = world.write_input(tmp_path / "in", events)
    with pytest.raises(UserError, match=r"`data\.session_gap_minutes` is 10\.0, but 1 events"):
        world.run_job(folder, tmp_path / "out", world.config_of(session_gap_minutes=10.0))
