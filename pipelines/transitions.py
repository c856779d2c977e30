"""Item-to-item statistics of the training events: pairs of items, cut to the heaviest of each item.

A worker holds the pairs of a stretch of events, or those that start in one block of items, never
all of them, and only whole sums are cut. The writer alone holds the finished tables: 16 bytes for
each item and place of its line, and what it gathers them from.
"""

import dataclasses
import hashlib
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsSingleton

from pipelines.item_pairs import UNIT, AddPairs, PairSums, Timelines, pairs_of, sums_of
from pipelines.records import NAMESPACE
from tfrs_mm.artefacts import fingerprint_of
from tfrs_mm.config import DataConfig
from tfrs_mm.data.item_neighbours import COVISITED, KINDS, NEXT, ItemNeighbours, NeighbourTables
from tfrs_mm.data.vocabulary import Vocabulary

# Counters.
COUNTED, KEPT = "pairs counted", {kind: f"{kind} pairs kept" for kind in KINDS}

_BLOCK = 1024  # items whose pairs are added up together


@dataclasses.dataclass(frozen=True)
class Lines:
    """Lines of one kind's table; what is not named is empty.

    Attributes:
        items: `[entries]` int64 rows that lead to something.
        places: `[entries]` int64, in the line.
        neighbours: `[entries]` int64 rows.
        weights: `[entries]` float32.
        supported: `[lines]` int64 rows.
        support: `[lines]` float32, of these.
    """

    items: np.ndarray
    places: np.ndarray
    neighbours: np.ndarray
    weights: np.ndarray
    supported: np.ndarray
    support: np.ndarray


class WriteNeighbours(beam.PTransform):
    """Training timelines, a partition each, to the file of `NeighbourTables`."""

    def __init__(
        self,
        path: str,
        items_path: str,
        num_items: int,
        settings: DataConfig,
        edges: beam.PCollection,
    ) -> None:
        """Says where to and how.

        Args:
            path: of the file; its folder exists.
            items_path: the vocabulary of items.
            num_items: of the vocabulary, the unknown row not counted.
            settings: the fields `transition_*`, and how events are split.
            edges: one element, the edges of the time buckets; the last one lies a second behind the
                newest training event.
        """
        super().__init__()
        self._path, self._items_path, self._size = path, items_path, num_items + 1
        self._settings, self._edges = settings, edges

    def expand(self, timelines: beam.PCollection) -> beam.PCollection:
        """See the class."""
        settings = self._settings
        return (
            timelines
            | "CountPairs" >> beam.ParDo(CountPairs(self._size, settings), AsSingleton(self._edges))
            | "AddPairs" >> beam.CombinePerKey(AddPairs())
            | "CutPairs" >> beam.ParDo(CutPairs(self._size, settings.transition_top))
            # A list even of nothing: a job without pairs writes empty tables.
            | "GatherBlocks" >> beam.combiners.ToList()
            | "WriteTables" >> beam.Map(_write, self._path, self._items_path, self._size, settings)
        )


class CountPairs(beam.DoFn):
    """A partition's timelines to `(block of items, PairSums)`."""

    def __init__(self, size: int, settings: DataConfig) -> None:
        self._size, self._settings = size, settings
        self._counted = Metrics.counter(NAMESPACE, COUNTED)

    def process(self, timelines: Timelines, edges: np.ndarray) -> Iterator[tuple[int, PairSums]]:
        """See the class."""
        for pairs in pairs_of(timelines, int(edges[-1]) - 1, self._settings):
            self._counted.inc(len(pairs[0]))
            sums = sums_of(*pairs, self._size)
            blocks = sums.keys // (self._size * _BLOCK)
            starts = np.flatnonzero(np.diff(blocks, prepend=-1))
            columns = (sums.keys, sums.forward, sums.backward)
            for start, end in zip(starts, np.append(starts, len(blocks))[1:], strict=True):
                yield int(blocks[start]), PairSums(*(column[start:end] for column in columns))


class CutPairs(beam.DoFn):
    """`(block, PairSums)` to `(block, a hash of all of its pairs, Lines of each kind)`."""

    def __init__(self, size: int, top: int) -> None:
        self._size, self._top = size, top
        self._kept = {kind: Metrics.counter(NAMESPACE, name) for kind, name in KEPT.items()}

    def process(self, element: tuple[int, PairSums]) -> Iterator[tuple[int, str, dict[str, Lines]]]:
        """See the class."""
        block, sums = element
        digest = hashlib.sha256()
        for column in (sums.keys, sums.forward, sums.backward):
            digest.update(np.ascontiguousarray(column))
        units = {COVISITED: sums.forward + sums.backward, NEXT: sums.forward}
        lines = {kind: cut_lines(sums.keys, units[kind], self._size, self._top) for kind in KINDS}
        for kind in KINDS:
            self._kept[kind].inc(len(lines[kind].items))
        yield block, digest.hexdigest(), lines


def cut_lines(keys: np.ndarray, units: np.ndarray, size: int, top: int) -> Lines:
    """The `top` heaviest neighbours of each item, ties by row.

    Args:
        keys: `[pairs]`, those of `PairSums`.
        units: `[pairs]`; where they are 0, there is no pair.
        size: rows, the unknown one included.
        top: neighbours of one item.
    """
    keys, units = keys[units > 0], units[units > 0]
    items, neighbours = np.divmod(keys, size)
    starts = np.flatnonzero(np.diff(items, prepend=-1))
    support = (np.add.reduceat(units, starts) * UNIT).astype(np.float32)
    # What ties is decided by the weights as they are stored. Neighbours ascend before the sort, and
    # it is stable.
    weights = (units * UNIT).astype(np.float32)
    order = np.lexsort((-weights, items))
    places = np.arange(len(items)) - np.repeat(starts, np.diff(starts, append=len(items)))
    kept = places < top
    return Lines(
        items[kept],
        places[kept],
        neighbours[order][kept],
        weights[order][kept],
        items[starts],
        support,
    )


def _write(
    blocks: list[tuple[int, str, dict[str, Lines]]],
    path: str,
    items_path: str,
    size: int,
    settings: DataConfig,
) -> None:
    made_from = {
        "items": Vocabulary.read(items_path).fingerprint(),
        "pairs": fingerprint_of(sorted([block, digest] for block, digest, _ in blocks)),
        "split": settings.split,
        "window": settings.transition_window,
        "half_life": settings.transition_half_life,
        "half_life_days": settings.transition_half_life_days,
        "top": settings.transition_top,
    }
    tables = {
        kind: _table([lines[kind] for *_, lines in blocks], size, settings.transition_top)
        for kind in KINDS
    }
    NeighbourTables(**tables, made_from=made_from).write(path)


def _table(blocks: list[Lines], size: int, top: int) -> ItemNeighbours:
    neighbours, weights = np.zeros((size, top), np.int32), np.zeros((size, top), np.float32)
    support = np.zeros(size, np.float32)
    for lines in blocks:
        neighbours[lines.items, lines.places] = lines.neighbours
        weights[lines.items, lines.places] = lines.weights
        support[lines.supported] = lines.support
    return ItemNeighbours(neighbours, weights, support)
