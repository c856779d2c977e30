"""The behaviour job on what every connector writes."""

import pathlib

import connector_downloads as downloads
import pyarrow.parquet as pq
import pytest

from pipelines import behaviour
from tfrs_mm.config import Config
from tfrs_mm.data.connectors.convert import convert
from tfrs_mm.data.vocabulary import Vocabulary


def run_job(folder: pathlib.Path, edition: str, **data: object) -> tuple[dict, dict, list[dict]]:
    """What the connector and the job report, and the events between them."""
    name, write = downloads.EDITIONS[edition]
    converted = convert(name, write(folder / "in"), folder / "out")
    settings = {"shards": 1, "statistics": False, "transition_window": 0, **data}
    config = Config().with_overrides({f"data.{key}": value for key, value in settings.items()})
    (folder / "data").mkdir()
    made = behaviour.run(folder / "out", folder / "data", config)
    return converted, made, downloads.read_csv(folder / "out" / "interactions.csv")


@pytest.mark.parametrize("edition", sorted(downloads.EDITIONS))
def test_the_job_takes_every_event_and_every_item(edition, tmp_path):
    converted, made, events = run_job(tmp_path, edition)
    assert made["events read"] == converted["events written"] and made["events rejected"] == 0
    assert made["items"] == converted["items written"] and made["items rejected"] == 0
    users = Vocabulary.read(tmp_path / "data" / "vocabulary" / "users.txt").ids
    assert set(users) == {event["user_id"] for event in events}
    untimed = len(events) if "order" in events[0] else 0
    assert made.get("events without time", 0) == untimed


def test_low_ratings_become_negative_feedback(tmp_path):
    _, _, events = run_job(tmp_path, "ml-25m", min_rating=4.0)
    negatives = pq.read_table(tmp_path / "data" / "behaviour" / "negatives.parquet")
    # Of the stars 5, 3.5, 4 and 0.5 that each of three users gave, two are below 4.
    assert negatives.num_rows == 3 * 2 == sum(float(event["rating"]) < 4 for event in events)
