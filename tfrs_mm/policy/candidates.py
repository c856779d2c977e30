"""Candidates of several sources in one list, each once, with the sources that it came from."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfrs_mm.index import TopKRows, sum_equal
from tfrs_mm.policy.sources import CandidateSource, Request, TowerSource


class Candidates(NamedTuple):
    """What the sources returned for a batch of requests, source by source.

    Attributes:
        rows: `[batch, n]` int32, each item once, where the first source that returned it has it; 0
            for an empty place.
        scores: `[batch, n]`, the two towers'; -inf at an empty place.
        origins: `[batch, n]` int32, 2 to the power of the place of every source that returned the
            item, added up.
    """

    rows: tf.Tensor
    scores: tf.Tensor
    origins: tf.Tensor


def gather_candidates(
    towers: TowerSource, others: Sequence[CandidateSource], request: Request
) -> tuple[Candidates, list[TopKRows]]:
    """Asks every source.

    Args:
        towers: the first source.
        others: those that follow it.
        request: what to ask.

    Returns:
        The candidates of all together, and what each source returned.
    """
    found = [source.find(request) for source in (towers, *others)]
    if not others:
        rows, scores = found[0]
        return Candidates(rows, scores, tf.cast(rows > 0, tf.int32)), found
    rows = tf.concat([one.rows for one in found], axis=1)
    bits = tf.concat(
        [tf.fill(tf.shape(one.rows), 2**place) for place, one in enumerate(found)], axis=1
    )
    is_first, origins = sum_equal(rows, bits)
    kept = is_first & (rows > 0)
    unknown = tf.concat([one.rows for one in found[1:]], axis=1)
    own = towers.score(request, unknown, tf.zeros(tf.shape(unknown)))
    scores = tf.concat([found[0].scores, own], axis=1)
    return (
        Candidates(
            tf.where(kept, rows, 0),
            tf.where(kept, scores, float("-inf")),
            tf.where(kept, origins, 0),
        ),
        found,
    )
