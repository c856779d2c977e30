"""What lists are held against: the relevant items, the corpus, and the slices of both."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

# First length of each bucket of histories; the last one is open.
_HISTORY_EDGES = (0, 1, 5, 10, 20, 50, 100)
# Share of all training events that the more popular items must hold for an item to be in the next.
_POPULARITY = (("head", 0.0), ("middle", 0.5), ("tail", 0.8))


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The items that can be recommended.

    Attributes:
        counts: `[items + 1]` events in training; those with none are cold.
        modalities: names.
        present: `[items + 1, modality]` bool.
        content: `[items + 1, modality, dim]` centred embeddings.
    """

    counts: np.ndarray
    modalities: tuple[str, ...]
    present: np.ndarray
    content: np.ndarray

    @property
    def size(self) -> int:
        """Items, the unknown one not counted."""
        return len(self.counts) - 1

    def groups(self) -> Iterator[tuple[str, np.ndarray]]:
        """Names of groups of items and who is in each, `[items + 1]` bool.

        Cold and warm; each set of modalities that items have; and by popularity: the head holds the
        most frequent items up to half of all training events, the middle goes on to four fifths,
        the tail is the rest of the warm items. Items of one count stay together.
        """
        cold = self.counts == 0
        yield "cold_items", cold
        yield "warm_items", ~cold
        for pattern in np.unique(self.present[1:], axis=0)[::-1] if self.modalities else ():
            having = [name for name, has in zip(self.modalities, pattern, strict=True) if has]
            yield (
                f"modalities_{'+'.join(having) or 'none'}",
                (self.present == pattern).all(axis=1),
            )
        before = self._share_of_more_popular()
        for place, (name, start) in enumerate(_POPULARITY):
            later = _POPULARITY[place + 1 :]
            stop = later[0][1] if later else np.inf
            yield f"popularity_{name}", ~cold & (before >= start) & (before < stop)

    def _share_of_more_popular(self) -> np.ndarray:
        """`[items + 1]` share of training events that strictly more frequent items hold."""
        ascending = np.sort(self.counts[1:])
        events = np.concatenate([[0], np.cumsum(ascending)])
        up_to = events[np.searchsorted(ascending, self.counts, side="right")]
        return (events[-1] - up_to) / max(events[-1], 1)


@dataclasses.dataclass(frozen=True)
class Questions:
    """Queries with known answers.

    Attributes:
        relevant: the relevant rows of each query, at least one, without repeats.
        history_lengths: `[queries]` distinct items that each user had before.
        corpus: the items.
    """

    relevant: Sequence[np.ndarray]
    history_lengths: np.ndarray
    corpus: Corpus

    def __len__(self) -> int:
        return len(self.relevant)

    def take(self, places: np.ndarray) -> "Questions":
        """The queries at `places`, in that order."""
        relevant = [self.relevant[place] for place in places]
        return Questions(relevant, self.history_lengths[places], self.corpus)

    def slices(self) -> Iterator[tuple[str, np.ndarray, list[np.ndarray]]]:
        """Name, places of the queries, and what is relevant there; empty slices are left out.

        A slice of items asks each query for its relevant items in that group; a slice of users asks
        for all of theirs.
        """
        for name, group in self.corpus.groups():
            places, relevant = [], []
            for place, rows in enumerate(self.relevant):
                if group[rows].any():
                    places.append(place)
                    relevant.append(rows[group[rows]])
            if places:
                yield name, np.array(places), relevant
        bucket = np.searchsorted(_HISTORY_EDGES, self.history_lengths, side="right") - 1
        for place, name in enumerate(_history_names()):
            places = np.flatnonzero(bucket == place)
            if len(places):
                yield f"history_{name}", places, [self.relevant[at] for at in places]


def _history_names() -> Iterator[str]:
    for first, following in itertools.pairwise(_HISTORY_EDGES):
        yield str(first) if following == first + 1 else f"{first}-{following - 1}"
    yield f"{_HISTORY_EDGES[-1]}+"
