import collections
import json
import pathlib

import apache_beam as beam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import behaviour, transitions
from pipelines.runners import counters, new_pipeline
from pipelines.transitions import WriteNeighbours, cut_lines
from tfrs_mm.config import Config, DataConfig
from tfrs_mm.data.item_neighbours import NeighbourTables
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.errors import UserError

FIELDS = ("neighbours", "weights", "support")
ONE = 2**20  # units of weight 1
DAY = 86_400
NUM_ITEMS = 42
Event = tuple[str, int, float]  # user, row of the item, timestamp


def config_of(**data: object) -> Config:
    settings = {"statistics": False, **data}
    return Config().with_overrides({f"data.{name}": value for name, value in settings.items()})


def run_job(folder: pathlib.Path, events: list[Event], config: Config) -> pathlib.Path:
    """The output folder of the behaviour job; row r of the catalogue is item `r - 1`."""
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    lines = [f"{user},{row - 1:03d},{time}\n" for user, row, time in events]
    (folder / "in" / "interactions.csv").write_text("user_id,item_id,timestamp\n" + "".join(lines))
    catalogue = "".join(f"{row:03d}\n" for row in range(NUM_ITEMS))
    (folder / "in" / "items.csv").write_text("item_id\n" + catalogue)
    behaviour.run(folder / "in", folder / "out", config)
    return folder / "out"


def tables_in(output_dir: pathlib.Path) -> NeighbourTables:
    return NeighbourTables.read(output_dir / "behaviour" / "item_neighbours.npz")


def random_events(seed: int = 3) -> list[Event]:
    """500 events of 30 users with the first 40 items, with ties and repeats, over 90 days."""
    generator = np.random.default_rng(seed)
    columns = (
        generator.integers(0, 30, 500),
        generator.integers(1, 41, 500),
        generator.integers(0, 90, 500) * DAY,
    )
    return [
        (f"user {user}", int(item), int(time)) for user, item, time in zip(*columns, strict=True)
    ]


def training_by_user(events: list[Event], split: str) -> list[list[tuple[int, float]]]:
    """`(item, time)` of each user's training events, one event after another."""
    kept, had = [], set()
    for user, item, time in sorted(events, key=lambda event: event[2]):  # stable
        if (user, item) not in had:
            had.add((user, item))
            kept.append((user, item, time))
    if split == "temporal":
        kept = kept[: int(len(kept) * 0.8)]
    of_user = collections.defaultdict(list)
    for user, item, time in kept:
        of_user[user].append((item, time))
    if split == "temporal":
        return list(of_user.values())
    return [own[:-2] if len(own) >= 3 else own for own in of_user.values()]


def sums_by_hand(of_users: list, settings: DataConfig) -> tuple[dict, dict, int]:
    """Units of both kinds by `(from, to)`, and how many pairs there are."""
    newest = max(time for own in of_users for _, time in own)
    covisited, following = collections.Counter(), collections.Counter()
    counted = 0
    for own in of_users:
        for place, (earlier, _) in enumerate(own):
            stop = place + 1 + settings.transition_window
            for steps, (later, time) in enumerate(own[place + 1 : stop], start=1):
                weight = 2.0 ** (-(steps - 1) / settings.transition_half_life)
                if settings.transition_half_life_days:
                    weight *= 2.0 ** (-(newest - time) / DAY / settings.transition_half_life_days)
                units = round(weight * ONE)
                counted += units > 0
                following[earlier, later] += units
                covisited[earlier, later] += units
                covisited[later, earlier] += units
    return covisited, following, counted


def expect_table(table, sums: dict, top: int) -> int:
    """Compares with `sums`; how many pairs the table holds."""
    of_item = collections.defaultdict(list)
    for (item, other), units in sums.items():
        if units:
            of_item[item].append((-np.float32(units / ONE), other))
    kept = 0
    for item in range(len(table.support)):
        line = sorted(of_item[item])[:top]
        kept += len(line)
        padding = [0] * (top - len(line))
        assert table.neighbours[item].tolist() == [other for _, other in line] + padding
        assert table.weights[item].tolist() == [-float(weight) for weight, _ in line] + padding
        total = sum(units for (own, _), units in sums.items() if own == item)
        assert table.support[item] == np.float32(total / ONE)
    return kept


def test_the_file_of_a_small_log_is_that_of_the_hand(tmp_path):
    Vocabulary(("a", "b", "c", "d")).write(tmp_path / "items.txt")
    path = tmp_path / "item_neighbours.npz"
    settings = DataConfig(transition_window=2, transition_half_life=1.0, transition_top=2)
    # Two partitions: a user with 1 2 3, one with 2 3 and one without training events; one with 3 1.
    parts = [
        (np.array([1, 2, 3, 2, 3]), np.array([5, 6, 7, 5, 9]), np.array([3, 2, 0])),
        (np.array([3, 1]), np.array([1, 2]), np.array([2])),
    ]
    pipeline = new_pipeline([])
    edges = pipeline | "Edges" >> beam.Create([np.array([1, 10])])
    _ = (
        pipeline
        | "Parts" >> beam.Create(parts)
        | WriteNeighbours(str(path), str(tmp_path / "items.txt"), 4, settings, edges)
    )
    found = counters(pipeline.run(), "behaviour")
    tables = NeighbourTables.read(path, {"items": Vocabulary(("a", "b", "c", "d")).fingerprint()})
    # One step weighs 1, two weigh 1/2: 1->2 1, 2->3 1 + 1, 1->3 1/2, 3->1 1.
    assert tables.next.neighbours.tolist() == [[0, 0], [2, 3], [3, 0], [1, 0], [0, 0]]
    assert tables.next.weights.tolist() == [[0, 0], [1, 0.5], [2, 0], [1, 0], [0, 0]]
    assert tables.next.support.tolist() == [0, 1.5, 2, 1, 0]
    # Both ways: 1-2 1, 2-3 2, 1-3 1/2 + 1.
    assert tables.covisited.neighbours.tolist() == [[0, 0], [3, 2], [3, 1], [2, 1], [0, 0]]
    assert tables.covisited.weights.tolist() == [[0, 0], [1.5, 1], [2, 1], [2, 1.5], [0, 0]]
    assert tables.covisited.support.tolist() == [0, 2.5, 3, 3.5, 0]
    assert tables.made_from["window"] == 2
    # Counted: 1-2, 2-3, 1-3 of the first user, 2-3 of the second, 3-1 of the last.
    assert found == {"pairs counted": 5, "covisited pairs kept": 6, "next pairs kept": 4}


@pytest.mark.parametrize(
    ("split", "half_life_days"), [("leave_one_out", 20.0), ("temporal", 0.0), ("temporal", 20.0)]
)
def test_the_tables_are_those_of_a_plain_double_loop(tmp_path, split, half_life_days):
    config = config_of(
        split=split, transition_top=5, transition_window=4, transition_half_life=1.5,
        transition_half_life_days=half_life_days, shards=3,
    )  # fmt: skip
    output = run_job(tmp_path, random_events(), config)
    covisited, following, counted = sums_by_hand(
        training_by_user(random_events(), split), config.data
    )
    tables = tables_in(output)
    kept = expect_table(tables.covisited, covisited, 5), expect_table(tables.next, following, 5)
    report = json.loads((output / "behaviour" / "report.json").read_text())
    assert report["pairs counted"] == counted > 500
    assert (report["covisited pairs kept"], report["next pairs kept"]) == kept
    assert tables.made_from["split"] == split


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The output of one partition; `transition_top` holds all neighbours."""
    folder = tmp_path_factory.mktemp("uncut")
    return run_job(folder, random_events(), config_of(shards=1, transition_top=50))


def test_being_taken_together_is_symmetric_and_the_sum_of_both_directions(uncut):
    tables = tables_in(uncut)

    def dense(table) -> np.ndarray:
        matrix = np.zeros((NUM_ITEMS + 1, NUM_ITEMS + 1), np.float32)
        np.put_along_axis(matrix, table.neighbours.astype(np.int64), table.weights, axis=1)
        matrix[:, 0] = 0
        return matrix

    together, following = dense(tables.covisited), dense(tables.next)
    assert together.any() and (following != following.T).any()
    np.testing.assert_array_equal(together, together.T)
    np.testing.assert_allclose(together, following + following.T, rtol=1e-6)
    np.testing.assert_allclose(tables.next.support, following.sum(axis=1), rtol=1e-6)
    assert not np.diag(together).any()


def test_blocks_of_items_mean_nothing(uncut, tmp_path, monkeypatch):
    monkeypatch.setattr(transitions, "_BLOCK", 7)
    other = run_job(tmp_path, random_events(), config_of(shards=5, transition_top=50))
    for kind in ("covisited", "next"):
        for name in FIELDS:
            one, two = (getattr(getattr(tables_in(f), kind), name) for f in (uncut, other))
            assert one.tobytes() == two.tobytes()


def test_shards_mean_nothing_to_a_byte_of_the_file(uncut, tmp_path):
    other = run_job(tmp_path, random_events(), config_of(shards=5, transition_top=50))
    one, two = (
        (folder / "behaviour" / "item_neighbours.npz").read_bytes() for folder in (uncut, other)
    )
    assert one == two


@pytest.mark.parametrize("split", ["leave_one_out", "temporal"])
def test_events_to_be_predicted_change_nothing(tmp_path, split):
    config = config_of(split=split, transition_half_life_days=10.0, shards=2)
    # The last two events of one user, long after all others, are for validation and test. Items
    # and times are others in the second log.
    logs = [
        [*random_events(), ("user 1", 41, 900 * DAY), ("user 1", 42, 901 * DAY)],
        [*random_events(), ("user 1", 42, 200 * DAY), ("user 1", 41, 9000 * DAY)],
    ]
    outputs = [run_job(tmp_path / str(place), log, config) for place, log in enumerate(logs)]
    one, other = ((folder / "behaviour" / "item_neighbours.npz") for folder in outputs)
    assert one.read_bytes() == other.read_bytes()
    for table in (tables_in(outputs[0]).covisited, tables_in(outputs[0]).next):
        assert table.weights.any()
        assert not np.isin(table.neighbours, [41, 42]).any()
        assert not table.support[[41, 42]].any()


def test_without_pairs_the_tables_are_empty(tmp_path):
    tables = tables_in(run_job(tmp_path, [("a", 1, 0), ("b", 2, 0)], config_of()))
    assert tables.next.neighbours.shape == (NUM_ITEMS + 1, 100)
    assert not tables.next.neighbours.any() and not tables.covisited.support.any()


def test_a_window_of_no_steps_counts_nothing_and_changes_nothing_else(uncut, tmp_path):
    other = run_job(tmp_path, random_events(), config_of(shards=1, transition_window=0))
    names = {path.relative_to(other) for path in other.rglob("*.*")}
    assert {path.relative_to(uncut) for path in uncut.rglob("*.*")} - names == {
        pathlib.Path("behaviour/item_neighbours.npz")
    }
    for name in names - {pathlib.Path("behaviour/report.json")}:
        assert (other / name).read_bytes() == (uncut / name).read_bytes()
    report = json.loads((other / "behaviour" / "report.json").read_text())
    assert report["pairs counted"] == report["next pairs kept"] == 0


def test_an_age_needs_times(tmp_path):
    events = [("u", 1, 0), ("u", 2, ""), ("u", 3, 5), ("u", 4, 6)]
    with pytest.raises(UserError, match=r"transition_half_life_days` is 3\.0, but 1 events"):
        run_job(tmp_path, events, config_of(transition_half_life_days=3.0))
    off = config_of(transition_half_life_days=3.0, transition_window=0)
    run_job(tmp_path / "off", events, off)


@given(
    st.dictionaries(st.tuples(st.integers(1, 6), st.integers(1, 6)), st.integers(0, 5)),
    st.integers(1, 4),
)
def test_a_cut_keeps_the_heaviest_by_row_where_they_tie(sums, top):
    pairs = sorted(sums)
    keys = np.array([item * 7 + other for item, other in pairs], np.int64)
    units = np.array([sums[pair] for pair in pairs], np.int64)
    lines = cut_lines(keys, units, 7, top)
    wanted = {
        (item, place): (other, -weight)
        for item in range(7)
        for place, (weight, other) in enumerate(
            sorted((-units, to) for (own, to), units in sums.items() if own == item and units)[:top]
        )
    }
    found = zip(
        *(column.tolist() for column in (lines.items, lines.places, lines.neighbours)),
        (lines.weights * ONE).tolist(),
        strict=True,
    )
    assert {(item, place): (other, weight) for item, place, other, weight in found} == wanted
    assert dict(zip(lines.supported.tolist(), (lines.support * ONE).tolist(), strict=True)) == {
        item: total
        for item in range(7)
        if (total := sum(units for (own, _), units in sums.items() if own == item))
    }


def test_weights_that_are_stored_as_one_tie():
    # 2^24 + 1 units are 2^24 in float32, so row 2 comes first.
    lines = cut_lines(np.array([1 * 7 + 2, 1 * 7 + 3]), np.array([2**24, 2**24 + 1]), 7, 2)
    assert lines.neighbours.tolist() == [2, 3]
    assert lines.weights.tolist() == [16.0, 16.0]


def test_settings_that_make_no_sense_are_refused():
    bad = {
        "transition_window": -1,
        "transition_half_life": 0.0,
        "transition_half_life_days": -1.0,
        "transition_top": 0,
    }
    with pytest.raises(UserError) as error:
        config_of(**bad)
    for name in bad:
        assert f"data.{name}: must be" in str(error.value)
