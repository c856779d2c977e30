"""A synthetic catalogue on disk, in the form of any input folder, with real media and known tastes.

What items are and what users like is drawn by `synthetic_world.py`; here the media are made, each
from the item's hidden class of that modality, and everything is written, whole or not at all.
`truth.json` holds what is hidden, for tests and notebooks; no job reads it.
"""

import csv
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from tfrs_mm.artefacts import whole_directory, write_json
from tfrs_mm.data.synthetic_clips import CLIP_SCENES, film_clip
from tfrs_mm.data.synthetic_events import EVENT_KINDS
from tfrs_mm.data.synthetic_pictures import PICTURE_STYLES, draw_picture
from tfrs_mm.data.synthetic_sounds import SOUND_KINDS, play_sound
from tfrs_mm.data.synthetic_texts import TEXT_TOPICS, write_text
from tfrs_mm.data.synthetic_world import SyntheticWorld, build_world, world_from_dict, world_to_dict
from tfrs_mm.errors import UserError
from tfrs_mm.media.writing import write_jpeg, write_mp3, write_mp4
from tfrs_mm.progress import tracked
from tfrs_mm.schema import Modality

TRUTH = "truth.json"
CLASS_NAMES = {
    Modality.IMAGE: PICTURE_STYLES,
    Modality.TEXT: TEXT_TOPICS,
    Modality.AUDIO: SOUND_KINDS,
    Modality.VIDEO: CLIP_SCENES,
}

_PICTURE_PX = 144
_SOUND_SECONDS = 3.2
_SAMPLE_RATE_HZ = 16_000
_CLIP_PX = 112
_CLIP_FRAMES = 14
_CLIP_FPS = 8
_FILES = {
    Modality.IMAGE: ("images", ".jpg"),
    Modality.AUDIO: ("audio", ".mp3"),
    Modality.VIDEO: ("video", ".mp4"),
}
# A file cut here has lost what no decoder can do without: a JPEG's scan, an MP3's first frame, an
# MP4's index, which is at its end.
_BROKEN_BYTES = 48


def synthesize(
    output_dir: str | os.PathLike[str],
    num_items: int = 400,
    num_users: int = 800,
    seed: int = 1,
    *,
    events_per_user: tuple[int, int] = (12, 30),
    broken: int = 0,
    overwrite: bool = False,
) -> SyntheticWorld:
    """Writes a synthetic catalogue and returns what is true of it.

    Args:
        output_dir: the folder to make.
        num_items: items of the catalogue, cold ones included.
        num_users: users.
        seed: the same seed gives the same tables and the same media.
        events_per_user: least and most events of one user.
        broken: media files that are cut off, in turn a JPEG, an MP3 and an MP4, each of another
            item.
        overwrite: whether a folder that is not empty may be replaced.

    Raises:
        UserError: a number is too small or too large, or the folder may not be replaced.
    """
    counts = {modality: len(names) for modality, names in CLASS_NAMES.items()}
    world = build_world(num_items, num_users, seed, counts, events_per_user)
    cut_off = _choose_broken(world, broken)
    with whole_directory(output_dir, overwrite=overwrite) as directory:
        for folder, _ in _FILES.values():
            (directory / folder).mkdir()
        rows = [
            _write_item(directory, world, index, seed)
            for index in tracked(
                range(num_items), "synthesise items", total=num_items, unit="items"
            )
        ]
        for index, modality in cut_off:
            path = directory / _media_path(world, index, modality)
            path.write_bytes(path.read_bytes()[:_BROKEN_BYTES])
        columns = ("item_id", "title", "description", "image_path", "audio_path", "video_path")
        _write_csv(directory / "items.csv", columns, rows)
        columns = ("user_id", "item_id", "event", "rating", "timestamp")
        _write_csv(directory / "interactions.csv", columns, _interactions(world))
        truth = {
            "seed": seed,
            "class_names": {modality.value: list(names) for modality, names in CLASS_NAMES.items()},
            "missing": [
                {"item_id": world.item_ids[item], "modality": list(Modality)[place].value}
                for item, place in np.argwhere(world.missing)
            ],
            "broken": [{"item_id": world.item_ids[i], "modality": m.value} for i, m in cut_off],
            "cold_item_ids": list(world.cold_item_ids),
            "world": world_to_dict(world),
        }
        write_json(directory / TRUTH, truth)
        (directory / "README.md").write_text(_readme(world, seed, len(cut_off)), encoding="utf-8")
    return world


def read_world(directory: str | os.PathLike[str]) -> SyntheticWorld:
    """What is true of the catalogue in `directory`; for tests and notebooks, never for a job.

    Raises:
        UserError: the folder is no synthetic catalogue.
    """
    path = pathlib.Path(directory) / TRUTH
    if not path.is_file():
        raise UserError(
            f"{directory} is no synthetic catalogue: it has no {TRUTH}. Make one with `synthesize`."
        )
    return world_from_dict(json.loads(path.read_text(encoding="utf-8"))["world"])


def _choose_broken(world: SyntheticWorld, broken: int) -> list[tuple[int, Modality]]:
    """The items with a file cut off, and which file it is: complete items only, none twice."""
    complete = np.flatnonzero(~world.missing.any(axis=1))
    if not 0 <= broken <= len(complete):
        raise UserError(
            f"broken: must be from 0 to {len(complete)}, the items that miss no medium, "
            f"received {broken}."
        )
    kinds = list(_FILES)
    return [
        (int(index), kinds[place % len(kinds)]) for place, index in enumerate(complete[:broken])
    ]


def _write_item(directory: pathlib.Path, world: SyntheticWorld, index: int, seed: int) -> list[str]:
    """Writes one item's files and returns its row of items.csv."""
    cells = {"title": "", "description": "", **{modality.value: "" for modality in _FILES}}
    for place, modality in enumerate(Modality):
        if world.missing[index, place]:
            continue
        # A generator of its own, so that no medium depends on how the others are drawn.
        rng = np.random.default_rng([seed, index, place])
        hidden = int(world.item_classes[index, place])
        if modality is Modality.TEXT:
            cells["title"], cells["description"] = write_text(rng, hidden)
            continue
        cells[modality.value] = _media_path(world, index, modality)
        path = directory / cells[modality.value]
        if modality is Modality.IMAGE:
            write_jpeg(path, draw_picture(rng, hidden, _PICTURE_PX))
        elif modality is Modality.AUDIO:
            sound = play_sound(rng, hidden, _SOUND_SECONDS, _SAMPLE_RATE_HZ)
            write_mp3(path, sound, _SAMPLE_RATE_HZ)
        else:
            write_mp4(path, film_clip(rng, hidden, _CLIP_FRAMES, _CLIP_PX), _CLIP_FPS)
    return [world.item_ids[index], *cells.values()]


def _media_path(world: SyntheticWorld, index: int, modality: Modality) -> str:
    folder, suffix = _FILES[modality]
    return f"{folder}/{world.item_ids[index]}{suffix}"


def _interactions(world: SyntheticWorld) -> Iterable[list[str]]:
    for user, item, kind, rating, time in zip(
        world.event_users,
        world.event_items,
        world.event_kinds,
        world.event_ratings,
        world.event_times,
        strict=True,
    ):
        yield [
            world.user_ids[user],
            world.item_ids[item],
            EVENT_KINDS[kind],
            str(rating) if rating else "",
            str(time),
        ]


def _write_csv(path: pathlib.Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _readme(world: SyntheticWorld, seed: int, num_broken: int) -> str:
    classes = "\n".join(
        f"- {modality.value}: {', '.join(names)}" for modality, names in CLASS_NAMES.items()
    )
    return f"""# Synthetic catalogue, seed {seed}

{len(world.user_ids)} users, {len(world.item_ids)} items, {len(world.event_users)} events, \
all made up.

- `interactions.csv`: user_id, item_id, event ({", ".join(EVENT_KINDS)}), \
rating (1 to 5, with `rate` only),
  timestamp (Unix seconds); in the order of time, no pair of user and item twice.
- `items.csv`: item_id, title, description, image_path, audio_path, video_path. \
An empty cell means that the
  item has no such medium: {int(world.missing.any(axis=1).sum())} items miss one.
- `images/`, `audio/`, `video/`: the files, {num_broken} of them cut off on purpose.
- `truth.json`: everything below that is hidden, for tests and notebooks only.

Every item has one hidden class of each modality, drawn independently:

{classes}

Ids are random and there is no category column. \
A user likes one class of each modality in one mood and
another in the other mood, with weights of her own, and stays in a mood for a stretch of events; \
an event is
drawn from a sharp softmax over the weighted matches. \
{int(world.is_cold.sum())} items are new releases: they
occur only among the last two events of a user, \
so that under leave-one-out none of them has an interaction
in training.
"""
