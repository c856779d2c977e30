import io

import av
import numpy as np
import pytest
from PIL import Image

from tfrs_mm.media.writing import write_jpeg, write_mp3, write_mp4

RATE = 16_000
TONE = (0.5 * np.sin(2 * np.pi * 440.0 * np.arange(RATE) / RATE)).astype(np.float32)


def halves(height: int = 32, width: int = 48) -> np.ndarray:
    """Left half red, right half blue."""
    array = np.zeros((height, width, 3), np.uint8)
    array[:, : width // 2, 0] = 200
    array[:, width // 2 :, 2] = 200
    return array


def decoded_sound(path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate


def decoded_film(path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)]), rate


def write_each(folder) -> list:
    """One file of each kind."""
    write_jpeg(folder / "a.jpg", halves())
    write_mp3(folder / "a.mp3", TONE, RATE)
    write_mp4(folder / "a.mp4", np.stack([halves()] * 5), 8)
    return [folder / name for name in ("a.jpg", "a.mp3", "a.mp4")]


def test_a_picture_reads_back_with_its_size_and_colours(tmp_path):
    write_jpeg(tmp_path / "a.jpg", halves())
    back = np.asarray(Image.open(io.BytesIO((tmp_path / "a.jpg").read_bytes())))
    assert back.shape == (32, 48, 3)
    # JPEG is lossy: away from the edge the colours are within ten steps.
    np.testing.assert_allclose(back[16, 4], [200, 0, 0], atol=10)
    np.testing.assert_allclose(back[16, 43], [0, 0, 200], atol=10)


def test_a_sound_reads_back_with_its_length_rate_and_pitch(tmp_path):
    write_mp3(tmp_path / "a.mp3", TONE, RATE)
    back, rate = decoded_sound(tmp_path / "a.mp3")
    assert rate == 16_000
    # MP3 works in frames of 576 samples at this rate and pads at both ends: at most four frames.
    assert 16_000 <= len(back) + 576 and len(back) <= 16_000 + 4 * 576
    # 16,000 samples at 16 kHz: one bin of the spectrum is 1 Hz wide.
    assert abs(int(np.argmax(np.abs(np.fft.rfft(back[:16_000])))) - 440) <= 2


def test_what_is_louder_than_full_scale_is_clipped(tmp_path):
    write_mp3(tmp_path / "a.mp3", np.full(RATE, 3.0, np.float32) * TONE, RATE)
    back, _ = decoded_sound(tmp_path / "a.mp3")
    # An overflow of int16 would turn the wave over and leave a strong second pitch.
    assert abs(int(np.argmax(np.abs(np.fft.rfft(back[:16_000])))) - 440) <= 2


def test_a_film_reads_back_with_its_frames_rate_and_colours(tmp_path):
    frames = np.stack([halves() if n % 2 else halves()[:, ::-1] for n in range(6)])
    write_mp4(tmp_path / "a.mp4", frames, 8)
    back, rate = decoded_film(tmp_path / "a.mp4")
    assert back.shape == (6, 32, 48, 3)
    assert rate == 8.0
    # Frame 0 is blue on the left, frame 1 red.
    assert back[0, 16, 4].argmax() == 2
    assert back[1, 16, 4].argmax() == 0


def test_the_same_array_gives_the_same_bytes(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for one, two in zip(write_each(tmp_path / "one"), write_each(tmp_path / "two"), strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_only_the_named_file_is_left(tmp_path):
    write_each(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.mp3", "a.mp4"]


def test_an_encoder_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"old")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(av.VideoFrame, "from_ndarray", fail, raising=True)
    with pytest.raises(OSError, match="disk full"):
        write_mp4(tmp_path / "a.mp4", np.stack([halves()] * 3), 8)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (lambda path: write_jpeg(path, halves().astype(np.float32)), "`array`.*float32"),
        (lambda path: write_jpeg(path, halves()[..., 0]), r"`array`.*\[32, 48\]"),
        (lambda path: write_mp3(path, TONE[None], RATE), r"`samples`.*\[1, 16000\]"),
        (lambda path: write_mp3(path, TONE[:0], RATE), "`samples`"),
        (lambda path: write_mp3(path, TONE * np.nan, RATE), "`samples` must be finite"),
        (lambda path: write_mp3(path, TONE, 16_001), "`sample_rate_hz`.*16001"),
        (lambda path: write_mp4(path, halves(), 8), "`frames`"),
        (lambda path: write_mp4(path, halves(31)[None], 8), "even height"),
        (lambda path: write_mp4(path, halves()[None], 0), "`fps`"),
    ],
)
def test_what_cannot_be_written_is_named_and_leaves_no_file(tmp_path, write, named):
    with pytest.raises(ValueError, match=named):
        write(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
