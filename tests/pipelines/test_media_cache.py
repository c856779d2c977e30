"""The media job with a cache: what is embedded, what is not, and that it makes no difference."""

import os

import media_world as world
import numpy as np
import pytest

from pipelines import embed, media
from pipelines.inference import EncoderHandler
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media.writing import write_jpeg
from tfrs_mm.schema import Modality


def run(folder, output, encoders, cache, lines, **overrides):
    """The records and the report of a catalogue of texts and pictures."""
    folder.mkdir(exist_ok=True)
    world.write_catalogue(folder, lines)
    ids = [line["item_id"] for line in lines]
    world.write_vocabularies(output, ids)
    schema = world.schema_of(len(ids), modalities=("image", "text"))
    chosen = {modality: encoders[modality] for modality in schema.modalities}
    config = world.small_config(encoders__cache_dir=str(cache) if cache else "", **overrides)
    report = media.run(folder, output, config, chosen, schema)
    return world.read_items(output, schema), report


def texts(count: int) -> list[dict[str, str]]:
    return [{"item_id": f"i{n}", "title": f"Number {n}"} for n in range(count)]


def assert_equal_items(one, other):
    assert one.keys() == other.keys()
    for row, item in one.items():
        for key, value in item.items():
            np.testing.assert_array_equal(value, other[row][key])


def test_a_second_run_embeds_what_was_added(encoders, tmp_path):
    first, report = run(tmp_path / "in", tmp_path / "1", encoders, tmp_path / "cache", texts(200))
    assert (report["embedded"]["text"], report["from cache"]["text"]) == (200, 0)
    # 1% more: 2 of 200
    second, report = run(tmp_path / "in", tmp_path / "2", encoders, tmp_path / "cache", texts(202))
    assert (report["embedded"]["text"], report["from cache"]["text"]) == (2, 200)
    assert report["present"]["text"] == 202 and report["repeated"]["text"] == 0
    plain, _ = run(tmp_path / "in", tmp_path / "3", encoders, None, texts(202))
    assert_equal_items(second, plain)
    assert_equal_items(first, {row: plain[row] for row in first})
    _, report = run(tmp_path / "in", tmp_path / "4", encoders, tmp_path / "cache", texts(202))
    assert (report["embedded"]["text"], report["from cache"]["text"]) == (0, 202)


def test_the_same_bytes_under_other_names_and_ids_are_known(encoders, tmp_path):
    (tmp_path / "in").mkdir()
    world.write_picture(tmp_path / "in" / "a.jpg", seed=1)
    lines = [{"item_id": "x", "image_path": "a.jpg"}]
    first, _ = run(tmp_path / "in", tmp_path / "1", encoders, tmp_path / "cache", lines)
    (tmp_path / "in" / "a.jpg").rename(tmp_path / "in" / "b.jpg")
    lines = [{"item_id": name, "image_path": "b.jpg"} for name in "yz"]
    second, report = run(tmp_path / "in", tmp_path / "2", encoders, tmp_path / "cache", lines)
    outcomes = {name: report[name]["image"] for name in ("embedded", "from cache", "repeated")}
    assert outcomes == {"embedded": 0, "from cache": 1, "repeated": 1}
    for row in (1, 2):
        np.testing.assert_array_equal(second[row]["image/embedding"], first[1]["image/embedding"])


def test_other_bytes_under_the_same_name_are_embedded_anew(encoders, tmp_path):
    (tmp_path / "in").mkdir()
    lines = [{"item_id": "x", "image_path": "a.jpg"}]
    for turn, level in enumerate((10, 200)):
        write_jpeg(tmp_path / "in" / "a.jpg", np.full([16, 16, 3], level, np.uint8))
        output = tmp_path / str(turn)
        items, report = run(tmp_path / "in", output, encoders, tmp_path / "cache", lines)
        assert report["embedded"]["image"] == 1
        np.testing.assert_allclose(items[1]["image/embedding"], level, atol=2)


@pytest.mark.parametrize("change", ["encoder", "decoding"])
def test_another_encoder_or_decoding_finds_nothing(export_encoder, tmp_path, change):
    import tensorflow as tf

    (tmp_path / "in").mkdir()
    world.write_picture(tmp_path / "in" / "a.jpg", seed=1)
    lines = [{"item_id": "x", "title": "X", "image_path": "a.jpg"}]
    folders = {}
    for dim in (3, 4):
        inputs = {"image": ("uint8", [None, dim, dim, 3]), "text": ("string", [None])}
        for name, (dtype, shape) in inputs.items():
            folders[name, dim] = export_encoder(
                tmp_path / f"{name}{dim}", name,
                lambda inputs: tf.zeros([tf.shape(inputs)[0], 2]), 2, dtype, shape,
            )  # fmt: skip

    def embedded(turn, dim, **overrides):
        output = tmp_path / f"out{turn}"
        world.write_catalogue(tmp_path / "in", lines)
        world.write_vocabularies(output, ["x"])
        encoders = {Modality.IMAGE: folders["image", dim].path}
        config = world.small_config(encoders__cache_dir=str(tmp_path / "cache"), **overrides)
        report = media.run(
            tmp_path / "in", output, config, encoders, schema_for(folders["image", dim])
        )
        return report["embedded"]["image"]

    assert embedded(1, 3) == 1
    assert embedded(2, 3) == 0
    if change == "encoder":
        assert embedded(3, 4) == 1
    else:
        assert embedded(3, 3, encoders__image__max_pixels=10_000) == 1
        # How many bytes a file may have is asked before, and whoever passes is the same.
        assert embedded(4, 3, encoders__image__max_bytes=10_000) == 0


def schema_for(encoder: EncoderFolder):
    from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema

    features = (
        FeatureSpec("item", Owner.ITEM, Kind.ID, 2),
        FeatureSpec(encoder.modality.value, Owner.ITEM, Kind.MEDIA, encoder.dim),
    )
    return Schema(features, 50, ((encoder.modality.value, encoder.fingerprint),))


def test_what_is_rejected_is_not_kept(encoders, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    lines = [{"item_id": "x", "image_path": "bad.jpg", "title": "X" * 60}]
    for turn in (1, 2):
        _, report = run(
            tmp_path / "in", tmp_path / str(turn), encoders, tmp_path / "cache", lines,
            encoders__text__max_bytes=50,
        )  # fmt: skip
        assert report["rejected"]["image"] == {"not a picture of a known format": 1}
        assert report["rejected"]["text"] == {"text is too large": 1}
    assert list((tmp_path / "cache").rglob("*.arrow")) == []


def test_a_limit_that_is_lowered_rejects_what_the_cache_knows(encoders, tmp_path):
    run(tmp_path / "in", tmp_path / "1", encoders, tmp_path / "cache", texts(3))
    _, report = run(
        tmp_path / "in", tmp_path / "2", encoders, tmp_path / "cache", texts(3),
        encoders__text__max_bytes=4,
    )  # fmt: skip
    assert report["rejected"]["text"] == {"text is too large": 3}
    assert report["from cache"]["text"] == 0


def test_a_damaged_file_is_told_and_its_media_embedded_anew(encoders, tmp_path):
    plain, _ = run(tmp_path / "in", tmp_path / "1", encoders, tmp_path / "cache", texts(9))
    (file,) = (tmp_path / "cache").rglob("*.arrow")
    file.write_bytes(file.read_bytes()[:-100])
    items, report = run(tmp_path / "in", tmp_path / "2", encoders, tmp_path / "cache", texts(9))
    assert_equal_items(items, plain)
    assert (report["embedded"]["text"], report["from cache"]["text"]) == (9, 0)
    assert report["cache files damaged"] == {"text": 1}
    assert world.read_rejects(tmp_path / "2") == [
        {
            "reason": "cache file is damaged", "where": str(file), "item_id": "", "modality": "text"
        }
    ]  # fmt: skip
    # What was embedded anew has taken its place: the same entries are the same file.
    _, report = run(tmp_path / "in", tmp_path / "3", encoders, tmp_path / "cache", texts(9))
    assert report["from cache"]["text"] == 9 and "cache files damaged" not in report


def test_a_job_that_dies_leaves_whole_files_and_the_next_goes_on_from_them(
    encoders, tmp_path, monkeypatch
):
    calls, run_inference = [], EncoderHandler.run_inference

    def dies(self, batch, model, inference_args=None):
        calls.append(len(batch))
        if len(calls) == 3:
            raise MemoryError("no room")
        return run_inference(self, batch, model, inference_args)

    monkeypatch.setattr(EncoderHandler, "run_inference", dies)
    monkeypatch.setattr("pipelines.cache_steps._ENTRIES_OF_A_FILE", 20)
    with pytest.raises(Exception, match="no room"):
        run(tmp_path / "in", tmp_path / "1", encoders, tmp_path / "cache", texts(300))
    monkeypatch.undo()
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert left and all(name.endswith(".arrow") and len(name) == 64 + 6 for name in left)
    # Two groups of about 64 texts passed, in whole files of 20.
    kept = sum(calls[:2]) // 20 * 20
    assert 60 <= kept < 300 and len(left) == kept // 20
    _, report = run(tmp_path / "in", tmp_path / "2", encoders, tmp_path / "cache", texts(300))
    assert report["from cache"]["text"] == kept and report["embedded"]["text"] == 300 - kept
    assert "cache files damaged" not in report


@pytest.mark.parametrize(
    "options", [["--direct_running_mode=multi_threading", "--direct_num_workers=2"]]
)
def test_several_workers_share_a_cache(encoders, tmp_path, options):
    folder = tmp_path / "in"
    folder.mkdir()
    world.write_catalogue(folder, texts(150))
    schema = world.schema_of(150, modalities=("text",))
    chosen = {Modality.TEXT: encoders[Modality.TEXT]}
    config = world.small_config(encoders__cache_dir=str(tmp_path / "cache"))
    reports = []
    for turn in (1, 2):
        world.write_vocabularies(tmp_path / str(turn), [f"i{n}" for n in range(150)])
        reports.append(media.run(folder, tmp_path / str(turn), config, chosen, schema, options))
    assert [report["embedded"]["text"] for report in reports] == [150, 0]
    assert [report["from cache"]["text"] for report in reports] == [0, 150]


def test_nothing_is_kept_where_no_cache_is_named(encoders, tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError("no cache is wanted")

    monkeypatch.setattr(embed, "KeepEntries", fail)
    run(tmp_path / "in", tmp_path / "1", encoders, None, texts(3))
    assert sorted(os.listdir(tmp_path)) == ["1", "in"]
