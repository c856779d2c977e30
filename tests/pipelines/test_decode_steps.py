import hashlib

import numpy as np
import pytest
from apache_beam.pvalue import TaggedOutput

from pipelines.decode import Decoder
from pipelines.decode_steps import DecodeMedia
from pipelines.job_progress import JobProgress
from pipelines.outcomes import Content, Medium
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality


def decode_steps(sizes: list[int], gathered: int, read: list[str] | None = None):
    """What becomes of media with so many arrays, none being one that cannot be decoded."""

    def arrays(data: bytes) -> np.ndarray:
        size = int(data.split()[1])
        if not size:
            raise MediaError("no sound in it")
        return np.zeros([size, 2], np.float32)

    def read_cell(cell: str) -> bytes:
        if read is not None:
            read.append(cell)
        return cell.encode()

    group = [
        Content(hashlib.sha256(cell.encode()).digest(), (Medium(row, f"i{row}", cell),))
        for row, cell in enumerate(f"{place} {size}" for place, size in enumerate(sizes))
    ]
    decoder = Decoder(read_cell, arrays, "")
    step = DecodeMedia(Modality.AUDIO, decoder, JobProgress("nobody shows it"), gathered)
    return step.process(group)


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([1, 1, 1, 1, 1], [[1, 1, 1, 1], [1]]),
        ([2, 3, 1], [[2], [3, 1]]),  # 2 + 3 > 4
        ([9, 1], [[9], [1]]),  # one medium is never divided
        ([1, 9], [[1], [9]]),
        ([], []),
    ],
)
def test_a_batch_has_at_most_so_many_arrays_or_one_medium(sizes, batches):
    found = [[len(arrays) for _, arrays in batch] for batch in decode_steps(sizes, gathered=4)]
    assert found == batches


def test_what_cannot_be_decoded_is_rejected_and_takes_no_place():
    rejected, batch = decode_steps([2, 0, 2], gathered=4)
    assert isinstance(rejected, TaggedOutput)
    assert rejected.value["item_id"] == "i1" and rejected.value["reason"] == "no sound in it"
    assert [content.media[0].row for content, _ in batch] == [0, 2]


def test_a_batch_is_handed_on_before_the_next_but_one_medium_is_decoded():
    read: list[str] = []
    steps = decode_steps([2, 2, 2, 2, 2], 4, read)
    next(steps)
    assert len(read) == 3
