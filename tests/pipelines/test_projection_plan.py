import numpy as np
import pytest

from pipelines.projection_plan import plans_of, schema_as_written, schema_of_plans
from tfrs_mm.config import Config
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.projection import AffineStep, Projection
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema


def sources_in(folder, **dims):
    return {
        Modality(name): EncoderFolder(
            str(folder / name), "fake", Modality(name), dim, "small", "uint8", (None, 8, 8, 3), "0"
        )
        for name, dim in dims.items()
    }


def encoders(**values):
    changes = {f"encoders.{key.replace('__', '.')}": value for key, value in values.items()}
    return Config().with_overrides(changes).encoders


def schema_of(sources):
    features = [FeatureSpec(m.value, Owner.ITEM, Kind.MEDIA, s.dim) for m, s in sources.items()]
    prints = tuple((m.value, s.fingerprint) for m, s in sources.items())
    return Schema((FeatureSpec("item", Owner.ITEM, Kind.ID, 9), *features), 50, prints)


def store(folder, source, *steps):
    (folder / source.modality.value).mkdir(parents=True, exist_ok=True)
    projection = Projection(source.modality, source.fingerprint, steps)
    projection.write(folder / source.modality.value / "projection.npz")
    return projection


def pca(size, dim):
    return AffineStep("pca", np.zeros(size), np.ones([size, dim]), np.ones(dim), 9, {})


def test_by_default_nothing_is_projected(tmp_path):
    sources = sources_in(tmp_path, image=6, text=4)
    assert plans_of(encoders(), sources) == {}
    schema = schema_of(sources)
    assert schema_of_plans(schema, {}) is schema
    assert schema_as_written(schema, tmp_path) is schema


def test_dimensions_are_those_of_the_last_step(tmp_path):
    sources = sources_in(tmp_path, image=6, text=4, audio=5, video=6)
    settings = encoders(image__pca_dim=3, cca=["text=image"], cca_dim=2, audio__pca_dim=4)
    plans = plans_of(settings, sources)
    assert {m.value: plan.dim for m, plan in plans.items()} == {"image": 2, "text": 2, "audio": 4}
    assert plans[Modality.IMAGE].partner is Modality.TEXT
    assert plans[Modality.TEXT].reduced_dim == 4
    sizes = {f.name: f.size for f in schema_of_plans(schema_of(sources), plans).features}
    assert sizes == {"item": 9, "image": 2, "text": 2, "audio": 4, "video": 6}


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"image__pca_dim": 7}, r"image\.pca_dim is 7, but the embeddings of image have 6"),
        ({"cca": ["image=text"], "cca_dim": 5}, r"cca_dim is 5, but the embeddings of text have 4"),
        (
            {"cca": ["image=text"], "cca_dim": 3, "image__pca_dim": 2},
            r"cca_dim is 3, but the embeddings of image have 2",
        ),
        ({"cca": ["image=audio"]}, r"encoders\.cca names audio, but the catalogue gives no"),
    ],
)
def test_more_dimensions_than_there_are_and_absent_modalities_are_refused(tmp_path, values, fault):
    with pytest.raises(UserError, match=fault):
        plans_of(encoders(**values), sources_in(tmp_path, image=6, text=4))


@pytest.mark.parametrize("values", [{}, {"image__pca_dim": 3}])
def test_a_stored_projection_is_taken_as_it_is(tmp_path, values):
    sources = sources_in(tmp_path, image=6, text=4)
    projection = store(tmp_path, sources[Modality.IMAGE], pca(6, 3))
    plans = plans_of(encoders(**values), sources)
    assert list(plans) == [Modality.IMAGE]
    assert plans[Modality.IMAGE].dim == 3
    assert plans[Modality.IMAGE].stored.fingerprint == projection.fingerprint


def test_a_stored_projection_of_something_else_is_refused(tmp_path):
    sources = sources_in(tmp_path, image=6, text=4)
    store(tmp_path, sources[Modality.IMAGE], pca(6, 3))
    with pytest.raises(UserError, match=r"asks for the steps pca to 2 of image, but .* pca to 3"):
        plans_of(encoders(image__pca_dim=2), sources)
    with pytest.raises(UserError, match=r"image, but .* holds pca to 3"):
        plans_of(encoders(cca=["text=image"], image__pca_dim=3, cca_dim=2), sources)
    cca = AffineStep("cca", np.zeros(6), np.ones([6, 2]), np.ones(2), 9, {"with": "text"})
    store(tmp_path, sources[Modality.IMAGE], cca)
    with pytest.raises(UserError, match="only the encoder of image has a projection"):
        plans_of(encoders(cca=["text=image"], cca_dim=2), sources)
    other = sources_in(tmp_path, image=8)
    with pytest.raises(UserError, match="was fitted to the encoder"):
        plans_of(encoders(), other)


def test_the_schema_of_the_records_tells_projections_apart(tmp_path):
    sources = sources_in(tmp_path / "encoders", image=6, text=4)
    schema = schema_of(sources)
    projection = store(tmp_path / "encoders", sources[Modality.IMAGE], pca(6, 3))
    written = schema_as_written(schema, tmp_path)
    assert (written.feature("image").size, written.feature("text").size) == (3, 4)
    assert dict(written.encoders) == {
        "image": projection.embedding_fingerprint, "text": sources[Modality.TEXT].fingerprint
    }  # fmt: skip
    assert written.fingerprint() != schema.fingerprint()
