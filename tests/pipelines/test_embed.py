import weakref

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipelines import decode
from pipelines.decode import decoder_of
from pipelines.embed import EmbedModality
from pipelines.job_progress import JobProgress
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
    decoder = decoder_of(Modality.IMAGE, folder.input_shape, tmp_path, EncoderConfig())
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
        "missing": 1,
        "rejected: file does not exist": 1,
    }


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
    monkeypatch.setattr(decode, "read_below", lambda *_: b"")
    decoder = decoder_of(Modality.IMAGE, folder.input_shape, tmp_path, EncoderConfig())
    with new_pipeline([]) as pipeline:
        embedded = (
            pipeline
            | beam.Create([items_of([f"{n}.jpg" for n in range(100)]) for _ in range(4)])
            | beam.Reshuffle()
            | EmbedModality(folder, decoder, 4, JobProgress("nobody shows it"))
        )
        count = embedded.embeddings | beam.combiners.Count.Globally()
        assert_that(count, equal_to([400]))
    assert len(most) == 400
    # 4 batches of 4 are gathered; the next picture is decoded before they are let go.
    assert max(most) <= 2 * 16 + 1


def test_an_error_that_is_no_fault_of_the_medium_stops_the_job(folder, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(decode, "read_below", fail)
    decoder = decoder_of(Modality.IMAGE, folder.input_shape, tmp_path, EncoderConfig())
    with pytest.raises(Exception, match="no room"), new_pipeline([]) as pipeline:
        _ = (
            pipeline
            | beam.Create([items_of(["a.jpg"])])
            | EmbedModality(folder, decoder, 2, JobProgress("nobody shows it"))
        )
