"""The loop that the media job is measured against finds what the job finds."""

import importlib.util
import pathlib

import media_world as world
import numpy as np
import pytest

from pipelines import media
from tfrs_mm.schema import Modality

spec = importlib.util.spec_from_file_location(
    "one_item_form", pathlib.Path(__file__).parents[2] / "benchmarks" / "one_item_form.py"
)
one_item_form = importlib.util.module_from_spec(spec)
spec.loader.exec_module(one_item_form)


@pytest.fixture(scope="module")
def embedded(shop, encoders, tmp_path_factory) -> dict[int, dict[str, np.ndarray]]:
    """The item records of the job, by row."""
    output = tmp_path_factory.mktemp("data")
    world.write_vocabularies(output, world.IDS, ["new", "old"])
    media.run(shop, output, world.small_config(), encoders, world.SCHEMA)
    return world.read_items(output, world.SCHEMA)


@pytest.mark.parametrize("modality", list(Modality))
def test_the_loop_finds_the_embeddings_of_the_job(shop, embedded, encoders, tmp_path, modality):
    took = one_item_form.run(shop, encoders[modality], tmp_path / "a.npz", world.small_config())
    found = np.load(tmp_path / "a.npz")
    rows = [world.IDS.index(item_id) + 1 for item_id in found["item_ids"]]
    present = [n for n, item in embedded.items() if item[f"{modality.value}/present"]]
    assert sorted(rows) == sorted(present) and took["items"] == len(rows)
    for row, embedding in zip(rows, found["embeddings"], strict=True):
        expected = embedded[row][f"{modality.value}/embedding"]
        np.testing.assert_allclose(embedding, expected, rtol=1e-5, atol=1e-5)


def test_every_part_takes_time(shop, encoders, tmp_path):
    path = tmp_path / "a.npz"
    took = one_item_form.run(shop, encoders[Modality.TEXT], path, world.small_config())
    assert all(took[part] > 0 for part in ("decode", "encode", "encode in batches"))
