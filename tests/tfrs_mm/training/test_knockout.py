import numpy as np
import pytest

from tfrs_mm.commands.answers import answer, knock_out
from tfrs_mm.training.knockout import ItemInputs
from tfrs_mm.training.run import load_run, with_items

# Items 1 to 4; the last one has no picture, the third no category, the fourth no id.
ITEMS = ItemInputs(
    ("image", "text"),
    np.arange(20, dtype=np.float32).reshape(5, 2, 2)
    * np.array([[0, 0], [1, 1], [1, 1], [1, 1], [0, 1]])[..., None],
    np.array([[0, 0], [1, 1], [1, 1], [1, 1], [0, 1]], bool),
    {"genres": np.array([[0, 0], [1, 2], [2, 0], [0, 0], [3, 0]], np.int32)},
    np.array([0, 1, 2, 3, 0], np.int32),
)


def test_every_modality_the_categories_all_content_and_the_ids_are_parts():
    assert ITEMS.parts() == {
        "image": ("image",),
        "text": ("text",),
        "categories": ("categories",),
        "content": ("image", "text", "categories"),
        "ids": ("ids",),
    }
    assert list(ITEMS.absent(["image"]).parts()) == ["text", "categories", "content", "ids"]


def test_absence_empties_the_part_and_nothing_else():
    changed = ITEMS.absent(["image"])
    assert not changed.present[:, 0].any()
    assert not changed.values[:, 0].any()
    np.testing.assert_array_equal(changed.values[:, 1], ITEMS.values[:, 1])
    assert changed.ids is ITEMS.ids
    assert not ITEMS.absent(["categories"]).categories["genres"].any()
    assert not ITEMS.absent(["ids"]).ids.any()


def test_noise_gives_every_item_that_has_the_part_another_ones():
    changed = ITEMS.noised(["image", "categories", "ids"], seed=0)
    np.testing.assert_array_equal(changed.present, ITEMS.present)
    np.testing.assert_array_equal(changed.values[:, 1], ITEMS.values[:, 1])
    for before, after, having in (
        (ITEMS.values[:, 0], changed.values[:, 0], [1, 2, 3]),
        (ITEMS.categories["genres"], changed.categories["genres"], [1, 2, 4]),
        (ITEMS.ids[:, None], changed.ids[:, None], [1, 2, 3]),
    ):
        assert (before[having] != after[having]).any(axis=1).all()
        assert sorted(before.tolist()) == sorted(after.tolist())
        rest = [row for row in range(5) if row not in having]
        np.testing.assert_array_equal(after[rest], before[rest])


def test_noise_is_a_matter_of_the_seed():
    many = ItemInputs(("text",), np.arange(40.0).reshape(40, 1, 1), np.ones((40, 1), bool), {},
                      np.arange(40, dtype=np.int32))  # fmt: skip
    again = [many.noised(["text"], seed).values for seed in (1, 1, 2)]
    np.testing.assert_array_equal(again[0], again[1])
    assert (again[0] != again[2]).any()


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match=r"received \['video'\]"):
        ITEMS.absent(["video"])


def test_a_run_told_the_same_answers_the_same(run_dir):
    loaded = load_run(run_dir)
    np.testing.assert_allclose(
        with_items(loaded, loaded.items).item_vectors, loaded.item_vectors, atol=1e-6
    )


def test_a_knockout_says_what_a_part_is_worth(run_dir):
    loaded = load_run(run_dir)
    answers = answer(loaded, "retrieval", "test")
    content = {"content": loaded.items.parts()["content"]}
    noise, absence = knock_out(loaded, "retrieval", answers, content)
    assert (noise["part"], noise["by"], absence["by"]) == ("content", "noise", "absence")
    # Tastes are classes, and content is what tells the class of the four cold items.
    lost = noise["lost"]["slices"]["cold_items"]["metrics"]["recall@10"]
    assert lost["value"] > 0.2
    assert lost["low"] > 0
    assert lost["value"] == pytest.approx(lost["ours"] - lost["other"])
    # The diversity of lists is judged by what the items are, not by what the model was told.
    diversity = absence["lost"]["metrics"]["diversity@10"]
    assert diversity["other"] > diversity["ours"] > 0
