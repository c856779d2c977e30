import csv
import json

import av
import numpy as np
import pytest
from PIL import Image

from tfrs_mm.data.synthetic import read_world, synthesize
from tfrs_mm.errors import UserError
from tfrs_mm.media import MediaError, decode_audio, decode_image, sample_video

NUM_ITEMS, NUM_USERS, SEED = 40, 15, 3
DECODE = {
    "image": lambda data: decode_image(data, size_px=32, max_pixels=10**6),
    "audio": lambda data: decode_audio(data, max_seconds=5.0),
    "video": lambda data: sample_video(data, frames=2, size_px=32, max_pixels=10**6),
}


def read_rows(path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "catalogue"
    return folder, synthesize(folder, NUM_ITEMS, NUM_USERS, SEED)


def test_the_tables_have_the_columns_of_an_input_folder(made):
    folder, world = made
    items, events = read_rows(folder / "items.csv"), read_rows(folder / "interactions.csv")
    assert list(items[0]) == [
        "item_id",
        "title",
        "description",
        "image_path",
        "audio_path",
        "video_path",
    ]
    assert list(events[0]) == ["user_id", "item_id", "event", "rating", "timestamp"]
    assert [row["item_id"] for row in items] == list(world.item_ids)
    assert len(events) == len(world.event_users)
    assert {row["item_id"] for row in events} <= set(world.item_ids)
    assert {row["event"] for row in events} == {"view", "like", "rate"}


def test_a_rating_comes_with_rate_and_with_nothing_else(made):
    folder, _ = made
    for row in read_rows(folder / "interactions.csv"):
        assert (row["rating"] in {"1", "2", "3", "4", "5"}) == (row["event"] == "rate")
        assert row["rating"] or row["event"] != "rate"


def test_the_log_is_in_the_order_of_time(made):
    folder, _ = made
    times = [int(row["timestamp"]) for row in read_rows(folder / "interactions.csv")]
    assert times == sorted(times)


def test_every_cell_names_a_file_and_an_empty_cell_is_a_missing_medium(made):
    folder, world = made
    columns = ["image_path", "title", "audio_path", "video_path"]  # in the order of the modalities
    for index, row in enumerate(read_rows(folder / "items.csv")):
        for place, column in enumerate(columns):
            assert bool(row[column]) == (not world.missing[index, place])
        assert bool(row["description"]) == bool(row["title"])
        for column in ("image_path", "audio_path", "video_path"):
            assert not row[column] or (folder / row[column]).is_file()
    # 5 % of 40 items miss one.
    assert world.missing.any(axis=1).sum() == 2


def test_no_file_belongs_to_no_item(made):
    folder, _ = made
    columns = ("image_path", "audio_path", "video_path")
    named = {row[column] for row in read_rows(folder / "items.csv") for column in columns}
    found = {str(path.relative_to(folder)) for path in folder.glob("*/*")}
    assert found == named - {""}


def test_the_media_are_real(made):
    folder, _ = made
    for name, kind in (("images", "image"), ("audio", "audio"), ("video", "video")):
        assert all(DECODE[kind](path.read_bytes()).size for path in (folder / name).iterdir())
    for path in (folder / "images").iterdir():
        with Image.open(path) as picture:
            assert picture.format == "JPEG" and picture.size == (144, 144)
            assert np.asarray(picture).std() > 5
    path = next((folder / "audio").iterdir())
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
    # 3.2 s, and what MP3 pads at its ends.
    assert frames[0].sample_rate == 16_000 and 3.1 < seconds < 3.4
    path = next((folder / "video").iterdir())
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        # 14 frames at 8 a second are 1.75 s.
        assert sum(1 for _ in container.decode(video=0)) == 14


def test_no_two_items_share_a_text_or_a_picture(made):
    folder, _ = made
    texts = [(r["title"], r["description"]) for r in read_rows(folder / "items.csv") if r["title"]]
    pictures = [path.read_bytes() for path in (folder / "images").iterdir()]
    assert len(set(texts)) == len(texts)
    assert len(set(pictures)) == len(pictures)


def test_nothing_in_the_tables_gives_a_class_or_a_cold_item_away(made):
    folder, _ = made
    names = json.loads((folder / "truth.json").read_text())["class_names"]
    words = {name for modality, several in names.items() if modality != "text" for name in several}
    for row in read_rows(folder / "items.csv"):
        cells = row["item_id"], row["image_path"], row["audio_path"], row["video_path"]
        assert not any(word in cell for word in words for cell in cells)
        assert all(not cell or row["item_id"] in cell for cell in cells)


def test_the_truth_reads_back_as_the_world_it_was_written_from(made):
    folder, world = made
    back = read_world(folder)
    assert back.item_ids == world.item_ids and back.user_ids == world.user_ids
    np.testing.assert_array_equal(back.item_classes, world.item_classes)
    np.testing.assert_array_equal(back.logits(4, 1), world.logits(4, 1))
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["cold_item_ids"] == list(world.cold_item_ids)
    assert truth["broken"] == []
    # The modality axis is image, text, audio, video.
    names = ("image", "text", "audio", "video")
    assert {(one["item_id"], one["modality"]) for one in truth["missing"]} == {
        (world.item_ids[item], names[place]) for item, place in np.argwhere(world.missing)
    }


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    folder, _ = made
    synthesize(tmp_path / "again", NUM_ITEMS, NUM_USERS, SEED)
    for path in folder.rglob("*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(folder)
            assert path.read_bytes() == again.read_bytes(), path.name


def test_broken_files_are_as_many_as_asked_and_no_decoder_reads_them(tmp_path):
    world = synthesize(tmp_path / "b", NUM_ITEMS, 5, SEED, broken=6)
    broken = json.loads((tmp_path / "b" / "truth.json").read_text())["broken"]
    # Six in turn over three kinds: two of each.
    assert sorted(one["modality"] for one in broken) == [
        "audio",
        "audio",
        "image",
        "image",
        "video",
        "video",
    ]
    assert len({one["item_id"] for one in broken}) == 6
    rows = {row["item_id"]: row for row in read_rows(tmp_path / "b" / "items.csv")}
    for one in broken:
        path = tmp_path / "b" / rows[one["item_id"]][one["modality"] + "_path"]
        assert path.stat().st_size > 0
        with pytest.raises(MediaError):
            DECODE[one["modality"]](path.read_bytes())
    assert not world.missing[[world.item_ids.index(one["item_id"]) for one in broken]].any()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        synthesize(tmp_path, NUM_ITEMS, NUM_USERS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "arguments", [{"num_items": 3}, {"num_users": 0}, {"seed": -1}, {"broken": -1}, {"broken": 39}]
)
def test_a_senseless_number_is_named_and_leaves_nothing(tmp_path, arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(UserError, match=f"{name}.*received {value}"):
        synthesize(
            tmp_path / "out", **{"num_items": NUM_ITEMS, "num_users": NUM_USERS, **arguments}
        )
    assert list(tmp_path.iterdir()) == []


def test_a_failure_on_the_way_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("tfrs_mm.data.synthetic.write_mp4", fail)
    with pytest.raises(OSError, match="disk full"):
        synthesize(tmp_path / "out", NUM_ITEMS, NUM_USERS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_truth_is_no_synthetic_catalogue(tmp_path):
    with pytest.raises(UserError, match=r"truth\.json"):
        read_world(tmp_path)
