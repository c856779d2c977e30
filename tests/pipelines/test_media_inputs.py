import pathlib
import subprocess
import sys

import media_world as world
import pytest

from pipelines import media
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality


def test_a_vocabulary_of_another_catalogue_is_refused(encoders, tmp_path):
    with pytest.raises(UserError, match="holds 1 of the 2 items"):
        world.run_texts(encoders, tmp_path, [{"item_id": "a", "title": "A"}], ids=["a", "z"])
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
    world.write_vocabularies(tmp_path, ["a"])
    if content is not None:
        (tmp_path / "items.csv").write_text(content)
    schema = world.schema_of(1)
    with pytest.raises(UserError, match=fault):
        media.run(tmp_path, tmp_path, world.small_config(), encoders, schema)
    assert not (tmp_path / "items").exists()


def test_encoders_must_be_those_of_the_schema(encoders, shop, tmp_path):
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    some = {Modality.TEXT: encoders[Modality.TEXT]}
    with pytest.raises(UserError, match="received some for"):
        media.run(shop, tmp_path, world.small_config(), some, world.SCHEMA)
    swapped = encoders | {Modality.IMAGE: encoders[Modality.VIDEO]}
    with pytest.raises(
        UserError,
        match=f"must hold the encoder {world.FINGERPRINTS['image']} of image with 3",
    ):
        media.run(shop, tmp_path, world.small_config(), swapped, world.SCHEMA)


def test_vocabularies_must_be_those_of_the_schema(encoders, shop, tmp_path):
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old", "older"])
    with pytest.raises(UserError, match=r"3 rows of 'genres', but .* gives 4"):
        media.run(shop, tmp_path, world.small_config(), encoders, world.SCHEMA)


def test_an_option_that_beam_does_not_know_is_refused(encoders, shop, tmp_path):
    world.write_vocabularies(tmp_path, world.IDS, ["new", "old"])
    with pytest.raises(UserError, match="unknown options: --direct_num_wokers"):
        media.run(
            shop,
            tmp_path,
            world.small_config(),
            encoders,
            world.SCHEMA,
            ["--direct_num_wokers=2"],
        )


@pytest.mark.slow
def test_a_mistake_on_the_command_line_is_one_line_and_code_2(encoders, tmp_path):
    world.write_vocabularies(tmp_path, ["a"])
    answer = subprocess.run(
        [
            sys.executable, "-m", "pipelines.media", "--input", str(tmp_path),
            "--output", str(tmp_path / "out"), "--vocabulary", str(tmp_path / "vocabulary"),
            "--encoders", str(encoders[Modality.TEXT].parent),
        ],
        capture_output=True, text=True, check=False, cwd=pathlib.Path(media.__file__).parent.parent,
    )  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1].startswith("python -m pipelines.media: `data.items`")
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "out").exists()
