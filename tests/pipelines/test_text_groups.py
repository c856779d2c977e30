import hashlib

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that

from pipelines.embed import Content
from pipelines.runners import new_pipeline
from pipelines.text_groups import GroupTexts


def content(number: int) -> tuple[Content, np.ndarray]:
    return Content(hashlib.sha256(b"%d" % number).digest(), ()), np.array([b"%d" % number], object)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("count", "size", "groups"), [(40, 10, 4), (9, 10, 1), (0, 10, 0)])
def test_groups_depend_on_the_texts_alone(count, size, groups, backwards):
    # By the first eight bytes of the digests, then in the order of the whole digests.
    expected: dict[int, list[int]] = {}
    for number in sorted(range(count), key=lambda n: hashlib.sha256(b"%d" % n).digest()):
        start = int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:8], "big")
        expected.setdefault(start % groups, []).append(number)
    assert len(expected) == groups

    def are_expected(lists):
        found = [[int(arrays[0]) for _, arrays in texts] for texts in lists]
        assert sorted(found) == sorted(expected.values())

    numbers = reversed(range(count)) if backwards else range(count)
    with new_pipeline([]) as pipeline:
        texts = pipeline | beam.Create([content(number) for number in numbers])
        assert_that(texts | GroupTexts(size), are_expected)
