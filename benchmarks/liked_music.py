"""Whether sound says what is liked: like against dislike on tracks that training has never met.

    tfrs-mm preprocess --input DATA --output DATA-FOLDER --weights weights
    python benchmarks/liked_music.py --input DATA --data DATA-FOLDER

Judged are the log's events with a like or a dislike (column `rating`, 1 or 0). A logistic model
reads what is known of a track: its genre, or its sound, which is the stored embedding of the data
folder, reduced as the towers reduce it. Tracks are divided by a hash of their ids into five parts;
each part is scored by a model of the other four, whose ridge was chosen by cross-validation over
tracks among those four. The figure is the area under the ROC curve over all events: the share of
pairs of a like and a dislike that are in the right order, ties by half. Intervals and differences
are by bootstrap over tracks.
"""

import argparse
import csv
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from child_runs import print_figure

from tfrs_mm.data.reduction import fit_reduction
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality
from tfrs_mm.training.knowledge import Knowledge, read_knowledge

_PARTS = 5
_RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_DRAWS, _SEED = 1_000, 1
_STEPS = 30


@dataclasses.dataclass(frozen=True)
class Judgements:
    """Events with a like or a dislike.

    Attributes:
        tracks: `[n]`, rows of the catalogue.
        likes: `[n]` bool.
    """

    tracks: np.ndarray
    likes: np.ndarray

    def of(self, chosen: np.ndarray) -> "Judgements":
        """Those of `[n]` bool."""
        return Judgements(self.tracks[chosen], self.likes[chosen])


def read_judgements(path: pathlib.Path, knowledge: Knowledge) -> Judgements:
    """The events of a log whose rating is 1 or 0.

    Raises:
        UserError: there is no event of both kinds.
    """
    rows = {item: row for row, item in enumerate(knowledge.catalogue.item_ids) if row > 0}
    with open(path, newline="", encoding="utf-8") as file:
        judged = [
            (rows[event["item_id"]], event["rating"] == "1")
            for event in csv.DictReader(file)
            if event.get("rating") in ("0", "1") and event["item_id"] in rows
        ]
    tracks = np.array([track for track, _ in judged], np.int64)
    likes = np.array([like for _, like in judged], bool)
    if likes.all() or not likes.any():
        raise UserError(f"{path} must hold events whose rating is 1 and such whose rating is 0.")
    return Judgements(tracks, likes)


def part_of(item_id: str) -> int:
    """The part that a track lies in."""
    return int(hashlib.sha256(item_id.encode("utf-8")).hexdigest(), 16) % _PARTS


def area_under_curve(scores: np.ndarray, likes: np.ndarray) -> float:
    """The share of pairs of a like and a dislike in which the like scores higher, ties by half."""
    ordered, places = np.unique(scores, return_inverse=True)
    disliked = np.bincount(places[~likes], minlength=len(ordered))
    below = np.cumsum(disliked) - disliked
    wins = (below + disliked / 2)[places[likes]].sum()
    return float(wins / (likes.sum() * (~likes).sum()))


def fit_logistic(features: np.ndarray, likes: np.ndarray, ridge: float) -> np.ndarray:
    """Weights of a logistic regression by Newton's method; the last one is an intercept."""
    design = np.column_stack([features, np.ones(len(features))])
    penalty = np.diag(np.append(np.full(features.shape[1], ridge), 1e-9))
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        probabilities = 1 / (1 + np.exp(-(design @ weights)))
        gradient = design.T @ (probabilities - likes) + penalty @ weights
        curvature = (probabilities * (1 - probabilities))[:, None] * design
        step = np.linalg.solve(design.T @ curvature + penalty, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def scores_of(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`[tracks]`, from features of the same meaning."""
    return features @ weights[:-1] + weights[-1]


def cross_fitted(features: np.ndarray, judged: Judgements, parts: np.ndarray) -> np.ndarray:
    """Scores of tracks, each by a model that has met no track of its part.

    Args:
        features: `[rows, size]`.
        judged: events.
        parts: `[rows]`, the part of each track.
    """
    scores = np.zeros(len(features))
    for part in np.unique(parts[judged.tracks]):
        known = judged.of(parts[judged.tracks] != part)
        weights = fit_logistic(
            features[known.tracks], known.likes, _best_ridge(features, known, parts)
        )
        scores[parts == part] = scores_of(features[parts == part], weights)
    return scores


def _best_ridge(features: np.ndarray, judged: Judgements, parts: np.ndarray) -> float:
    """The ridge whose models order the events of parts that they have not met best."""

    def area(ridge: float) -> float:
        areas = []
        for part in np.unique(parts[judged.tracks]):
            held = parts[judged.tracks] == part
            known, unknown = judged.of(~held), judged.of(held)
            weights = fit_logistic(features[known.tracks], known.likes, ridge)
            scores = scores_of(features, weights)[unknown.tracks]
            areas.append(area_under_curve(scores, unknown.likes))
        return float(np.mean(areas))

    return max(_RIDGES, key=area)


def one_hot(rows: np.ndarray) -> np.ndarray:
    """`[items + 1, width]` categories, 0 for none, to `[items + 1, values]`."""
    columns = np.zeros((len(rows), int(rows.max()) + 1))
    np.put_along_axis(columns, rows.astype(np.int64), 1.0, axis=1)
    return columns[:, 1:]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the areas and their differences; 2 if something was at fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--input", required=True, type=pathlib.Path, metavar="DATA")
    parser.add_argument("--data", required=True, type=pathlib.Path, metavar="DATA-FOLDER")
    parser.add_argument("--genre", default="genre", metavar="COLUMN", help="of the catalogue")
    parser.add_argument("--dim", type=int, default=32, help="components of the sound")
    arguments = parser.parse_args(argv)
    try:
        knowledge = read_knowledge(arguments.data)
        if Modality.AUDIO not in knowledge.schema.modalities:
            raise UserError(f"{arguments.data} has no sound. Preprocess with an audio encoder.")
        judged = read_judgements(arguments.input / "interactions.csv", knowledge)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    catalogue = knowledge.catalogue
    parts = np.array([part_of(item) for item in catalogue.item_ids])
    place = knowledge.schema.modalities.index(Modality.AUDIO)
    present, sound = catalogue.present[:, place], catalogue.embeddings[Modality.AUDIO]
    # No judgement is looked at by the reduction.
    reduced = fit_reduction(sound, present, arguments.dim).apply(sound, present)
    reduced = reduced / max(reduced[present].std(), 1e-12)
    genre = one_hot(catalogue.categories[arguments.genre])
    models = {"genre": genre, "sound": reduced, "sound and genre": np.hstack([reduced, genre])}
    scores = {name: cross_fitted(one, judged, parts) for name, one in models.items()}
    generator = np.random.default_rng(_SEED)
    tracks = np.unique(judged.tracks)
    of_track = {track: np.flatnonzero(judged.tracks == track) for track in tracks}
    draws = {name: [] for name in models}
    for _ in range(_DRAWS):
        drawn = np.concatenate([of_track[t] for t in generator.choice(tracks, len(tracks))])
        for name, one in scores.items():
            draws[name].append(area_under_curve(one[judged.tracks[drawn]], judged.likes[drawn]))
    print(f"{len(judged.likes)} events, {judged.likes.sum()} of them likes, {len(tracks)} tracks")
    areas = {}
    for name, one in scores.items():
        areas[name] = area = area_under_curve(one[judged.tracks], judged.likes)
        low, high = np.percentile(draws[name], [2.5, 97.5])
        print(f"{name}: {area:.3f} [{low:.3f}, {high:.3f}]")
        if name != "genre":
            low, high = np.percentile(np.subtract(draws[name], draws["genre"]), [2.5, 97.5])
            print(f"  over genre: {area - areas['genre']:+.3f} [{low:+.3f}, {high:+.3f}]")
    gain = areas["sound"] - areas["genre"]
    print_figure("liked_music_auc_over_genre", gain, 0.0, gain > 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
