"""The statistics that the behaviour job writes, against plain Python."""

import collections
import csv
import datetime
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import behaviour, table_blocks
from pipelines.column_summary import Type
from tfrs_mm.config import Config
from tfrs_mm.errors import UserError

DAY = 86_400
Row = dict[str, str]


def write_table(path: pathlib.Path, rows: list[Row]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def random_events(seed: int = 5, num_events: int = 400) -> list[Row]:
    generator = np.random.default_rng(seed)
    users = generator.integers(0, 30, num_events)
    items, days = generator.integers(0, 25, num_events), generator.integers(0, 20, num_events)
    return [
        {
            "user_id": f"u{user}",
            "item_id": f"i{item}",
            "event": str(generator.choice(["view", "buy", ""])),
            "timestamp": str(1_700_000_000 + day * DAY + place) if place % 9 else "",
            "rating": str(generator.choice(["1", "2.5", "5", ""])),
            "device": str(generator.choice(["phone", "tv"])),
        }
        for place, (user, item, day) in enumerate(zip(users, items, days, strict=True))
    ]


def catalogue(num_items: int = 28) -> list[Row]:
    return [
        {
            "item_id": f"i{n}",
            "title": f"Title {n}" if n % 4 else "",
            "genres": ["war", "war|drama", ""][n % 3],
            "year": str(1990 + n % 5),
            "image_path": f"images/{n}.jpg" if n % 2 else "",
        }
        for n in range(num_items)
    ]


def config_of(**data: object) -> Config:
    settings = {"shards": 3, "time_buckets": 4, **data}
    return Config().with_overrides({f"data.{name}": value for name, value in settings.items()})


def run_job(
    folder: pathlib.Path,
    events: list[Row],
    items: list[Row],
    logs: int = 1,
    **data: object,
) -> pathlib.Path:
    """The output folder of the job on these tables; the log in so many files."""
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    for log in range(logs):
        part = events[len(events) * log // logs : len(events) * (log + 1) // logs]
        write_table(folder / "in" / f"log-{log}.csv", part)
    write_table(folder / "in" / "items.csv", items)
    config = config_of(interactions="log-*.csv", **data)
    behaviour.run(folder / "in", folder / "out", config)
    return folder / "out"


def statistics_of(output: pathlib.Path) -> dict:
    return json.loads((output / "behaviour" / "statistics.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Statistics of the random events; the last two rows of the log are rejected."""
    broken = {"user_id": "", "item_id": "i1", "event": "gone", "timestamp": "1", "rating": "9",
              "device": "toaster"}  # fmt: skip
    events = [*random_events(), broken, broken]
    return statistics_of(run_job(tmp_path_factory.mktemp("made"), events, catalogue()))


def powers(counts: collections.Counter) -> dict[str, int]:
    found = collections.Counter(2 ** (count.bit_length() - 1) for count in counts.values())
    return {str(power): count for power, count in found.items()}


def without_zeros(histogram: dict[str, int]) -> dict[str, int]:
    return {key: count for key, count in histogram.items() if count}


def test_events_are_counted_by_day_kind_user_and_item(made):
    events, interactions = random_events(), made["interactions"]
    assert interactions["rows"] == 400
    days = collections.Counter(
        datetime.datetime.fromtimestamp(int(event["timestamp"]), datetime.UTC).date().isoformat()
        for event in events
        if event["timestamp"]
    )
    assert interactions["per_day"] == {"exact": True, "days": dict(sorted(days.items()))}
    kinds = collections.Counter(event["event"] or "interaction" for event in events)
    assert interactions["per_kind"] == kinds
    users = collections.Counter(event["user_id"] for event in events)
    assert interactions["per_user"]["users"] == len(users)
    assert without_zeros(interactions["per_user"]["histogram"]) == powers(users)
    items = collections.Counter(event["item_id"] for event in events)
    per_item = interactions["per_item"]
    assert (per_item["items"], per_item["without_events"]) == (28, 28 - len(items))
    assert without_zeros(per_item["histogram"]) == powers(items)
    columns = interactions["columns"]
    assert columns["user_id"]["top"] == dict(
        sorted(users.items(), key=lambda pair: (-pair[1], pair[0]))[:20]
    )
    assert columns["item_id"]["distinct"] == len(items)
    assert list(columns["item_id"]["top"].values()) == sorted(items.values(), reverse=True)[:20]
    assert columns["item_id"]["top"].items() <= items.items()


def test_columns_of_the_log_that_the_job_does_not_use_are_described_as_well(made):
    events, columns = random_events(), made["interactions"]["columns"]
    assert list(columns) == ["user_id", "item_id", "event", "timestamp", "rating", "device"]
    times = sorted(int(event["timestamp"]) for event in events if event["timestamp"])
    timestamp = columns["timestamp"]
    assert (timestamp["type"], timestamp["missing"]) == (Type.TIME, 400 - len(times))
    assert timestamp["quantiles"]["50%"] == times[-(-len(times) // 2) - 1]
    # These are of all rows that were read, rejected ones included.
    rating, device = columns["rating"], columns["device"]
    assert (rating["type"], rating["rows"], rating["distinct"]) == (Type.NUMBER, 402, 4)
    assert rating["missing"] == sum(not event["rating"] for event in events)
    assert rating["quantiles"]["max"] == 9.0
    assert device["top"]["toaster"] == 2
    assert device["complete"] is True


def test_the_catalogue_is_described(made):
    columns = made["catalogue"]["columns"]
    assert list(columns) == ["item_id", "title", "genres", "year", "image_path"]
    assert [column["type"] for column in columns.values()] == [
        Type.ID, Type.TEXT, Type.CATEGORY, Type.NUMBER, Type.PATH,
    ]  # fmt: skip
    # Of 28 items 10 have war alone, 9 war and drama, 9 nothing; every fourth has no title, every
    # second no picture.
    assert columns["genres"]["top"] == {"war": 19, "drama": 9}
    assert (columns["genres"]["missing"], columns["genres"]["values"]) == (9, 28)
    assert columns["title"]["missing"] == made["catalogue"]["without_text"] == 7
    assert columns["image_path"]["missing"] == made["catalogue"]["without_media"] == 14
    assert made["catalogue"]["rows"] == 28


def test_statistics_do_not_depend_on_files_blocks_or_shards(tmp_path, monkeypatch):
    events, items = random_events(), catalogue()
    settings = {"statistics_values": 100, "statistics_top": 3}
    one = statistics_of(run_job(tmp_path / "one", events, items, **settings))
    monkeypatch.setattr(table_blocks, "BLOCK_BYTES", 2048)
    many = statistics_of(run_job(tmp_path / "many", events, items, logs=4, shards=7, **settings))
    assert many == one
    # 400 times and 28 years: the first are beyond what is counted exactly.
    assert one["interactions"]["columns"]["timestamp"]["distinct_error"] > 0


def test_a_fault_in_a_column_that_is_read_for_statistics_alone_is_told(tmp_path):
    table = pa.table(
        {
            "user_id": [f"u{n % 7}" for n in range(100)],
            "item_id": ["i1"] * 100,
            "timestamp": [str(n) for n in range(100)],
            "device": [f"device {n}" for n in range(100)],
        }
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    write_table(tmp_path / "in" / "items.csv", catalogue())
    log = tmp_path / "in" / "log.parquet"
    pq.write_table(table, log, compression="none", use_dictionary=False, write_page_checksum=True)
    log.write_bytes(log.read_bytes().replace(b"device 50", b"device 99"))
    with pytest.raises(UserError, match=r"log\.parquet cannot be read behind row 0"):
        behaviour.run(tmp_path / "in", tmp_path / "out", config_of(interactions="log.parquet"))
    report = behaviour.run(
        tmp_path / "in",
        tmp_path / "out",
        config_of(interactions="log.parquet", statistics=False),
    )
    assert report["events read"] == 100


def test_without_statistics_nothing_of_them_is_written(tmp_path):
    output = run_job(tmp_path, random_events(), catalogue(), statistics=False)
    names = {path.name for path in (output / "behaviour").glob("*.json")}
    assert names == {"report.json"}
    assert "anomalies" not in json.loads((output / "behaviour" / "report.json").read_text())


def test_a_log_that_lacks_a_column_has_it_missing_in_every_row(tmp_path):
    events = random_events(num_events=60)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    write_table(tmp_path / "in" / "log-0.csv", events[:40])
    short = [{name: event[name] for name in list(event)[:4]} for event in events[40:]]
    write_table(tmp_path / "in" / "log-1.csv", short)
    write_table(tmp_path / "in" / "items.csv", catalogue())
    behaviour.run(tmp_path / "in", tmp_path / "out", config_of(interactions="log-*.csv"))
    device = statistics_of(tmp_path / "out")["interactions"]["columns"]["device"]
    assert (device["rows"], device["missing"]) == (60, 20)


def test_renamed_columns_go_by_our_names(tmp_path):
    events = [
        {"reviewer" if name == "user_id" else name: value for name, value in event.items()}
        for event in random_events(num_events=60)
    ]
    items = [
        {"asin" if name == "item_id" else name: value for name, value in item.items()}
        for item in catalogue()
    ]
    output = run_job(
        tmp_path, events, items,
        interaction_columns=["user_id=reviewer"], item_columns=["item_id=asin"],
    )  # fmt: skip
    found = statistics_of(output)
    assert list(found["interactions"]["columns"])[:2] == ["user_id", "item_id"]
    assert "reviewer" not in found["interactions"]["columns"]
    assert next(iter(found["catalogue"]["columns"])) == "item_id"
