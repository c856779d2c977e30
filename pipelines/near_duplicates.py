"""Items whose embeddings are all but the same, found in memory that grows by a few numbers an item.

Equal embeddings are told apart first, by their bytes. Among those that differ every pair is
compared, a block against a block, while there are no more than a limit; beyond it each item meets
only those beside it in the order of codes that random hyperplanes give (Charikar, STOC 2002), in
several such orders. Then some pairs may be missed, and how many is measured on a sample.
"""

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np

from pipelines.item_embeddings import StoredEmbeddings

_BLOCK = 1024  # of the comparison of all with all
_WINDOW = 256  # neighbours by code that are compared with each other
_ORDERS = 8
_BITS = 48  # of a code
_SAMPLE = 256  # items whose near duplicates are all looked for, to measure what is missed
_SLACK = 1e-6  # of a cosine of float32
_SEED = 20


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """Which items are near duplicates.

    Attributes:
        leaders: `[n]` int64: an item joins the group of its earliest near duplicate; the place of
            the group's first item, its own where it has none.
        exact: whether every pair was compared.
        recall: the share of a sample's items that were found to have an earlier near duplicate; 1
            where every pair was compared, None where the sample has none.
    """

    leaders: np.ndarray
    exact: bool
    recall: float | None


def find_near_duplicates(
    embeddings: StoredEmbeddings, cosine: float, exact_limit: int
) -> NearDuplicates:
    """Groups the items of one modality.

    Args:
        embeddings: of the items; one of zeros is no near duplicate of any.
        cosine: at least so much makes two items near duplicates.
        exact_limit: embeddings that differ, above which not every pair is compared.
    """
    leaders = np.arange(len(embeddings))
    usable, first_equal = _distinct(embeddings)
    distinct = usable[first_equal == usable]
    earlier = np.arange(len(distinct))
    exact, recall = len(distinct) <= exact_limit, 1.0
    comparisons = (_all_pairs if exact else _neighbours_by_code)(embeddings, distinct)
    for these, those in comparisons:
        _note_earliest(embeddings, distinct, these, those, cosine - _SLACK, earlier)
    if not exact:
        recall = _recall(embeddings, distinct, cosine - _SLACK, earlier)
    while (earlier[earlier] != earlier).any():
        earlier = earlier[earlier]
    leaders[distinct] = distinct[earlier]
    leaders[usable] = leaders[first_equal]
    return NearDuplicates(leaders, exact, recall)


def _distinct(embeddings: StoredEmbeddings) -> tuple[np.ndarray, np.ndarray]:
    """Places of embeddings that are not zero, and for each the first place with the same bytes."""
    digests, usable = [], []
    for block in embeddings.blocks():
        usable.append(block.any(axis=1))
        digests += [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in block]
    places = np.flatnonzero(np.concatenate([np.zeros(0, bool), *usable]))
    _, first, inverse = np.unique(
        np.array(digests, "S16")[places], return_index=True, return_inverse=True
    )
    return places, places[first[inverse]] if len(places) else places


def _all_pairs(
    embeddings: StoredEmbeddings, distinct: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of `distinct`, each with itself and all before it, the earliest first."""
    starts = range(0, len(distinct), _BLOCK)
    blocks = [np.arange(start, min(start + _BLOCK, len(distinct))) for start in starts]
    for number, block in enumerate(blocks):
        for other in blocks[: number + 1]:
            yield other, block


def _neighbours_by_code(
    embeddings: StoredEmbeddings, distinct: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Windows of places of `distinct` that follow each other in the order of their codes."""
    generator = np.random.default_rng(_SEED)
    sample = _unit(embeddings, distinct[_spread(len(distinct), 16 * _SAMPLE)])
    for _ in range(_ORDERS):
        planes = generator.normal(size=(sample.shape[1], _BITS)).astype(np.float32)
        # Embeddings seldom lie around zero; a plane through their median parts them evenly.
        medians = np.median(sample @ planes, axis=0)
        codes = np.zeros(len(distinct), np.int64)
        for start in range(0, len(distinct), _BLOCK):
            unit = _unit(embeddings, distinct[start : start + _BLOCK])
            bits = (unit @ planes > medians).astype(np.int64)
            codes[start : start + _BLOCK] = bits @ (1 << np.arange(_BITS, dtype=np.int64))
        order = np.argsort(codes, kind="stable")
        for start in range(0, len(order), _WINDOW):
            window = np.sort(order[start : start + _WINDOW])
            yield window, window


def _note_earliest(
    embeddings: StoredEmbeddings,
    distinct: np.ndarray,
    these: np.ndarray,
    those: np.ndarray,
    cosine: float,
    earlier: np.ndarray,
) -> None:
    """Lowers `earlier[those]` to their first near duplicates among `these`; both ascend."""
    one = _unit(embeddings, distinct[these])
    other = one if those is these else _unit(embeddings, distinct[those])
    near = (one @ other.T >= cosine) & (these[:, np.newaxis] < those[np.newaxis, :])
    found = near.any(axis=0)
    first = these[near.argmax(axis=0)]
    earlier[those[found]] = np.minimum(earlier[those[found]], first[found])


def _recall(
    embeddings: StoredEmbeddings, distinct: np.ndarray, cosine: float, earlier: np.ndarray
) -> float | None:
    asked = _spread(len(distinct), _SAMPLE)
    truth = np.arange(len(distinct))
    for start in range(0, len(distinct), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(distinct)))
        _note_earliest(embeddings, distinct, block, asked, cosine, truth)
    have = asked[truth[asked] < asked]
    return float((earlier[have] < have).mean()) if len(have) else None


def _spread(count: int, wanted: int) -> np.ndarray:
    """At most `wanted` places of 0..count - 1, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).astype(np.int64))


def _unit(embeddings: StoredEmbeddings, places: np.ndarray) -> np.ndarray:
    """`[m, dim]` float32 of length 1."""
    values = embeddings.take(places)
    # The largest number goes out first: squares of large ones would be infinite.
    values = values / np.abs(values).max(axis=1, keepdims=True)
    return values / np.linalg.norm(values, axis=1, keepdims=True)
