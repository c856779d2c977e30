"""Every anomaly planted in an input of the behaviour job and found, and none in a clean one."""

import datetime
import json
import pathlib

import numpy as np
import pytest

from pipelines import behaviour
from tfrs_mm.config import Config
from tfrs_mm.errors import UserError

DAY, START = 86_400, 1_700_000_000
Row = dict[str, str]


def clean_events(seed: int = 1, first_day: int = 0) -> list[Row]:
    """900 events of 40 users on 30 days, 30 a day."""
    generator = np.random.default_rng(seed)
    return [
        {
            "user_id": f"u{generator.integers(40)}",
            "item_id": f"i{generator.integers(50)}",
            "event": "view" if place % 3 else "buy",
            "timestamp": str(START + (first_day + place // 30) * DAY + place),
            "rating": str(generator.integers(1, 6)),
        }
        for place in range(900)
    ]


def clean_items() -> list[Row]:
    return [
        {"item_id": f"i{n}", "title": f"Title {n}", "genres": ["war", "drama"][n % 2],
         "year": str(1990 + n % 7), "image_path": f"{n}.jpg"}
        for n in range(50)
    ]  # fmt: skip


def write_tables(folder: pathlib.Path, events: list[Row], items: list[Row]) -> pathlib.Path:
    folder.mkdir(parents=True)
    for name, rows in (("interactions.csv", events), ("items.csv", items)):
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run_job(
    folder: pathlib.Path, events: list[Row], items: list[Row], **data: object
) -> dict[str, dict]:
    """The anomalies of the job on these tables, by rule and column."""
    input_dir = write_tables(folder / "in", events, items)
    (folder / "out").mkdir()
    config = Config().with_overrides({f"data.{name}": value for name, value in data.items()})
    report = behaviour.run(input_dir, folder / "out", config)
    anomalies = read(folder / "out")
    assert report["anomalies"] == {
        name: len([row for row in anomalies["anomalies"] if row["severity"] == name[:-1]])
        for name in ("errors", "warnings")
    }
    return {f"{row['rule']}: {row['column']}": row for row in anomalies["anomalies"]}


def read(output: pathlib.Path) -> dict:
    return json.loads((output / "behaviour" / "anomalies.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The data folder of a clean run."""
    folder = tmp_path_factory.mktemp("clean")
    assert run_job(folder, clean_events(), clean_items()) == {}
    return folder / "out"


def test_clean_data_have_none(clean):
    assert read(clean) == {
        "as_of": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "previous": "", "errors": 0, "warnings": 0, "anomalies": [], "not_compared": [],
    }  # fmt: skip


def test_a_poor_catalogue_and_a_poor_log_are_found_out(tmp_path):
    events = [
        {**event, "user_id": f"new {place}", "item_id": f"i{place % 20}", "timestamp": "1700000000"}
        for place, event in enumerate(clean_events()[:60])
    ]
    for place in range(20):  # twenty users with five events each, so that there is a split
        for item in range(5):
            events.append({**events[0], "user_id": f"old {place}", "item_id": f"i{item}"})
    items = [
        {"item_id": item["item_id"], "genres": "war", "year": "" if n < 40 else "1990",
         "image_path": ""}
        for n, item in enumerate(clean_items())
    ]  # fmt: skip
    found = run_job(tmp_path, events, items)
    assert set(found) == {
        "equal times: timestamp", "no title: title", "no media: ", "missing values: year",
        "one value: genres", "single events: user_id", "items without events: item_id",
        "dominant item: item_id",
    }  # fmt: skip
    assert found["equal times: timestamp"]["severity"] == "error"
    assert found["no title: title"]["found"] == "no column title"
    assert found["missing values: year"]["figure"] == 0.8
    assert found["single events: user_id"]["figure"] == 0.75  # 60 of 80
    assert found["items without events: item_id"]["figure"] == 0.6  # 30 of 50
    assert found["dominant item: item_id"]["found"] == "23 of 160 of 'i0'"  # 3 + 20


def test_times_to_come_robots_and_rejects_are_found_out(tmp_path):
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    events = clean_events()
    robot = [{**event, "user_id": "robot"} for event in events[:150]]
    late = [{**event, "timestamp": str(int(tomorrow.timestamp()))} for event in events[:3]]
    unknown = [{**event, "item_id": "unknown"} for event in events[:60]]
    found = run_job(tmp_path, [*events, *robot, *late, *unknown], clean_items())
    assert set(found) == {"future times: timestamp", "dominant user: user_id", "rejected events: "}
    future = found["future times: timestamp"]
    assert future["severity"] == "error"
    assert future["found"] == f"3 of 1053 events, up to {tomorrow.date().isoformat()}"
    assert found["dominant user: user_id"]["found"] == "150 of 1053 of 'robot'"
    # 60 of 900 + 150 + 3 + 60
    assert found["rejected events: "]["figure"] == pytest.approx(60 / 1113, abs=1e-6)


def test_titles_and_times_that_are_partly_missing_are_found_out(tmp_path):
    events = [{**event, "timestamp": ""} if place % 5 else event
              for place, event in enumerate(clean_events())]  # fmt: skip
    items = [{**item, "title": ""} if place % 5 else item
             for place, item in enumerate(clean_items())]  # fmt: skip
    found = run_job(tmp_path / "one", events, items)
    assert set(found) == {"no title: title", "missing values: timestamp"}
    assert found["no title: title"]["found"] == "40 of 50 without title"
    assert run_job(tmp_path / "other", events, items, anomaly_missing=0.8) == {}


def test_the_next_month_is_no_anomaly(clean, tmp_path):
    events = clean_events(seed=2, first_day=30)
    assert run_job(tmp_path, events, clean_items(), anomaly_previous=str(clean)) == {}
    assert read(tmp_path / "out")["previous"] == str(clean)


def test_what_changed_against_the_former_run_is_found_out(clean, tmp_path):
    events = [
        {**event, "event": {"buy": "purchase"}.get(event["event"], event["event"]),
         "rating": "5" if place % 10 else "1"}
        for place, event in enumerate(clean_events()[:420])
    ]  # fmt: skip
    items = [
        {**item, "genres": "opera" if n < 5 else item["genres"], "year": f"in {item['year']}"}
        for n, item in enumerate(clean_items())
    ]
    for item in items:
        del item["image_path"]
    found = run_job(
        tmp_path, events, items, anomaly_previous=str(clean), anomaly_divergence=0.2
    )  # fmt: skip
    assert set(found) == {
        "vanished column: image_path", "no media: ", "changed type: year", "new values: genres",
        "new kind: event", "vanished kind: event", "divergence: event", "difference: event",
        "divergence: rating", "difference: rating", "volume drop: ",
    }  # fmt: skip
    assert {name for name, row in found.items() if row["severity"] == "error"} == {
        "vanished column: image_path", "changed type: year", "vanished kind: event",
        "volume drop: ",
    }  # fmt: skip
    assert found["volume drop: "]["found"] == "420 rows"


def main(input_dir: pathlib.Path, output: pathlib.Path, *arguments: str, **data: object) -> int:
    settings = [part for name, value in data.items() for part in ("--set", f"data.{name}={value}")]
    return behaviour.main(
        ["--input", str(input_dir), "--output", str(output), *settings, *arguments]
    )


def test_an_error_stops_the_job_before_it_replaces_anything(clean, tmp_path, capsys):
    input_dir = write_tables(tmp_path / "in", clean_events()[:300], clean_items())
    output = tmp_path / "out"
    output.mkdir()
    (output / "old.txt").write_text("old")
    options = ("--overwrite", "--previous", str(clean))
    assert main(input_dir, output, *options, anomaly_stop="true") == 2
    said = capsys.readouterr().err
    assert "`data.anomaly_stop` is true, and the input has 1 anomalies" in said
    assert "volume drop in interactions (expected at most 50% fewer rows than 900" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    assert [path.name for path in output.iterdir()] == ["old.txt"]
    # Not to be stopped by warnings, and a rule can be made one.
    assert main(input_dir, output, *options, anomaly_stop="true", anomaly_errors="[]") == 0
    assert (read(output)["errors"], read(output)["warnings"]) == (0, 1)


def test_the_former_run_may_be_the_one_that_is_replaced(tmp_path):
    input_dir = write_tables(tmp_path / "in", clean_events(), clean_items())
    output = tmp_path / "out"
    assert main(input_dir, output) == 0
    write_tables(tmp_path / "less", clean_events()[:300], clean_items())
    assert main(tmp_path / "less", output, "--overwrite", "--previous", str(output)) == 0
    assert [row["rule"] for row in read(output)["anomalies"]] == ["volume drop"]


def test_a_former_run_without_statistics_is_refused_at_once(tmp_path):
    input_dir = write_tables(tmp_path / "in", clean_events()[:30], clean_items())
    config = Config().with_overrides({"data.anomaly_previous": str(tmp_path)})
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"`data.anomaly_previous` is .* but there is no"):
        behaviour.run(input_dir, tmp_path / "out", config)
    (tmp_path / "behaviour").mkdir()
    (tmp_path / "behaviour" / "statistics.json").write_text('{"version": 0}')
    with pytest.raises(UserError, match="must be of version 1, but is of 0"):
        behaviour.run(input_dir, tmp_path / "out", config)
    assert not list((tmp_path / "out").iterdir())
