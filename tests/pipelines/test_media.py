import json
import pathlib

import media_world as world
import numpy as np
import pytest

from pipelines import media
from tfrs_mm.artefacts import fingerprint_file
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.tfrecord import find_shards, read_tfrecord
from tfrs_mm.media import decode_audio, decode_image, log_mel, patches, sample_video
from tfrs_mm.schema import Modality


@pytest.fixture(scope="module")
def finished(shop, encoders, tmp_path_factory) -> tuple[pathlib.Path, dict]:
    """The output folder of a whole run over the shop, and its report."""
    output = tmp_path_factory.mktemp("data")
    world.write_vocabularies(output, world.IDS, ["new", "old"])
    return output, media.run(shop, output, world.small_config(), encoders, world.SCHEMA)


def test_embeddings_equal_those_of_a_plain_loop(shop, finished):
    items = world.read_items(finished[0], world.SCHEMA)
    assert sorted(items) == list(range(1, 24))
    for n, item in items.items():
        picture = decode_image((shop / f"images/{n}.jpg").read_bytes(), world.SIZE_PX, 10**6)
        np.testing.assert_allclose(item["image/embedding"], picture.mean(axis=(0, 1)), rtol=1e-5)
        # "Title 7. Good & cheap" is as long as "Title 7" and 14 more; T and G are capitals
        np.testing.assert_array_equal(item["text/embedding"], [len(f"Title {n}") + 14, 2])
        if n % 3 == 0:
            sound = patches(
                log_mel(decode_audio((shop / f"audio/{n}.mp3").read_bytes(), world.SECONDS))
            )
            assert len(sound) == (2 if n >= 15 else 1)  # 1 + n / 3 s, cut to 7 s, in patches of 3 s
            expected = np.mean([patch.mean(axis=0)[::24] for patch in sound], axis=0)
            np.testing.assert_allclose(item["audio/embedding"], expected, rtol=1e-4, atol=1e-5)
        if n % 5 == 0:
            frames = sample_video(
                (shop / f"video/{n}.mp4").read_bytes(),
                world.FRAMES,
                world.SIZE_PX,
                10**6,
            )
            assert len(frames) == world.FRAMES
            expected = np.mean([frame.mean(axis=(0, 1)) for frame in frames], axis=0)
            np.testing.assert_allclose(item["video/embedding"], expected, rtol=1e-5)


def test_a_medium_that_an_item_lacks_is_zeros_and_no_reject(finished):
    output, report = finished
    items = world.read_items(output, world.SCHEMA)
    assert [n for n, item in items.items() if item["audio/present"]] == [
        n for n in items if n % 3 == 0
    ]
    assert [n for n, item in items.items() if item["video/present"]] == [
        n for n in items if n % 5 == 0
    ]
    assert not items[1]["audio/embedding"].any() and not items[1]["video/embedding"].any()
    assert report["missing"] == {"image": 0, "text": 0, "audio": 16, "video": 19}  # 23 - 7, 23 - 4
    assert world.read_rejects(output) == []


def test_records_carry_id_title_and_categories(finished):
    items = world.read_items(finished[0], world.SCHEMA)
    assert (items[4]["item_id"], items[4]["title"]) == (b"i4", b"Title 4")
    # "new|old", "old", "", "none such|new", the vocabulary being new, old
    assert [items[n]["genres"][:2].tolist() for n in (4, 5, 6, 7)] == [
        [1, 2],
        [2, 0],
        [0, 0],
        [1, 0],
    ]


def test_a_shard_holds_one_remainder_in_the_order_of_rows(finished):
    import tensorflow as tf

    spec = ExamplesSpec(world.SCHEMA).item
    for shard, path in enumerate(find_shards(finished[0] / "items", "items")):
        rows = spec.parse(tf.constant(list(read_tfrecord(path))))["item"].numpy().tolist()
        assert rows == [row for row in range(1, 24) if row % 2 == shard]


def test_the_report_says_what_there_is(finished):
    output, report = finished
    assert report == json.loads((output / "items" / "report.json").read_text())
    assert report["items"] == 23
    assert report["present"] == {"image": 23, "text": 23, "audio": 7, "video": 4}
    assert report["share"]["audio"] == pytest.approx(7 / 23, abs=1e-6)
    assert report["rejected"] == {"image": {}, "text": {}, "audio": {}, "video": {}}
    assert report["embedded"] == report["present"]  # no two media are the same, none is cached
    assert report["from cache"] == report["repeated"] == dict.fromkeys(world.DIMS, 0)
    assert report["seconds"] > 0


def test_nothing_temporary_is_left(finished):
    left = [
        str(path.relative_to(finished[0]))
        for path in sorted(finished[0].rglob("*"))
        if path.is_file()
    ]
    assert left == [
        "items/items-00000-of-00002.tfrecord.gz", "items/items-00001-of-00002.tfrecord.gz",
        "items/quality.json", "items/report.json", "rejects/media.jsonl",
        "vocabulary/genres.txt", "vocabulary/items.txt",
    ]  # fmt: skip


def test_threads_write_the_same_records(shop, encoders, finished, tmp_path):
    options = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    report = media.run(shop, tmp_path, world.small_config(), encoders, world.SCHEMA, options)
    expected = world.read_items(finished[0], world.SCHEMA)
    for row, item in world.read_items(tmp_path, world.SCHEMA).items():
        for key, value in item.items():
            if key.endswith("/embedding"):
                np.testing.assert_allclose(value, expected[row][key], rtol=1e-6)
            else:
                np.testing.assert_array_equal(value, expected[row][key])
    assert {**report, "seconds": 0} == {**finished[1], "seconds": 0}


def test_the_same_job_writes_the_same_bytes(shop, encoders, finished, tmp_path):
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    media.run(shop, tmp_path, world.small_config(), encoders, world.SCHEMA)
    for path in find_shards(tmp_path / "items", "items"):
        twin = finished[0] / "items" / pathlib.Path(path).name
        assert fingerprint_file(path) == fingerprint_file(twin)


def test_every_encoder_is_loaded_once(shop, encoders, tmp_path, monkeypatch):
    import tensorflow as tf

    loaded, load = [], tf.saved_model.load
    monkeypatch.setattr(tf.saved_model, "load", lambda path: loaded.append(path) or load(path))
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    media.run(shop, tmp_path, world.small_config(), encoders, world.SCHEMA)
    assert sorted(loaded) == sorted(str(path) for path in encoders.values())


def test_the_command_writes_the_output_whole(encoders, shop, finished, tmp_path, capsys):
    arguments = [
        "--input", str(shop), "--output", str(tmp_path / "out"),
        "--vocabulary", str(finished[0] / "vocabulary"),
        "--encoders", str(encoders[Modality.IMAGE].parent), "--set", "data.shards=3",
    ]  # fmt: skip
    assert media.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["present"]["image"] == 23
    assert len(find_shards(tmp_path / "out" / "items", "items")) == 3
    assert media.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1  # it exists: one line
