import hashlib

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from pipelines.media_groups import GroupMedia
from pipelines.outcomes import Content, Medium
from pipelines.runners import new_pipeline


def content(number: int) -> Content:
    return Content(hashlib.sha256(b"%d" % number).digest(), (Medium(number, "", ""),))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("count", "size", "groups"), [(40, 10, 4), (9, 10, 1), (0, 10, 0)])
def test_groups_depend_on_the_media_alone(count, size, groups, backwards):
    # By the first eight bytes of the digests, then in the order of the whole digests.
    expected: dict[int, list[int]] = {}
    for number in sorted(range(count), key=lambda n: hashlib.sha256(b"%d" % n).digest()):
        start = int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:8], "big")
        expected.setdefault(start % groups, []).append(number)
    assert len(expected) == groups

    def are_expected(lists):
        found = [[content.media[0].row for content in group] for group in lists]
        assert sorted(found) == sorted(expected.values())

    numbers = reversed(range(count)) if backwards else range(count)
    with new_pipeline([]) as pipeline:
        contents = pipeline | beam.Create([content(number) for number in numbers])
        assert_that(contents | GroupMedia(size), are_expected)
