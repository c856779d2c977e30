"""The media job over embeddings that the user has already."""

import media_world as world
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import media
from pipelines.given import describe_given
from pipelines.media_inputs import encoders_in, item_schema
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality


def run(tmp_path, modality, options=(), ids="abcde", described=None, **settings):
    """The records, the report and the rejects; `tmp_path / "in"` holds the catalogue."""
    name = modality.value
    overrides = {f"encoders__{name}__{key}": value for key, value in settings.items()}
    config = world.small_config(**overrides, **{f"encoders__{name}__kind": "given"})
    source = getattr(config.encoders, name)
    if described is None:
        described = tmp_path / "encoders"
        describe_given(modality, source, tmp_path / "in", config.data, described / name)
    output = tmp_path / "out"
    world.write_vocabularies(output, list(ids))
    sources = encoders_in(described)
    schema = item_schema(output / "vocabulary", config, sources)
    report = media.run(
        tmp_path / "in", output, config, {m: s.path for m, s in sources.items()}, schema, options
    )
    return world.read_items(output, schema), report, world.read_rejects(output)


@pytest.fixture
def catalogue(tmp_path):
    """Five items, a to e."""
    (tmp_path / "in").mkdir()
    world.write_catalogue(tmp_path / "in", [{"item_id": name, "title": name} for name in "abcde"])
    return tmp_path / "in"


WITH_FAULTS = {
    "item_id": ["zz", "b", "a", "c", "b", "d", None, "zz"],
    "embedding": [[9, 9], [3, 4], [1, 2], [1, 2, 3], [7, 7], [1, np.inf], [5, 5], [1, 2, 3]],
}


@pytest.mark.parametrize(
    "options", [[], ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]]
)
@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.TEXT])
def test_each_item_gets_its_own_and_each_fault_is_told(catalogue, tmp_path, modality, options):
    pq.write_table(pa.table(WITH_FAULTS), catalogue / "v.parquet")
    items, report, rejects = run(tmp_path, modality, options, file="v.parquet")
    name = modality.value
    found = {row: item[f"{name}/embedding"].tolist() for row, item in items.items()}
    assert found == {1: [1, 2], 2: [3, 4], 3: [0, 0], 4: [0, 0], 5: [0, 0]}
    assert [bool(item[f"{name}/present"]) for _, item in sorted(items.items())] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert (report["present"], report["missing"]) == ({name: 2}, {name: 1})  # a and b; e
    assert report["rejected"] == {
        name: {"embedding has another length": 1, "embedding is not finite": 1}
    }
    assert report["given for unknown items"] == {name: 3}  # zz twice, and the row without an id
    assert report["given again"] == {name: 1}
    assert [(reject["item_id"], reject["where"], reject["reason"]) for reject in rejects] == [
        ("c", "v.parquet:4", "embedding has another length"),
        ("d", "v.parquet:6", "embedding is not finite"),
        ("b", "v.parquet:5", "item_id is repeated"),
    ]


def test_an_array_with_ids_is_taken_too(catalogue, tmp_path):
    (catalogue / "vectors").mkdir()
    np.save(catalogue / "vectors" / "v.npy", np.array([[1, 2, 3], [4, 5, 6]], np.float64))
    (catalogue / "vectors" / "v.ids.txt").write_text("e\nc\n")
    items, report, rejects = run(tmp_path, Modality.VIDEO, file="vectors/v.npy")
    assert items[3]["video/embedding"].tolist() == [4, 5, 6]
    assert items[5]["video/embedding"].tolist() == [1, 2, 3]
    assert (report["present"], report["missing"], rejects) == ({"video": 2}, {"video": 3}, [])


def test_a_column_of_the_catalogue_is_taken_too(tmp_path):
    (tmp_path / "in").mkdir()
    cells = {"a": "[1, 2]", "b": "3|4", "c": "", "d": "[1, 2, 3]", "e": "[1, two]", "x": "[5, 6]"}
    lines = [{"item_id": name, "v": cell} for name, cell in cells.items()]
    world.write_catalogue(tmp_path / "in", lines)
    items, report, rejects = run(tmp_path, Modality.AUDIO, column="v")
    assert items[1]["audio/embedding"].tolist() == [1, 2]
    assert items[2]["audio/embedding"].tolist() == [3, 4]
    assert report["present"] == {"audio": 2} and report["missing"] == {"audio": 1}
    assert report["items not in the vocabulary"] == 1
    assert {(reject["item_id"], reject["where"], reject["reason"]) for reject in rejects} == {
        ("d", "v", "embedding has another length"), ("e", "v", "embedding is no list of numbers")
    }  # fmt: skip


def test_a_column_of_a_parquet_catalogue_holds_lists(tmp_path):
    (tmp_path / "in").mkdir()
    values = [[1.5, 2], [3, 4], None, [0.1, -2], [5, 6]]
    table = pa.table({"item_id": list("abcde"), "v": pa.array(values, pa.list_(pa.float32()))})
    pq.write_table(table, tmp_path / "in" / "items.parquet")
    config = world.small_config(
        data__items="items.parquet", encoders__image__kind="given", encoders__image__column="v"
    )
    describe_given(
        Modality.IMAGE, config.encoders.image, tmp_path / "in", config.data,
        tmp_path / "encoders" / "image",
    )  # fmt: skip
    world.write_vocabularies(tmp_path / "out", list("abcde"))
    sources = encoders_in(tmp_path / "encoders")
    schema = item_schema(tmp_path / "out" / "vocabulary", config, sources)
    encoders = {m: s.path for m, s in sources.items()}
    report = media.run(tmp_path / "in", tmp_path / "out", config, encoders, schema)
    items = world.read_items(tmp_path / "out", schema)
    np.testing.assert_array_equal(items[4]["image/embedding"], np.array([0.1, -2], np.float32))
    assert report["present"] == {"image": 4} and report["missing"] == {"image": 1}


def test_given_and_made_embeddings_stand_beside_each_other(catalogue, encoders, tmp_path):
    np.savez(catalogue / "v.npz", item_ids=np.array(list("ab")), embeddings=np.eye(2))
    folders = tmp_path / "encoders"
    folders.mkdir()
    (folders / "text").symlink_to(encoders[Modality.TEXT])
    settings = world.small_config(
        encoders__image__kind="given", encoders__image__file="v.npz"
    ).encoders.image
    describe_given(
        Modality.IMAGE, settings, catalogue, world.small_config().data, folders / "image"
    )
    items, report, _ = run(tmp_path, Modality.IMAGE, described=folders, file="v.npz")
    assert report["present"] == {"image": 2, "text": 5}
    assert report["embedded"] == {"image": 0, "text": 5}
    assert items[2]["image/embedding"].tolist() == [0, 1]
    assert items[2]["text/embedding"].tolist() == [1, 0]  # "b" has one letter and no capital


def test_embeddings_that_have_changed_since_stop_the_job_before_it_writes(catalogue, tmp_path):
    np.savez(catalogue / "v.npz", item_ids=np.array(list("ab")), embeddings=np.eye(2))
    settings = world.small_config(
        encoders__image__kind="given", encoders__image__file="v.npz"
    ).encoders.image
    data = world.small_config().data
    describe_given(Modality.IMAGE, settings, catalogue, data, tmp_path / "encoders" / "image")
    np.savez(catalogue / "v.npz", item_ids=np.array(list("ab")), embeddings=2 * np.eye(2))
    with pytest.raises(UserError, match="made from other embeddings"):
        run(tmp_path, Modality.IMAGE, described=tmp_path / "encoders", file="v.npz")
    assert not (tmp_path / "out" / "items").exists()
