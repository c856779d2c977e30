import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from pipelines import media
from tfrs_mm.artefacts import fingerprint_file
from tfrs_mm.config import Config
from tfrs_mm.data.examples import ExamplesSpec
from tfrs_mm.data.tfrecord import find_shards, read_tfrecord
from tfrs_mm.data.vocabulary import Vocabulary
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.errors import UserError
from tfrs_mm.media import decode_audio, decode_image, log_mel, patches, sample_video
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


@pytest.fixture(scope="module")
def encoders(export_encoder, tmp_path_factory) -> dict[Modality, pathlib.Path]:
    """Mean colour; length and capitals of a text; loudness of four mels; mean colour of a frame."""
    import tensorflow as tf

    def colour(inputs):
        return tf.reduce_mean(tf.cast(inputs, tf.float32), axis=[1, 2])

    def text(inputs):
        capitals = tf.strings.length(tf.strings.regex_replace(inputs, "[^A-Z]", ""))
        return tf.cast(tf.stack([tf.strings.length(inputs), capitals], axis=1), tf.float32)

    def sound(inputs):
        return tf.reduce_mean(inputs, axis=1)[:, ::24]

    folder = tmp_path_factory.mktemp("encoders")
    functions = {"image": colour, "text": text, "audio": sound, "video": colour}
    for name, embed in functions.items():
        export_encoder(folder / name, name, embed, DIMS[name], *INPUTS[name])
    return {modality: folder / modality.value for modality in Modality}


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


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> pathlib.Path:
    """Real files of 23 items: a picture and words each, every third a sound, every fifth a film."""
    folder = tmp_path_factory.mktemp("shop")
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
    return folder


IDS = [f"i{n}" for n in range(1, 24)]
SCHEMA = schema_of(23, num_genres=2)


@pytest.fixture(scope="module")
def finished(shop, encoders, tmp_path_factory) -> tuple[pathlib.Path, dict]:
    """The output folder of a whole run over the shop, and its report."""
    output = tmp_path_factory.mktemp("data")
    write_vocabularies(output, IDS, ["new", "old"])
    return output, media.run(shop, output, small_config(), encoders, SCHEMA)


def test_embeddings_equal_those_of_a_plain_loop(shop, finished):
    items = read_items(finished[0], SCHEMA)
    assert sorted(items) == list(range(1, 24))
    for n, item in items.items():
        picture = decode_image((shop / f"images/{n}.jpg").read_bytes(), SIZE_PX, 10**6)
        np.testing.assert_allclose(item["image/embedding"], picture.mean(axis=(0, 1)), rtol=1e-5)
        # "Title 7. Good & cheap" is as long as "Title 7" and 14 more; T and G are capitals
        np.testing.assert_array_equal(item["text/embedding"], [len(f"Title {n}") + 14, 2])
        if n % 3 == 0:
            sound = patches(log_mel(decode_audio((shop / f"audio/{n}.mp3").read_bytes(), SECONDS)))
            assert len(sound) == (2 if n >= 15 else 1)  # 1 + n / 3 s, cut to 7 s, in patches of 3 s
            expected = np.mean([patch.mean(axis=0)[::24] for patch in sound], axis=0)
            np.testing.assert_allclose(item["audio/embedding"], expected, rtol=1e-4, atol=1e-5)
        if n % 5 == 0:
            frames = sample_video((shop / f"video/{n}.mp4").read_bytes(), FRAMES, SIZE_PX, 10**6)
            assert len(frames) == FRAMES
            expected = np.mean([frame.mean(axis=(0, 1)) for frame in frames], axis=0)
            np.testing.assert_allclose(item["video/embedding"], expected, rtol=1e-5)


def test_a_medium_that_an_item_lacks_is_zeros_and_no_reject(finished):
    output, report = finished
    items = read_items(output, SCHEMA)
    assert [n for n, item in items.items() if item["audio/present"]] == [
        n for n in items if n % 3 == 0
    ]
    assert [n for n, item in items.items() if item["video/present"]] == [
        n for n in items if n % 5 == 0
    ]
    assert not items[1]["audio/embedding"].any() and not items[1]["video/embedding"].any()
    assert report["missing"] == {"image": 0, "text": 0, "audio": 16, "video": 19}  # 23 - 7, 23 - 4
    assert read_rejects(output) == []


def test_records_carry_id_title_and_categories(finished):
    items = read_items(finished[0], SCHEMA)
    assert (items[4]["item_id"], items[4]["title"]) == (b"i4", b"Title 4")
    # "new|old", "old", "", "none such|new", the vocabulary being new, old
    assert [items[n]["genres"][:2].tolist() for n in (4, 5, 6, 7)] == [
        [1, 2],
        [2, 0],
        [0, 0],
        [1, 0],
    ]


def test_a_shard_holds_one_remainder_in_the_order_of_rows(finished):
    import tensorflow as tf

    spec = ExamplesSpec(SCHEMA).item
    for shard, path in enumerate(find_shards(finished[0] / "items", "items")):
        rows = spec.parse(tf.constant(list(read_tfrecord(path))))["item"].numpy().tolist()
        assert rows == [row for row in range(1, 24) if row % 2 == shard]


def test_the_report_says_what_there_is(finished):
    output, report = finished
    assert report == json.loads((output / "items" / "report.json").read_text())
    assert report["items"] == 23
    assert report["present"] == {"image": 23, "text": 23, "audio": 7, "video": 4}
    assert report["share"]["audio"] == pytest.approx(7 / 23, abs=1e-6)
    assert report["rejected"] == {"image": {}, "text": {}, "audio": {}, "video": {}}
    assert report["seconds"] > 0


def test_nothing_temporary_is_left(finished):
    left = [
        str(path.relative_to(finished[0]))
        for path in sorted(finished[0].rglob("*"))
        if path.is_file()
    ]
    assert left == [
        "items/items-00000-of-00002.tfrecord.gz", "items/items-00001-of-00002.tfrecord.gz",
        "items/report.json", "rejects/media.jsonl", "vocabulary/genres.txt", "vocabulary/items.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        ["--direct_running_mode=multi_threading", "--direct_num_workers=2"],
        pytest.param(
            ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["threads", "processes"],
)
def test_other_workers_write_the_same_records(shop, encoders, finished, tmp_path, options):
    write_vocabularies(tmp_path, IDS, ["new", "old"])
    report = media.run(shop, tmp_path, small_config(), encoders, SCHEMA, options)
    expected = read_items(finished[0], SCHEMA)
    for row, item in read_items(tmp_path, SCHEMA).items():
        for key, value in item.items():
            if key.endswith("/embedding"):
                np.testing.assert_allclose(value, expected[row][key], rtol=1e-6)
            else:
                np.testing.assert_array_equal(value, expected[row][key])
    assert {**report, "seconds": 0} == {**finished[1], "seconds": 0}


def test_the_same_job_writes_the_same_bytes(shop, encoders, finished, tmp_path):
    write_vocabularies(tmp_path, IDS, ["new", "old"])
    media.run(shop, tmp_path, small_config(), encoders, SCHEMA)
    for path in find_shards(tmp_path / "items", "items"):
        twin = finished[0] / "items" / pathlib.Path(path).name
        assert fingerprint_file(path) == fingerprint_file(twin)


def test_every_encoder_is_loaded_once(shop, encoders, tmp_path, monkeypatch):
    import tensorflow as tf

    loaded, load = [], tf.saved_model.load
    monkeypatch.setattr(tf.saved_model, "load", lambda path: loaded.append(path) or load(path))
    write_vocabularies(tmp_path, IDS, ["new", "old"])
    media.run(shop, tmp_path, small_config(), encoders, SCHEMA)
    assert sorted(loaded) == sorted(str(path) for path in encoders.values())


def test_a_broken_medium_costs_that_modality_only(encoders, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_picture(folder / "good.jpg", seed=1)
    write_picture(tmp_path / "outside.jpg", seed=2)
    (folder / "linked.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:200])
    (folder / "words.jpg").write_text("no picture")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "large.jpg").write_bytes((folder / "good.jpg").read_bytes() + b"\0" * 5_000)
    (folder / "a_folder.jpg").mkdir()
    for name in ("noise.mp3", "noise.mp4"):
        (folder / name).write_bytes(np.random.default_rng(3).bytes(2_000))
    paths = [
        "good.jpg", "cut.jpg", "words.jpg", "empty.jpg", "large.jpg", "gone.jpg", "a_folder.jpg",
        "linked.jpg", "../outside.jpg", str(folder / "good.jpg"), " ",
    ]  # fmt: skip
    lines = [{"item_id": f"i{n}", "title": "T", "image_path": path} for n, path in enumerate(paths)]
    lines[0] |= {"audio_path": "noise.mp3", "video_path": "noise.mp4"}
    write_catalogue(folder, lines)
    write_vocabularies(output, [line["item_id"] for line in lines])
    schema = schema_of(len(lines))

    config = small_config(encoders__image__max_bytes=5_000)
    report = media.run(folder, output, config, encoders, schema)

    items = read_items(output, schema)
    assert len(items) == 11 and all(item["text/present"] for item in items.values())
    assert [row for row, item in items.items() if item["image/present"]] == [1]
    assert not any(item["audio/present"] or item["video/present"] for item in items.values())
    reasons = {
        (reject["item_id"], reject["modality"]): reject["reason"] for reject in read_rejects(output)
    }
    assert reasons == {
        ("i0", "audio"): "not a sound of a known format",
        ("i0", "video"): "not a film of a known format",
        ("i1", "image"): "picture is damaged",
        ("i2", "image"): "not a picture of a known format",
        ("i3", "image"): "file is empty",
        ("i4", "image"): "file is too large",
        ("i5", "image"): "file does not exist",
        ("i6", "image"): "not a regular file",
        ("i7", "image"): "path leaves the data folder through a symbolic link",
        ("i8", "image"): "path leaves the data folder",
        ("i9", "image"): "path is absolute; paths are relative to the data folder",
    }
    assert {reject["where"] for reject in read_rejects(output)} >= {
        "cut.jpg",
        "../outside.jpg",
        "noise.mp3",
    }
    assert report["missing"]["image"] == 1  # the blank cell
    assert report["rejected"]["image"]["picture is damaged"] == 1
    assert sum(report["rejected"]["image"].values()) == 9


def test_an_item_without_words_has_no_text(encoders, tmp_path):
    lines = [
        {"item_id": "a", "title": " ", "description": "<p></p>"},
        {"item_id": "b", "description": "Fine"},
    ]
    items, report = run_texts(encoders, tmp_path, lines)
    assert [bool(items[row]["text/present"]) for row in (1, 2)] == [False, True]
    assert report["missing"]["text"] == 1 and report["rejected"]["text"] == {}
    np.testing.assert_array_equal(items[2]["text/embedding"], [4, 1])


def test_a_text_above_the_limit_is_rejected(encoders, tmp_path):
    lines = [{"item_id": "a", "title": "x" * 50}, {"item_id": "b", "title": "x" * 51}]
    items, report = run_texts(encoders, tmp_path, lines, encoders__text__max_bytes=50)
    assert [bool(items[row]["text/present"]) for row in (1, 2)] == [True, False]
    assert report["rejected"]["text"] == {"text is too large": 1}
    assert read_rejects(tmp_path / "out") == [
        {
            "reason": "text is too large",
            "where": "title, description",
            "item_id": "b",
            "modality": "text",
        }
    ]


def test_the_first_of_two_lines_counts_and_unknown_items_are_left_out(encoders, tmp_path):
    titles = ["B", "x", "A", "no"]
    lines = [{"item_id": name, "title": title} for name, title in zip("bxab", titles, strict=True)]
    items, report = run_texts(encoders, tmp_path, lines, ids=["a", "b"])
    assert [items[row]["title"] for row in (1, 2)] == [b"A", b"B"]
    assert (report["items not in the vocabulary"], report["items repeated"]) == (1, 1)
    assert report["present"]["text"] == 2


def test_embeddings_that_are_no_numbers_are_rejected(export_encoder, tmp_path):
    import tensorflow as tf

    def embed(inputs):
        length = tf.cast(tf.strings.length(inputs), tf.float32)[:, None]
        return tf.concat([length, 1 / (length - 3)], axis=1)  # infinite for three letters

    export_encoder(tmp_path / "text", "text", embed, 2, "string", [None])
    lines = [{"item_id": "a", "title": "abcd"}, {"item_id": "b", "title": "abc"}]
    items, report = run_texts({Modality.TEXT: tmp_path / "text"}, tmp_path, lines)
    np.testing.assert_array_equal(items[1]["text/embedding"], [4, 1])
    assert not items[2]["text/present"] and not items[2]["text/embedding"].any()
    assert report["rejected"]["text"] == {"embedding is not finite": 1}
    assert read_rejects(tmp_path / "out")[0]["item_id"] == "b"


def test_a_catalogue_without_modalities_still_has_its_records(tmp_path):
    items, report = run_texts({}, tmp_path, [{"item_id": "a", "title": "A"}])
    assert items[1]["title"] == b"A" and report["share"] == {}


def test_a_shard_without_items_is_written_too(encoders, tmp_path):
    items, _ = run_texts(encoders, tmp_path, [{"item_id": "a", "title": "A"}], data__shards=5)
    assert len(find_shards(tmp_path / "out" / "items", "items")) == 5 and list(items) == [1]


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


def test_a_vocabulary_of_another_catalogue_is_refused(encoders, tmp_path):
    with pytest.raises(UserError, match="holds 1 of the 2 items"):
        run_texts(encoders, tmp_path, [{"item_id": "a", "title": "A"}], ids=["a", "z"])
    assert not (tmp_path / "out" / "items" / "report.json").exists()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        ("id,title\n1,A\n", r"has no column \['item_id'\]"),
    ],
)
def test_a_catalogue_that_cannot_be_read_writes_nothing(encoders, tmp_path, content, fault):
    write_vocabularies(tmp_path, ["a"])
    if content is not None:
        (tmp_path / "items.csv").write_text(content)
    schema = schema_of(1)
    with pytest.raises(UserError, match=fault):
        media.run(tmp_path, tmp_path, small_config(), encoders, schema)
    assert not (tmp_path / "items").exists()


def test_encoders_must_be_those_of_the_schema(encoders, shop, tmp_path):
    write_vocabularies(tmp_path, IDS, ["new", "old"])
    some = {Modality.TEXT: encoders[Modality.TEXT]}
    with pytest.raises(UserError, match="received some for"):
        media.run(shop, tmp_path, small_config(), some, SCHEMA)
    swapped = encoders | {Modality.IMAGE: encoders[Modality.VIDEO]}
    with pytest.raises(
        UserError, match=f"must hold the encoder {FINGERPRINTS['image']} of image with 3 dimensions"
    ):
        media.run(shop, tmp_path, small_config(), swapped, SCHEMA)


def test_vocabularies_must_be_those_of_the_schema(encoders, shop, tmp_path):
    write_vocabularies(tmp_path, IDS, ["new", "old", "older"])
    with pytest.raises(UserError, match=r"3 rows of 'genres', but .* gives 4"):
        media.run(shop, tmp_path, small_config(), encoders, SCHEMA)


def test_an_option_that_beam_does_not_know_is_refused(encoders, shop, tmp_path):
    write_vocabularies(tmp_path, IDS, ["new", "old"])
    with pytest.raises(UserError, match="unknown options: --direct_num_wokers"):
        media.run(shop, tmp_path, small_config(), encoders, SCHEMA, ["--direct_num_wokers=2"])


def test_the_command_writes_the_output_whole(encoders, shop, finished, tmp_path, capsys):
    arguments = [
        "--input", str(shop), "--output", str(tmp_path / "out"),
        "--vocabulary", str(finished[0] / "vocabulary"),
        "--encoders", str(encoders[Modality.IMAGE].parent), "--set", "data.shards=3",
    ]  # fmt: skip
    assert media.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["present"]["image"] == 23
    assert len(find_shards(tmp_path / "out" / "items", "items")) == 3
    assert media.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1  # it exists: one line


@pytest.mark.slow
def test_a_mistake_on_the_command_line_is_one_line_and_code_2(encoders, tmp_path):
    write_vocabularies(tmp_path, ["a"])
    answer = subprocess.run(
        [
            sys.executable, "-m", "pipelines.media", "--input", str(tmp_path),
            "--output", str(tmp_path / "out"), "--vocabulary", str(tmp_path / "vocabulary"),
            "--encoders", str(encoders[Modality.TEXT].parent),
        ],
        capture_output=True, text=True, check=False, cwd=pathlib.Path(media.__file__).parent.parent,
    )  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1].startswith("python -m pipelines.media: the table")
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "out").exists()
