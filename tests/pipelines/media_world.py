"""A small catalogue with real files, encoders that can be computed in the head, and how to read
what the media job wrote."""

import json
import pathlib

import numpy as np

from pipelines import media
from tfrs_mm.config import Config
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.tfrecord import find_shards, read_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media.writing import write_jpeg, write_mp3, write_mp4
from tfrs_mm.schema import FeatureSpec, Kind, Modality, Owner, Schema

SIZE_PX, FRAMES, SECONDS = 16, 3, 7.0
DIMS = {"image": 3, "text": 2, "audio": 4, "video": 3}
INPUTS = {
    "image": ("uint8", [None, SIZE_PX, SIZE_PX, 3]),
    "text": ("string", [None]),
    "audio": ("float32", [None, 187, 96]),
    "video": ("uint8", [None, SIZE_PX, SIZE_PX, 3]),
}
FINGERPRINTS = {
    name: EncoderFolder(
        "", "fake", Modality(name), DIMS[name], "small", dtype, tuple(shape), "0"
    ).fingerprint
    for name, (dtype, shape) in INPUTS.items()
}


def small_config(**overrides: object) -> Config:
    values = {
        "data.shards": 2,
        "encoders.video.frames": FRAMES,
        "encoders.audio.max_seconds": SECONDS,
    }
    values |= {f"encoders.{name}.batch_size": 4 for name in DIMS}
    values |= {key.replace("__", "."): value for key, value in overrides.items()}
    return Config().with_overrides(values)


def schema_of(num_items: int, num_genres: int | None = None, modalities=tuple(DIMS)) -> Schema:
    genres = (
        [FeatureSpec("genres", Owner.ITEM, Kind.CATEGORY, num_genres + 1, 8)] if num_genres else []
    )
    return Schema(
        (
            FeatureSpec("item", Owner.ITEM, Kind.ID, num_items + 1),
            *genres,
            *(FeatureSpec(name, Owner.ITEM, Kind.MEDIA, DIMS[name]) for name in modalities),
        ),
        50,
        tuple((name, FINGERPRINTS[name]) for name in modalities),
    )


def write_catalogue(folder: pathlib.Path, lines: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(key for line in lines for key in line))
    quoted = [[line.get(column, "").replace('"', '""') for column in columns] for line in lines]
    text = "\n".join(
        [",".join(columns), *(",".join(f'"{cell}"' for cell in cells) for cells in quoted)]
    )
    (folder / "items.csv").write_text(text + "\n", encoding="utf-8")


def write_vocabularies(
    output: pathlib.Path, ids: list[str], genres: list[str] | None = None
) -> None:
    (output / "vocabulary").mkdir(parents=True)
    Vocabulary(tuple(ids)).write(output / "vocabulary" / "items.txt")
    if genres:
        Vocabulary(tuple(genres)).write(output / "vocabulary" / "genres.txt")


def write_picture(path: pathlib.Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    colour = np.random.default_rng(seed).integers(0, 255, 3)
    write_jpeg(path, np.broadcast_to(colour, [20, 30, 3]).astype(np.uint8))


def write_sound(path: pathlib.Path, hertz: float, seconds: float) -> None:
    path.parent.mkdir(exist_ok=True)
    write_mp3(
        path, 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000), 16_000
    )


def write_film(path: pathlib.Path, levels: list[int]) -> None:
    path.parent.mkdir(exist_ok=True)
    write_mp4(path, np.stack([np.full([32, 32, 3], level, np.uint8) for level in levels]), fps=4)


def read_items(output: pathlib.Path, schema: Schema) -> dict[int, dict[str, np.ndarray]]:
    """All item records by row."""
    import tensorflow as tf

    records = [
        record for path in find_shards(output / "items", "items") for record in read_tfrecord(path)
    ]
    parsed = ExamplesSpec(schema).item.parse(tf.constant(records))
    columns = {key: value.numpy() for key, value in parsed.items()}
    return {
        int(row): {key: column[n] for key, column in columns.items()}
        for n, row in enumerate(columns["item"])
    }


def read_rejects(output: pathlib.Path) -> list[dict[str, str]]:
    return [
        json.loads(line)
        for line in (output / "rejects" / "media.jsonl").read_text("utf-8").splitlines()
    ]


IDS = [f"i{n}" for n in range(1, 24)]
SCHEMA = schema_of(23, num_genres=2)


def write_shop(folder: pathlib.Path) -> None:
    """Real files of 23 items: a picture and words each, every third a sound, every fifth a film."""
    lines = []
    for n in range(1, 24):
        line = {
            "item_id": f"i{n}", "title": f"Title {n}", "description": "<b>Good</b>\n&amp; cheap",
            "genres": ["new|old", "old", "", "none such|new"][n % 4],
            "image_path": f"images/{n}.jpg",
        }  # fmt: skip
        write_picture(folder / line["image_path"], seed=n)
        if n % 3 == 0:
            line["audio_path"] = f"audio/{n}.mp3"
            write_sound(folder / line["audio_path"], hertz=100 * n, seconds=1 + n / 3)
        if n % 5 == 0:
            line["video_path"] = f"video/{n}.mp4"
            write_film(folder / line["video_path"], levels=[10 * n, 8 * n, 6 * n, 4 * n, 2 * n, n])
        lines.append(line)
    write_catalogue(folder, lines)


def run_texts(encoders, tmp_path, lines, ids=None, **overrides):
    """The records and the report of a catalogue that has nothing but words."""
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_catalogue(folder, lines)
    ids = ids or [line["item_id"] for line in lines]
    write_vocabularies(output, ids)
    chosen = {modality: path for modality, path in encoders.items() if modality is Modality.TEXT}
    schema = schema_of(len(ids), modalities=[modality.value for modality in chosen])
    report = media.run(folder, output, small_config(**overrides), chosen, schema)
    return read_items(output, schema), report
