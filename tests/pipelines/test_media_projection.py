"""Projections from the embeddings of a job to its records and back."""

import json
import pathlib
import shutil

import media_world as world
import numpy as np
import pytest

from pipelines import media
from pipelines.given import describe_given
from pipelines.projection_plan import schema_as_written
from tfrs_mm.artefacts import fingerprint_file
from tfrs_mm.data.tfrecord import find_shards
from tfrs_mm.errors import UserError
from tfrs_mm.projection import Projection
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema

NUM_ITEMS, IMAGE_DIM, TEXT_DIM = 60, 6, 4


def schema_of(sources) -> Schema:
    features = [FeatureSpec(m.value, Owner.ITEM, Kind.MEDIA, s.dim) for m, s in sources.items()]
    prints = tuple((m.value, s.fingerprint) for m, s in sources.items())
    return Schema((FeatureSpec("item", Owner.ITEM, Kind.ID, NUM_ITEMS + 1), *features), 50, prints)


class Catalogue:
    """Items with given embeddings of two modalities that share two numbers; some lack one."""

    def __init__(self, folder: pathlib.Path, has=None, turned: bool = False) -> None:
        generator = np.random.default_rng(7)
        shared = generator.normal(size=(NUM_ITEMS, 2))
        values = {
            "image": np.hstack([shared, generator.normal(size=(NUM_ITEMS, 4))]),
            "text": np.hstack([shared, generator.normal(size=(NUM_ITEMS, 2))]),
        }
        self.values = {
            name: (array @ generator.normal(size=(array.shape[1],) * 2) + 2).astype(np.float32)
            for name, array in values.items()
        }
        places = np.arange(NUM_ITEMS)
        self.has = has or {"image": places % 5 != 0, "text": places % 7 != 1}
        self.ids = [f"i{n}" for n in places]
        self.folder = folder / "in"
        self.folder.mkdir()
        world.write_catalogue(self.folder, [{"item_id": item_id} for item_id in self.ids])
        self.sources = {}
        for name, present in self.has.items():
            order = np.flatnonzero(present)[:: -1 if turned else 1]
            np.savez(
                self.folder / f"{name}.npz",
                item_ids=np.array(self.ids)[order], embeddings=self.values[name][order],
            )  # fmt: skip
            settings = world.small_config(
                **{f"encoders__{name}__kind": "given", f"encoders__{name}__file": f"{name}.npz"}
            )
            chosen = getattr(settings.encoders, name)
            self.sources[Modality(name)] = describe_given(
                Modality(name), chosen, self.folder, settings.data, folder / "given" / name
            )

    def run(self, output: pathlib.Path, options=(), sources=None, **overrides):
        """The records by row, the report, and their schema."""
        world.write_vocabularies(output, self.ids)
        encoders = sources or {m: source.path for m, source in self.sources.items()}
        schema = schema_of(self.sources)
        config = world.small_config(**overrides)
        report = media.run(self.folder, output, config, encoders, schema, options)
        written = schema_as_written(schema, output)
        return world.read_items(output, written), report, written


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return Catalogue(tmp_path_factory.mktemp("given"))


BOTH = {
    "encoders__image__pca_dim": 6, "encoders__cca": ["image=text"], "encoders__cca_dim": 2,
    "encoders__cca_ridge": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(catalogue, tmp_path_factory):
    output = tmp_path_factory.mktemp("projected")
    return (output, *catalogue.run(output, **BOTH))


def principal(rows: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean, and `[size, dim]` whitening, of the whole matrix."""
    mean = rows.mean(axis=0)
    _, values, axes = np.linalg.svd(rows - mean, full_matrices=False)
    axes = axes[:dim] * np.sign(axes[np.arange(dim), np.abs(axes[:dim]).argmax(axis=1)])[:, None]
    return mean, axes.T / (values[:dim] / np.sqrt(len(rows)))


def test_whitened_embeddings_are_those_of_the_whole_matrix(catalogue, tmp_path):
    items, report, schema = catalogue.run(
        tmp_path, encoders__image__pca_dim=3, encoders__image__pca_epsilon=0.0
    )
    assert (schema.feature("image").size, schema.feature("text").size) == (3, TEXT_DIM)
    rows = catalogue.values["image"].astype(np.float64)
    mean, matrix = principal(rows[catalogue.has["image"]], 3)
    for row, item in items.items():
        has = catalogue.has["image"][row - 1]
        assert bool(item["image/present"]) is bool(has)
        expected = (rows[row - 1] - mean) @ matrix if has else np.zeros(3)
        np.testing.assert_allclose(item["image/embedding"], expected, atol=1e-5)
        if catalogue.has["text"][row - 1]:  # not asked for
            np.testing.assert_array_equal(item["text/embedding"], catalogue.values["text"][row - 1])
    assert list(report["projections"]) == ["image"]
    (step,) = report["projections"]["image"]
    assert (step["kind"], step["items"], step["components"]) == ("pca", 48, 3)  # 60 - 60 / 5
    assert not (tmp_path / "encoders" / "text").exists()


def test_both_modalities_come_into_one_space(catalogue, finished):
    _, items, report, schema = finished
    assert (schema.feature("image").size, schema.feature("text").size) == (2, 2)
    has_both = catalogue.has["image"] & catalogue.has["text"]
    images, texts = (
        np.stack([items[row][f"{name}/embedding"] for row in np.flatnonzero(has_both) + 1])
        for name in ("image", "text")
    )
    # Of the same two numbers, hence the same but for what rounding does.
    np.testing.assert_allclose(images, texts, atol=1e-2)
    np.testing.assert_allclose(np.cov(images, rowvar=False, bias=True), np.eye(2), atol=1e-3)
    kinds = {n: [step["kind"] for step in steps] for n, steps in report["projections"].items()}
    assert kinds == {"image": ["pca", "cca"], "text": ["cca"]}
    assert report["projections"]["text"][0]["items"] == has_both.sum()
    assert report["projections"]["text"][0]["strengths"][:2] == pytest.approx([1, 1], abs=1e-2)
    # sqrt(a (1 - b)) + sqrt(b (1 - a)) of six and four dimensions
    first, second = 6 / has_both.sum(), 4 / has_both.sum()
    by_chance = (first * (1 - second)) ** 0.5 + (second * (1 - first)) ** 0.5
    line = report["projections"]["image"][1]
    assert line["largest by chance"] == pytest.approx(by_chance, abs=1e-4)


def test_an_item_that_lacks_one_modality_has_the_other_one_projected(catalogue, finished):
    output, items, _, _ = finished
    for name, other in (("image", "text"), ("text", "image")):
        projection = Projection.read(output / "encoders" / name / "projection.npz")
        alone = np.flatnonzero(catalogue.has[name] & ~catalogue.has[other])
        assert len(alone)
        for place in alone:
            expected = projection.apply(catalogue.values[name][place])
            assert items[place + 1][f"{name}/embedding"].tobytes() == expected.tobytes()
            assert not items[place + 1][f"{other}/embedding"].any()


def test_the_report_of_quality_is_that_of_what_is_written(finished):
    output, items, _, _ = finished
    found = json.loads((output / "items" / "quality.json").read_text())["modalities"]["image"]
    norms = [np.linalg.norm(i["image/embedding"]) for i in items.values() if i["image/present"]]
    assert found["norms"]["max"] == pytest.approx(max(norms), abs=1e-5)
    assert found["present"] == 48


@pytest.mark.parametrize(
    "options",
    [
        ["--direct_running_mode=multi_threading", "--direct_num_workers=3"],
        pytest.param(
            ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["threads", "processes"],
)
def test_other_workers_and_another_order_write_the_same_bytes(finished, tmp_path, options):
    turned = Catalogue(tmp_path, turned=True)
    # The given embeddings are others to the schema, as their file is; what is made of them is not.
    turned.run(tmp_path / "out", options, **BOTH)
    for name in ("image", "text"):
        found, expected = (
            Projection.read(output / "encoders" / name / "projection.npz")
            for output in (tmp_path / "out", finished[0])
        )
        for step, twin in zip(found.steps, expected.steps, strict=True):
            assert step.matrix.tobytes() == twin.matrix.tobytes()
            assert step.mean.tobytes() == twin.mean.tobytes()
    for path in find_shards(tmp_path / "out" / "items", "items"):
        assert fingerprint_file(path) == fingerprint_file(
            finished[0] / "items" / pathlib.Path(path).name
        )


def test_a_projection_that_lies_with_the_encoder_is_applied_as_it_is(catalogue, finished, tmp_path):
    output, items, _, schema = finished
    sources = {}
    for modality, source in catalogue.sources.items():
        sources[modality] = shutil.copytree(source.path, tmp_path / "mine" / modality.value)
        stored = output / "encoders" / modality.value / "projection.npz"
        shutil.copy(stored, sources[modality])
    again, _, written = catalogue.run(tmp_path / "out", sources=sources)
    assert written == schema
    for row, item in items.items():
        for key in ("image/embedding", "text/embedding"):
            assert again[row][key].tobytes() == item[key].tobytes()


def test_two_modalities_that_no_item_has_both_of_are_refused(tmp_path):
    first = np.arange(NUM_ITEMS) < NUM_ITEMS // 2
    catalogue = Catalogue(tmp_path, has={"image": first, "text": ~first})
    with pytest.raises(UserError, match="but 0 items have both"):
        catalogue.run(tmp_path / "out", encoders__cca=["image=text"], encoders__cca_dim=2)


def test_the_cache_keeps_what_the_encoder_made(encoders, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    world.write_catalogue(folder, [{"item_id": f"i{n}", "title": "x" * n} for n in range(1, 10)])
    schema = world.schema_of(9, modalities=("text",))
    chosen = {Modality.TEXT: encoders[Modality.TEXT]}
    reports, read = [], []
    for turn, dim in enumerate((1, 0)):
        output = tmp_path / str(turn)
        world.write_vocabularies(output, [f"i{n}" for n in range(1, 10)])
        config = world.small_config(
            encoders__cache_dir=str(tmp_path / "cache"), encoders__text__pca_dim=dim
        )
        reports.append(media.run(folder, output, config, chosen, schema))
        read.append(world.read_items(output, schema_as_written(schema, output)))
    assert reports[1]["from cache"] == {"text": 9}
    # Lengths 1 to 9: mean 5, variance 60 / 9.
    assert read[0][9]["text/embedding"] == pytest.approx(4 / (60 / 9) ** 0.5, rel=1e-4)
    assert read[1][9]["text/embedding"].tolist() == [9, 0]


def test_a_modality_that_nobody_has_is_no_fault(encoders, tmp_path):
    lines = [{"item_id": "a", "title": ""}, {"item_id": "b", "title": ""}]
    folder = tmp_path / "in"
    folder.mkdir()
    world.write_catalogue(folder, lines)
    world.write_vocabularies(tmp_path / "out", ["a", "b"])
    schema = world.schema_of(2, modalities=("text",))
    chosen = {Modality.TEXT: encoders[Modality.TEXT]}
    config = world.small_config(encoders__text__pca_dim=2)
    report = media.run(folder, tmp_path / "out", config, chosen, schema)
    assert report["projections"]["text"][0]["items"] == 0
    assert report["present"] == {"text": 0}
