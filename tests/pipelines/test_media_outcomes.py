import media_world as world
import numpy as np

from pipelines import media
from tfrs_mm.data.tfrecord import find_shards
from tfrs_mm.schema import Modality


def test_a_broken_medium_costs_that_modality_only(encoders, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    world.write_picture(folder / "good.jpg", seed=1)
    world.write_picture(tmp_path / "outside.jpg", seed=2)
    (folder / "linked.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:200])
    (folder / "words.jpg").write_text("no picture")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "large.jpg").write_bytes((folder / "good.jpg").read_bytes() + b"\0" * 5_000)
    (folder / "a_folder.jpg").mkdir()
    for name in ("noise.mp3", "noise.mp4"):
        (folder / name).write_bytes(np.random.default_rng(3).bytes(2_000))
    paths = [
        "good.jpg", "cut.jpg", "words.jpg", "empty.jpg", "large.jpg", "gone.jpg", "a_folder.jpg",
        "linked.jpg", "../outside.jpg", str(folder / "good.jpg"), " ",
    ]  # fmt: skip
    lines = [{"item_id": f"i{n}", "title": "T", "image_path": path} for n, path in enumerate(paths)]
    lines[0] |= {"audio_path": "noise.mp3", "video_path": "noise.mp4"}
    world.write_catalogue(folder, lines)
    world.write_vocabularies(output, [line["item_id"] for line in lines])
    schema = world.schema_of(len(lines))

    config = world.small_config(encoders__image__max_bytes=5_000)
    report = media.run(folder, output, config, encoders, schema)

    items = world.read_items(output, schema)
    assert len(items) == 11 and all(item["text/present"] for item in items.values())
    assert [row for row, item in items.items() if item["image/present"]] == [1]
    assert not any(item["audio/present"] or item["video/present"] for item in items.values())
    reasons = {
        (reject["item_id"], reject["modality"]): reject["reason"]
        for reject in world.read_rejects(output)
    }
    assert reasons == {
        ("i0", "audio"): "not a sound of a known format",
        ("i0", "video"): "not a film of a known format",
        ("i1", "image"): "picture is damaged",
        ("i2", "image"): "not a picture of a known format",
        ("i3", "image"): "file is empty",
        ("i4", "image"): "file is too large",
        ("i5", "image"): "file does not exist",
        ("i6", "image"): "not a regular file",
        ("i7", "image"): "path leaves the data folder through a symbolic link",
        ("i8", "image"): "path leaves the data folder",
        ("i9", "image"): "path is absolute; paths are relative to the data folder",
    }
    assert {reject["where"] for reject in world.read_rejects(output)} >= {
        "cut.jpg",
        "../outside.jpg",
        "noise.mp3",
    }
    assert report["missing"]["image"] == 1  # the blank cell
    assert report["rejected"]["image"]["picture is damaged"] == 1
    assert sum(report["rejected"]["image"].values()) == 9


def test_an_item_without_words_has_no_text(encoders, tmp_path):
    lines = [
        {"item_id": "a", "title": " ", "description": "<p></p>"},
        {"item_id": "b", "description": "Fine"},
    ]
    items, report = world.run_texts(encoders, tmp_path, lines)
    assert [bool(items[row]["text/present"]) for row in (1, 2)] == [False, True]
    assert report["missing"]["text"] == 1 and report["rejected"]["text"] == {}
    np.testing.assert_array_equal(items[2]["text/embedding"], [4, 1])


def test_a_text_above_the_limit_is_rejected(encoders, tmp_path):
    lines = [{"item_id": "a", "title": "x" * 50}, {"item_id": "b", "title": "x" * 51}]
    items, report = world.run_texts(encoders, tmp_path, lines, encoders__text__max_bytes=50)
    assert [bool(items[row]["text/present"]) for row in (1, 2)] == [True, False]
    assert report["rejected"]["text"] == {"text is too large": 1}
    assert world.read_rejects(tmp_path / "out") == [
        {
            "reason": "text is too large",
            "where": "title, description",
            "item_id": "b",
            "modality": "text",
        }
    ]


def test_the_first_of_two_lines_counts_and_unknown_items_are_left_out(encoders, tmp_path):
    titles = ["B", "x", "A", "no"]
    lines = [{"item_id": name, "title": title} for name, title in zip("bxab", titles, strict=True)]
    items, report = world.run_texts(encoders, tmp_path, lines, ids=["a", "b"])
    assert [items[row]["title"] for row in (1, 2)] == [b"A", b"B"]
    assert (report["items not in the vocabulary"], report["items repeated"]) == (1, 1)
    assert report["present"]["text"] == 2


def test_embeddings_that_are_no_numbers_are_rejected(export_encoder, tmp_path):
    import tensorflow as tf

    def embed(inputs):
        length = tf.cast(tf.strings.length(inputs), tf.float32)[:, None]
        return tf.concat([length, 1 / (length - 3)], axis=1)  # infinite for three letters

    export_encoder(tmp_path / "text", "text", embed, 2, "string", [None])
    lines = [{"item_id": "a", "title": "abcd"}, {"item_id": "b", "title": "abc"}]
    items, report = world.run_texts({Modality.TEXT: tmp_path / "text"}, tmp_path, lines)
    np.testing.assert_array_equal(items[1]["text/embedding"], [4, 1])
    assert not items[2]["text/present"] and not items[2]["text/embedding"].any()
    assert report["rejected"]["text"] == {"embedding is not finite": 1}
    assert world.read_rejects(tmp_path / "out")[0]["item_id"] == "b"


def test_a_catalogue_without_modalities_still_has_its_records(tmp_path):
    items, report = world.run_texts({}, tmp_path, [{"item_id": "a", "title": "A"}])
    assert items[1]["title"] == b"A" and report["share"] == {}


def test_a_shard_without_items_is_written_too(encoders, tmp_path):
    items, _ = world.run_texts(encoders, tmp_path, [{"item_id": "a", "title": "A"}], data__shards=5)
    assert len(find_shards(tmp_path / "out" / "items", "items")) == 5 and list(items) == [1]
