"""For pictures, texts, sounds and clips alike: plain features find the hidden class again."""

import dataclasses
import itertools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfrs_mm.data.synthetic_clips import film_clip
from tfrs_mm.data.synthetic_pictures import draw_picture
from tfrs_mm.data.synthetic_sounds import play_sound
from tfrs_mm.data.synthetic_texts import write_text
from tfrs_mm.media import log_mel


@dataclasses.dataclass(frozen=True)
class Medium:
    num_classes: int
    make: Callable[[np.random.Generator, int], Any]
    features: Callable[[Any], np.ndarray]


def colour_histogram(pixels: np.ndarray) -> np.ndarray:
    """Shares of 4 x 4 x 4 colours."""
    bins = (pixels // 64).reshape(-1, 3).astype(int) @ [16, 4, 1]
    return np.bincount(bins, minlength=64) / len(bins)


def long_words(text: tuple[str, str]) -> np.ndarray:
    """Words of four letters and more, hashed to 1024 places without a seed of the process."""
    counts = np.zeros(1024)
    for word in " ".join(text).lower().replace(".", "").replace(",", "").split():
        if len(word) >= 4:
            counts[zlib.crc32(word.encode()) % 1024] += 1
    return counts / np.linalg.norm(counts)


def spectrum(samples: np.ndarray) -> np.ndarray:
    """Mean and spread of each mel band."""
    bands = log_mel(samples)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


MEDIA = {
    "picture": Medium(6, lambda rng, c: draw_picture(rng, c, 48), colour_histogram),
    "text": Medium(8, write_text, long_words),
    "sound": Medium(6, lambda rng, c: play_sound(rng, c, 3.2, 16_000), spectrum),
    "clip": Medium(6, lambda rng, c: film_clip(rng, c, 4, 48), colour_histogram),
}


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_the_nearest_class_mean_of_plain_features_is_the_hidden_class(name):
    medium = MEDIA[name]
    features = np.array(
        [
            [
                medium.features(medium.make(np.random.default_rng([n, c]), c))
                for c in range(medium.num_classes)
            ]
            for n in range(20)
        ]
    )
    means = features[:10].mean(axis=0)
    far = np.linalg.norm(features[10:, :, None] - means[None, None], axis=-1)
    right = far.argmin(axis=-1) == np.arange(medium.num_classes)
    assert right.mean() >= 0.9


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_a_class_never_makes_the_same_thing_twice(name):
    medium = MEDIA[name]
    for hidden in range(medium.num_classes):
        made = [medium.make(np.random.default_rng([n, 7]), hidden) for n in range(10)]
        assert len({np.asarray(one).tobytes() for one in made}) == 10


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_the_same_generator_makes_the_same_thing(name):
    medium = MEDIA[name]
    for hidden in range(medium.num_classes):
        one, two = (medium.make(np.random.default_rng(5), hidden) for _ in range(2))
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("hidden", range(6))
def test_pictures_and_clips_are_eight_bit_squares(hidden):
    rng = np.random.default_rng(0)
    picture, clip = draw_picture(rng, hidden, 40), film_clip(rng, hidden, 3, 40)
    assert picture.shape == (40, 40, 3) and picture.dtype == np.uint8
    assert clip.shape == (3, 40, 40, 3) and clip.dtype == np.uint8


@pytest.mark.parametrize("hidden", range(6))
def test_every_clip_moves(hidden):
    clip = film_clip(np.random.default_rng(1), hidden, 6, 40).astype(int)
    assert np.abs(np.diff(clip, axis=0)).mean() > 0.5


@pytest.mark.parametrize("hidden", range(6))
def test_a_sound_has_its_length_and_stays_within_full_scale(hidden):
    for seed in range(5):
        samples = play_sound(np.random.default_rng(seed), hidden, 3.2, 16_000)
        assert samples.shape == (51_200,) and samples.dtype == np.float32  # 3.2 s at 16 kHz
        assert 0.4 < np.abs(samples).max() <= 0.75


@pytest.mark.parametrize("hidden", range(8))
def test_a_text_is_a_title_and_one_or_two_sentences_with_the_right_articles(hidden):
    for seed in range(50):
        title, description = write_text(np.random.default_rng(seed), hidden)
        assert title and title[0].isupper()
        assert description[0].isupper() and description.endswith(".")
        assert 1 <= description.count(".") <= 2
        words = f"{title}. {description}".lower().split()
        for article, word in itertools.pairwise(words):
            if article in ("a", "an"):
                assert (article == "an") == (word[0] in "aeiou"), (article, word)
