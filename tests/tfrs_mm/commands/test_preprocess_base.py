"""`tfrs-mm preprocess --base`: a data folder grows, and what it held stays where it was."""

import json

import numpy as np
import pytest

from tfrs_mm.cli import main
from tfrs_mm.config import Config
from tfrs_mm.data.catalogue import read_catalogue
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import Modality, Schema

SETTINGS = {
    "data.shards": 2,
    "data.interactions": "*.log.csv",
    "data.statistics": False,
    "encoders.text.kind": "small",
    "encoders.text.small_epochs": 1,
    "encoders.text.small_dim": 8,
    "encoders.text.pca_dim": 3,
    "encoders.image.kind": "none",
    "encoders.audio.kind": "none",
    "encoders.video.kind": "none",
}


def write_day(folder, day, items):
    folder.mkdir()
    ids = [f"i{n}" for n in range(items)]
    # Later items come first in the catalogue.
    lines = [f"{name},{'red ' * (n % 5)}{'blue ' * (n % 3)}{n}\n" for n, name in enumerate(ids)]
    (folder / "items.csv").write_text("item_id,title\n" + "".join(reversed(lines)))
    events = [(f"u{user + day}", ids[-1 - (user + step) % 9], step) for user in range(5)
              for step in range(6)]  # fmt: skip
    (folder / f"{day}.log.csv").write_text(
        "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{100 * day + t}\n" for u, i, t in events)
    )


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Two data folders, the second made from the first and one day more."""
    folder = tmp_path_factory.mktemp("days")
    config = Config().with_overrides(SETTINGS)
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    for day, items in enumerate((24, 27)):
        write_day(folder / f"in-{day}", day, items)
        base = ["--base", str(folder / "data-0")] if day else []
        arguments = ["--input", f"{folder}/in-{day}", "--output", f"{folder}/data-{day}", *base]
        common = ["--config", f"{folder}/config.json", "--weights", f"{folder}/weights"]
        assert main(["preprocess", *arguments, *common]) == 0
    return folder / "data-0", folder / "data-1"


def test_items_keep_their_rows_and_embeddings(days):
    embeddings = []
    for data in days:
        catalogue = read_catalogue(data, Schema.read(data / "schema.json"))
        embeddings.append(catalogue.embeddings[Modality.TEXT])
    # Row 0 is nobody's; 24 items, then 3 new ones. Neither the encoder nor the projection moved.
    assert [len(rows) for rows in embeddings] == [25, 28]
    np.testing.assert_array_equal(embeddings[1][:25], embeddings[0])
    ids = [Vocabulary.read(data / "vocabulary/items.txt").ids for data in days]
    assert ids[1] == (*ids[0], "i26", "i25", "i24")


def test_the_data_folder_says_what_it_goes_on_from(days):
    manifests = [json.loads((data / "manifest.json").read_text()) for data in days]
    assert manifests[1]["made_from"]["base"] == manifests[0]["fingerprint"]
    assert f"text: that of {days[0]}" in manifests[1]["notes"]
    encoders = [dict(Schema.read(data / "schema.json").encoders) for data in days]
    assert encoders[0] == encoders[1]


def test_events_of_both_days_are_there(days):
    reports = [json.loads((data / "behaviour/report.json").read_text()) for data in days]
    assert [report["events read"] for report in reports] == [30, 60]
    assert [report["users"] for report in reports] == [5, 6]


def test_a_base_that_is_no_data_folder_is_one_line(days, tmp_path, capsys):
    source = days[0].parent / "in-1"
    arguments = ["--input", str(source), "--output", str(tmp_path / "out")]
    assert main(["preprocess", *arguments, "--base", str(tmp_path)]) == 2
    assert "is no data folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
