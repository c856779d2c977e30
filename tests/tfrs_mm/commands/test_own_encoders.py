"""Encoders and embeddings that the user brings, from the configuration to the data folder."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from pipelines.describe_encoder import describe_encoder
from pipelines.given import GivenEmbeddings
from pipelines.projection_plan import plans_of
from tfrs_mm.commands.data_sources import sources
from tfrs_mm.commands.encoders import prepare_encoders
from tfrs_mm.commands.preprocess import preprocess
from tfrs_mm.config import Config
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.tfrecord import find_shards, read_tfrecord
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.encoders import export_projected
from tfrs_mm.errors import UserError
from tfrs_mm.projection import AffineStep, Projection
from tfrs_mm.schema import Modality, Schema


class TextsOnly:
    """Stands for a catalogue's sample that has texts and nothing else."""

    def has(self, modality):
        return modality is Modality.TEXT


def config(**values):
    none = {f"encoders.{name}.kind": "none" for name in ("image", "text", "audio", "video")}
    return Config().with_overrides(
        none | {f"encoders.{key.replace('__', '.')}": value for key, value in values.items()}
    )


@pytest.fixture(scope="module")
def lengths(tmp_path_factory):
    """A described encoder of texts: how long they are, and twice that."""
    folder = tmp_path_factory.mktemp("mine") / "lengths"
    module = tf.Module()
    module.steps = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def serve(inputs):
        length = tf.cast(tf.strings.length(inputs), tf.float32)
        return {"embedding": length[:, None] * module.steps}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    describe_encoder(folder, Modality.TEXT, "lengths")
    return folder


def prepared(tmp_path, chosen, sample=None):
    return prepare_encoders(
        chosen, tmp_path / "weights", tmp_path / "encoders", sample or TextsOnly(), tmp_path
    )


def test_a_saved_model_is_copied_into_the_data_folder(lengths, tmp_path):
    folders, notes = prepared(tmp_path, config(text__kind="saved_model", text__file=str(lengths)))
    assert folders == {Modality.TEXT: tmp_path / "encoders" / "text"}
    copied = EncoderFolder.read(folders[Modality.TEXT])
    assert copied.fingerprint == EncoderFolder.read(lengths).fingerprint
    assert f"text: saved model lengths from {lengths}" in notes
    served = tf.saved_model.load(copied.path).signatures["serving_default"]
    np.testing.assert_array_equal(served(inputs=tf.constant(["sea"]))["embedding"], [[3, 6]])


def test_a_saved_model_of_another_modality_is_refused(lengths, tmp_path):
    class Pictures:
        def has(self, modality):
            return modality is Modality.IMAGE

    chosen = config(image__kind="saved_model", image__file=str(lengths))
    with pytest.raises(UserError, match=r"encoders\.image\.file must be an encoder of image"):
        prepared(tmp_path, chosen, Pictures())
    assert not (tmp_path / "encoders").exists()


def test_a_saved_model_without_a_description_is_refused(lengths, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(lengths, bare)
    (bare / "encoder.json").unlink()
    chosen = config(text__kind="saved_model", text__file=str(bare))
    with pytest.raises(UserError, match=r"python -m pipelines\.describe_encoder"):
        prepared(tmp_path, chosen)


def test_given_embeddings_need_no_medium_in_the_catalogue(tmp_path):
    np.savez(tmp_path / "v.npz", item_ids=np.array(["a"]), embeddings=np.ones([1, 5]))
    folders, notes = prepared(tmp_path, config(audio__kind="given", audio__file="v.npz"))
    assert GivenEmbeddings.read(folders[Modality.AUDIO]).dim == 5
    assert "audio: given embeddings of 5 dimensions from v.npz" in notes


def test_the_data_folder_knows_what_it_was_made_from(lengths, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "items.csv").write_text("item_id\na\n")
    save = lambda value: np.savez(  # noqa: E731
        tmp_path / "in" / "v.npz", item_ids=np.array(["a"]), embeddings=np.full([1, 5], value)
    )
    save(1.0)
    shutil.copytree(lengths, tmp_path / "mine")
    chosen = config(
        image__kind="given", image__file="v.npz", text__kind="saved_model",
        text__file=str(tmp_path / "mine"),
    )  # fmt: skip
    first = sources(tmp_path / "in", chosen, tmp_path / "weights")
    assert sources(tmp_path / "in", chosen, tmp_path / "weights") == first
    elsewhere = chosen.with_overrides({"encoders.cache_dir": str(tmp_path / "cache")})
    assert sources(tmp_path / "in", elsewhere, tmp_path / "weights") == first
    save(2.0)  # of the same size
    second = sources(tmp_path / "in", chosen, tmp_path / "weights")
    assert second != first
    described = json.loads((tmp_path / "mine" / "encoder.json").read_text())
    (tmp_path / "mine" / "encoder.json").write_text(json.dumps(described | {"dim": 7}))
    assert sources(tmp_path / "in", chosen, tmp_path / "weights") != second


def write_input(folder):
    """Eight items with a title of as many letters, given pictures, and some events."""
    folder.mkdir()
    ids = [f"i{n}" for n in range(1, 9)]
    (folder / "items.csv").write_text(
        "item_id,title\n" + "".join(f"{name},{'x' * n}\n" for n, name in enumerate(ids, start=1))
    )
    events = [(f"u{user}", ids[(user + step) % 8], step) for user in range(4) for step in range(5)]
    (folder / "interactions.csv").write_text(
        "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in events)
    )
    given = np.arange(24, dtype=np.float32).reshape(8, 3)
    given[:, 1] **= 2
    np.savez(folder / "v.npz", item_ids=np.array(ids), embeddings=given)
    return given


def read_embeddings(data, schema):
    """`{item id: {modality: embedding}}` of all records."""
    paths = find_shards(data / "items", "items")
    records = [record for path in paths for record in read_tfrecord(path)]
    items = ExamplesSpec(schema).item.parse(tf.constant(records))
    columns = {m: items[m.embedding_key].numpy() for m in schema.modalities}
    return {
        item_id.decode(): {modality: column[place] for modality, column in columns.items()}
        for place, item_id in enumerate(items["item_id"].numpy())
    }


def test_both_are_carried_into_the_item_records(lengths, tmp_path):
    folder = tmp_path / "in"
    given = write_input(folder)
    chosen = config(
        image__kind="given", image__file="v.npz", text__kind="saved_model", text__file=str(lengths)
    )
    said = []
    preprocess(folder, tmp_path / "data", chosen, tmp_path / "weights", say=said.append)
    schema = Schema.read(tmp_path / "data" / "schema.json")
    assert schema.modalities == (Modality.IMAGE, Modality.TEXT)
    assert dict(schema.encoders) == {
        "image": GivenEmbeddings.read(tmp_path / "data" / "encoders" / "image").fingerprint,
        "text": EncoderFolder.read(lengths).fingerprint,
    }
    for item_id, embeddings in read_embeddings(tmp_path / "data", schema).items():
        n = int(item_id[1:])
        np.testing.assert_array_equal(embeddings[Modality.IMAGE], given[n - 1])
        np.testing.assert_array_equal(embeddings[Modality.TEXT], [n, 2 * n])


def test_projected_embeddings_have_their_own_schema(lengths, tmp_path):
    given = write_input(tmp_path / "in")
    chosen = config(
        image__kind="given", image__file="v.npz", image__pca_dim=2, text__kind="saved_model",
        text__file=str(lengths), cca=["image=text"], cca_dim=1,
    )  # fmt: skip
    said = preprocess(
        tmp_path / "in", tmp_path / "data", chosen, tmp_path / "weights", say=lambda line: None
    )
    assert [step["kind"] for step in said["media"]["projections"]["image"]] == ["pca", "cca"]
    schema = Schema.read(tmp_path / "data" / "schema.json")
    assert [schema.feature(name).size for name in ("image", "text")] == [1, 1]
    projections = {
        modality: Projection.read(
            tmp_path / "data" / "encoders" / modality.value / "projection.npz"
        )
        for modality in schema.modalities
    }
    assert dict(schema.encoders) == {
        modality.value: projection.embedding_fingerprint
        for modality, projection in projections.items()
    }
    # A server that gets the encoder and its projection makes the embedding of the record.
    served = export_projected(tmp_path / "data" / "encoders" / "text", tmp_path / "served")
    embed = tf.saved_model.load(served.path).signatures["serving_default"]
    for item_id, embeddings in read_embeddings(tmp_path / "data", schema).items():
        n = int(item_id[1:])
        picture = projections[Modality.IMAGE].apply(given[n - 1])
        np.testing.assert_array_equal(embeddings[Modality.IMAGE], picture)
        text = embed(inputs=tf.constant(["x" * n]))["embedding"][0]
        np.testing.assert_allclose(embeddings[Modality.TEXT], text, atol=1e-6)


def test_an_encoder_is_taken_over_with_its_projection(lengths, tmp_path):
    shutil.copytree(lengths, tmp_path / "mine")
    fingerprint = EncoderFolder.read(lengths).fingerprint
    step = AffineStep("pca", np.zeros(2), np.ones([2, 1]), np.ones(1), 9, {})
    written = Projection(Modality.TEXT, fingerprint, (step,))
    written.write(tmp_path / "mine" / "projection.npz")
    chosen = config(text__kind="saved_model", text__file=str(tmp_path / "mine"))
    (tmp_path / "items.csv").write_text("item_id\na\n")
    before = sources(tmp_path, chosen, tmp_path / "weights")
    folders, _ = prepared(tmp_path, chosen)
    plans = plans_of(chosen.encoders, {Modality.TEXT: EncoderFolder.read(folders[Modality.TEXT])})
    assert plans[Modality.TEXT].stored.fingerprint == written.fingerprint
    other = dataclasses.replace(step, matrix=np.zeros([2, 1]))
    Projection(Modality.TEXT, fingerprint, (other,)).write(tmp_path / "mine" / "projection.npz")
    assert sources(tmp_path, chosen, tmp_path / "weights") != before


def test_weights_of_a_backbone_are_what_the_data_folder_was_made_from(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "items.csv").write_text("item_id\na\n")
    chosen = config(image__kind="keras_cv", image__file=str(tmp_path / "preset"))
    (tmp_path / "preset").mkdir()
    seen = set()
    for content in ("one", "two"):  # of the same size
        (tmp_path / "preset" / "model.weights.h5").write_text(content)
        seen.add(sources(tmp_path / "in", chosen, tmp_path / "weights")["input"])
    file = chosen.with_overrides(
        {"encoders.image.file": str(tmp_path / "preset" / "model.weights.h5")}
    )
    seen.add(sources(tmp_path / "in", file, tmp_path / "weights")["config"])
    assert len(seen) == 3
