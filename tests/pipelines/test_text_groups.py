import hashlib
import itertools

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that

from pipelines.embed import Content
from pipelines.runners import new_pipeline
from pipelines.text_groups import GroupTexts


def content(number: int) -> tuple[Content, np.ndarray]:
    return Content(hashlib.sha256(b"%d" % number).digest(), ()), np.array([b"%d" % number], object)


@pytest.mark.parametrize(("count", "size", "groups"), [(40, 10, 4), (9, 10, 1), (0, 10, 0)])
def test_groups_depend_on_the_texts_alone(count, size, groups):
    found = []

    def are_whole(lists):
        numbers = [[int(arrays[0]) for _, arrays in texts] for texts in lists]
        assert len(numbers) == groups
        assert sorted(itertools.chain(*numbers)) == list(range(count))
        for texts in lists:
            digests = [text.digest for text, _ in texts]
            assert digests == sorted(digests)
        found.append(sorted(numbers))

    for order in (range(count), reversed(range(count))):
        with new_pipeline([]) as pipeline:
            texts = pipeline | beam.Create([content(number) for number in order])
            assert_that(texts | GroupTexts(size), are_whole)
    assert found == [] or found[0] == found[-1]
