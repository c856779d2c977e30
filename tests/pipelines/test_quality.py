import json

import media_world as world
import numpy as np
import pytest

from pipelines import media
from pipelines.quality import QUALITY, quality_of, summary
from tfrs_mm.config import EncodersConfig
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.tfrecord import shard_name, write_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.schema import FeatureSpec, Kind, Owner, Schema


def write_items(folder, embeddings, shards: int = 2, rejects=()) -> Schema:
    """Item records with one picture's embedding each; None where an item has none."""
    dim = next((len(value) for value in embeddings if value is not None), 2)
    schema = Schema(
        (
            FeatureSpec("item", Owner.ITEM, Kind.ID, len(embeddings) + 1),
            FeatureSpec("image", Owner.ITEM, Kind.MEDIA, dim),
        ),
        50,
    )
    records = [
        ExamplesSpec(schema).item.encode(
            {
                "item": row, "item_id": f"i{row}", "title": "",
                "image/embedding": np.zeros(dim) if value is None else np.asarray(value),
                "image/present": int(value is not None),
            }
        )
        for row, value in enumerate(embeddings, start=1)
    ]  # fmt: skip
    (folder / "items").mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        part = [record for n, record in enumerate(records, start=1) if n % shards == shard]
        write_tfrecord(folder / "items" / shard_name("items", shard, shards), part)
    ids = tuple(f"i{row}" for row in range(1, len(embeddings) + 1))
    Vocabulary(ids).write(folder / "items.txt")
    (folder / "rejects.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rejects))
    return schema


def quality(folder, embeddings, rejects=(), shards=2, **settings):
    schema = write_items(folder, embeddings, shards, rejects)
    return quality_of(
        folder, folder / "items", folder / "rejects.jsonl", folder / "items.txt", schema,
        EncodersConfig(**settings),
    )  # fmt: skip


def test_norms_and_shares_are_those_of_the_items_that_have_it(tmp_path):
    found = quality(tmp_path, [[3, 4], None, [0, 1], [0, 0], None])["modalities"]["image"]
    assert (found["present"], found["share"], found["zeros"]) == (3, 0.6, 1)
    # Norms of 5, 1 and 0: sorted 0, 1, 5.
    norms = found["norms"]
    assert (norms["min"], norms["p50"], norms["max"]) == (0, 1, 5)
    assert (norms["p25"], norms["p75"]) == (0.5, 3)
    assert list(norms) == ["min", "p01", "p05", "p25", "p50", "p75", "p95", "p99", "max"]


def test_an_embedding_that_is_far_too_long_is_named(tmp_path):
    generator = np.random.default_rng(1)
    values = generator.normal(size=(200, 8))
    values[41] *= 20
    found = quality(tmp_path, list(values), outlier_z=6.0)["modalities"]["image"]["outliers"]
    assert found["items"] == 1 and found["by measure"] == {"norm": 1, "distance to the mean": 1}
    norms = np.linalg.norm(values.astype(np.float32), axis=1)
    worst = found["worst"][0]
    assert (worst["item_id"], worst["measure"]) == ("i42", "norm")
    assert worst["value"] == pytest.approx(norms[41], rel=1e-5)
    assert worst["z"] == pytest.approx((norms[41] - norms.mean()) / norms.std(), abs=0.01)


def test_a_direction_that_nobody_else_has_is_far_from_the_mean(tmp_path):
    generator = np.random.default_rng(2)
    values = generator.normal(size=(300, 8)) * 0.05 + np.eye(8)[0]
    values[9] = -np.eye(8)[0]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    found = quality(tmp_path, list(values), outlier_z=6.0)["modalities"]["image"]["outliers"]
    # All are of length 1, but for rounding: no norm is an outlier.
    assert found["by measure"] == {"norm": 0, "distance to the mean": 1}
    assert [worst["item_id"] for worst in found["worst"]] == ["i10"]


def test_at_most_ten_of_a_measure_are_named_the_worst_first(tmp_path):
    values = np.ones([400, 2]) + np.random.default_rng(3).normal(size=(400, 2)) * 0.01
    values[:15] *= np.arange(30, 15, -1)[:, None]
    found = quality(tmp_path, list(values), outlier_z=2.0)["modalities"]["image"]["outliers"]
    norms = [worst for worst in found["worst"] if worst["measure"] == "norm"]
    assert [worst["item_id"] for worst in norms] == [f"i{n}" for n in range(1, 11)]


def test_near_duplicates_are_grouped_the_largest_first(tmp_path):
    axes = np.eye(4)
    values = [axes[0], axes[1], axes[2], 2 * axes[1], axes[1] + 0.01 * axes[3], None, axes[0]]
    found = quality(tmp_path, values)["modalities"]["image"]["near duplicates"]
    assert (found["items"], found["groups"], found["method"]) == (5, 2, "all pairs")
    assert found["largest"] == [
        {"items": 3, "item_ids": ["i2", "i4", "i5"]}, {"items": 2, "item_ids": ["i1", "i7"]}
    ]  # fmt: skip


def test_the_limits_are_the_settings(tmp_path):
    values = [[1, 0], [1, 0.3], [0, 1]]  # cos = 1 / sqrt(1.09) = 0.958
    strict = quality(tmp_path / "1", values)
    assert strict["near_duplicate_cosine"] == 0.98 and strict["outlier_z"] == 4.0
    assert strict["modalities"]["image"]["near duplicates"]["items"] == 0
    loose = quality(
        tmp_path / "2", values, near_duplicate_cosine=0.95, exact_near_duplicates=2
    )["modalities"]["image"]["near duplicates"]  # fmt: skip
    assert (loose["items"], loose["method"]) == (2, "random hyperplanes")
    assert loose["recall on a sample"] == 1.0


def test_rejects_are_told_by_how_often_they_came(tmp_path):
    rejects = [
        {"reason": reason, "where": f"{n}.jpg", "item_id": f"i{n}", "modality": "image"}
        for n, reason in enumerate(["file is empty"] + 7 * ["file does not exist"])
    ]
    found = quality(tmp_path, [[1, 2]], rejects)["modalities"]["image"]["rejects"]
    assert [(entry["reason"], entry["count"]) for entry in found] == [
        ("file does not exist", 7), ("file is empty", 1)
    ]  # fmt: skip
    assert len(found[0]["examples"]) == 5
    assert found[1]["examples"] == [{"item_id": "i0", "where": "0.jpg"}]


def test_the_number_of_shards_makes_no_difference(tmp_path):
    values = list(np.random.default_rng(4).normal(size=(50, 4)))
    one, three = (quality(tmp_path / str(n), values, shards=n) for n in (1, 3))
    assert one == three


def test_blocks_make_no_difference(tmp_path, monkeypatch):
    values = list(np.random.default_rng(5).normal(size=(50, 4)))
    whole = quality(tmp_path / "1", values)
    monkeypatch.setattr("pipelines.item_embeddings._ROWS_OF_A_BLOCK", 7)
    monkeypatch.setattr("pipelines.item_embeddings._RECORDS_AT_ONCE", 3)
    monkeypatch.setattr("pipelines.near_duplicates._BLOCK", 5)
    assert quality(tmp_path / "2", values) == whole


def test_nothing_is_left_behind(tmp_path):
    quality(tmp_path, [[1, 2], [3, 4]])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_nobody_has_the_modality(tmp_path):
    found = quality(tmp_path, [None, None])["modalities"]["image"]
    assert (found["present"], found["share"], found["norms"]) == (0, 0.0, {})
    assert found["outliers"]["items"] == found["near duplicates"]["groups"] == 0


def test_the_job_writes_it_and_sums_it_up(encoders, shop, tmp_path):
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    report = media.run(shop, tmp_path, world.small_config(), encoders, world.SCHEMA)
    found = json.loads((tmp_path / "items" / QUALITY).read_text())
    assert list(found["modalities"]) == ["image", "text", "audio", "video"]
    assert {name: part["present"] for name, part in found["modalities"].items()} == report[
        "present"
    ]
    assert report["quality"] == summary(found)
    # "Title 7" and "Title 8" are of one length with as many capitals: the fake texts are equal.
    assert report["quality"]["text"]["near duplicates"] == 23
