import weakref

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipelines import decode, input_folder
from pipelines.decode import decoder_of
from pipelines.embed import EmbedModality
from pipelines.job_progress import JobProgress
from pipelines.media_files import MediaFiles
from pipelines.runners import counters, new_pipeline
from tfrs_mm.config import EncoderConfig
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media.writing import write_jpeg
from tfrs_mm.schema import Modality


@pytest.fixture(scope="module")
def folder(export_encoder, tmp_path_factory) -> EncoderFolder:
    """Pictures to their mean grey."""
    import tensorflow as tf

    def embed(inputs):
        return tf.reduce_mean(tf.cast(inputs, tf.float32), axis=[1, 2, 3])[:, None]

    return export_encoder(
        tmp_path_factory.mktemp("image"), "image", embed, 1, "uint8", [None, 16, 16, 3]
    )


def items_of(paths: list[str]) -> pa.RecordBatch:
    rows = np.arange(1, len(paths) + 1)
    return pa.RecordBatch.from_pydict(
        {"row": rows, "item_id": [f"i{row}" for row in rows], "image_path": paths}
    )


def test_from_created_items_to_embeddings_and_rejects(folder, tmp_path):
    for level in (40, 200):
        write_jpeg(tmp_path / f"{level}.jpg", np.full([16, 16, 3], level, np.uint8))
    decoder = decoder_of(
        Modality.IMAGE, folder.input_shape, MediaFiles.of(tmp_path), EncoderConfig()
    )
    pipeline = new_pipeline([])
    embedded = (
        pipeline
        | beam.Create([items_of(["40.jpg", "", "gone.jpg", "200.jpg"])])
        | EmbedModality(folder, decoder, 2, JobProgress("nobody shows it"))
    )
    rounded = embedded.embeddings | beam.MapTuple(
        lambda row, embedding: (row, round(float(embedding[0])))
    )
    assert_that(rounded, equal_to([(1, 40), (4, 200)]), label="embeddings")
    reject = {
        "reason": "file does not exist", "where": "gone.jpg", "item_id": "i3", "modality": "image"
    }  # fmt: skip
    assert_that(embedded.rejects, equal_to([reject]), label="rejects")
    result = pipeline.run()
    result.wait_until_finish()
    assert counters(result, "image") == {
        "present": 2,
        "embedded": 2,
        "missing": 1,
        "rejected: file does not exist": 1,
    }


def test_media_with_the_same_bytes_are_decoded_and_embedded_once(folder, tmp_path, monkeypatch):
    for name in ("a.jpg", "b.jpg"):
        write_jpeg(tmp_path / name, np.full([16, 16, 3], 90, np.uint8))
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    decoded, plain = [], decode.decode_image
    monkeypatch.setattr(decode, "decode_image", lambda *a: decoded.append(1) or plain(*a))
    decoder = decoder_of(
        Modality.IMAGE, folder.input_shape, MediaFiles.of(tmp_path), EncoderConfig()
    )
    paths = ["bad.jpg", "b.jpg", "a.jpg", "a.jpg", "bad.jpg"]
    pipeline = new_pipeline([])
    embedded = (
        pipeline
        | beam.Create([items_of(paths)])
        | EmbedModality(folder, decoder, 2, JobProgress("nobody shows it"))
    )
    rows = embedded.embeddings | beam.MapTuple(lambda row, _: row)
    assert_that(rows, equal_to([2, 3, 4]), label="embeddings")
    ids = embedded.rejects | beam.Map(lambda reject: (reject["item_id"], reject["where"]))
    assert_that(ids, equal_to([("i1", "bad.jpg"), ("i5", "bad.jpg")]), label="rejects")
    result = pipeline.run()
    result.wait_until_finish()
    assert len(decoded) == 2  # the picture and what is none
    assert counters(result, "image") == {
        "present": 3,
        "embedded": 1,
        "repeated": 2,
        "rejected: not a picture of a known format": 2,
    }


def test_a_file_that_changes_while_the_job_runs_is_rejected(folder, tmp_path, monkeypatch):
    write_jpeg(tmp_path / "a.jpg", np.full([16, 16, 3], 90, np.uint8))
    versions = iter([b"first", b"second"])
    monkeypatch.setattr(input_folder, "read_below", lambda *_: next(versions))
    decoder = decoder_of(
        Modality.IMAGE, folder.input_shape, MediaFiles.of(tmp_path), EncoderConfig()
    )
    with new_pipeline([]) as pipeline:
        embedded = (
            pipeline
            | beam.Create([items_of(["a.jpg"])])
            | EmbedModality(folder, decoder, 2, JobProgress("nobody shows it"))
        )
        reasons = embedded.rejects | beam.Map(lambda reject: reject["reason"])
        assert_that(reasons, equal_to(["file changed while the job ran"]))


def test_decoded_pictures_live_only_until_their_batch_is_full(folder, tmp_path, monkeypatch):
    alive, most = set(), []

    def decode_tracked(*_):
        picture = np.zeros([16, 16, 3], np.uint8)
        alive.add(id(picture))
        weakref.finalize(picture, alive.discard, id(picture))
        most.append(len(alive))
        return picture

    # Patched where a worker of this process finds them; a closure would be pickled.
    monkeypatch.setattr(decode, "decode_image", decode_tracked)
    monkeypatch.setattr(input_folder, "read_below", lambda root, path, limit: path.encode())
    decoder = decoder_of(
        Modality.IMAGE, folder.input_shape, MediaFiles.of(tmp_path), EncoderConfig()
    )
    with new_pipeline([]) as pipeline:
        embedded = (
            pipeline
            | beam.Create([items_of([f"{part}/{n}.jpg" for n in range(100)]) for part in range(4)])
            | beam.Reshuffle()
            | EmbedModality(folder, decoder, 4, JobProgress("nobody shows it"))
        )
        count = embedded.embeddings | beam.combiners.Count.Globally()
        assert_that(count, equal_to([400]))
    assert len(most) == 400
    # 16 batches of 4 are gathered; the next picture is decoded before they are let go.
    assert max(most) <= 2 * 64 + 1


def test_an_error_that_is_no_fault_of_the_medium_stops_the_job(folder, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(input_folder, "read_below", fail)
    decoder = decoder_of(
        Modality.IMAGE, folder.input_shape, MediaFiles.of(tmp_path), EncoderConfig()
    )
    with pytest.raises(Exception, match="no room"), new_pipeline([]) as pipeline:
        _ = (
            pipeline
            | beam.Create([items_of(["a.jpg"])])
            | EmbedModality(folder, decoder, 2, JobProgress("nobody shows it"))
        )
