"""Sounds and films that are very short, very long, or lie about what they are."""

import io
import time
import tracemalloc

import numpy as np
import pytest

from tfrs_mm.media import MediaError, decode_audio, log_mel, patches, sample_video
from tfrs_mm.media.writing import write_mp4

RATE_HZ = 16_000


def wav(samples: np.ndarray, rate_hz: int = RATE_HZ) -> bytes:
    """16 bits; `[n]` is mono, `[n, channels]` is not."""
    data = samples.astype("<i2").tobytes()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    form = b"".join(
        value.to_bytes(size, "little")
        for value, size in (
            (1, 2), (channels, 2), (rate_hz, 4), (2 * channels * rate_hz, 4), (2 * channels, 2),
            (16, 2),
        )
    )  # fmt: skip
    chunks = b"WAVEfmt " + (16).to_bytes(4, "little") + form
    chunks += b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(chunks).to_bytes(4, "little") + chunks


def film_of(frames: np.ndarray, tmp_path, fps: int = 4) -> bytes:
    write_mp4(tmp_path / "film.mp4", frames, fps)
    return (tmp_path / "film.mp4").read_bytes()


@pytest.mark.parametrize("count", [1, 2, 255, 256, 511, 513, 16_000])
def test_a_sound_however_short_is_one_patch(count):
    samples = decode_audio(wav(np.full(count, 1000)), max_seconds=30)
    assert len(samples) == count
    made = patches(log_mel(samples))
    assert made.shape == (1, 187, 96) and np.isfinite(made).all()


def test_a_sound_without_samples_is_refused():
    with pytest.raises(MediaError, match=r"no samples|damaged"):
        decode_audio(wav(np.zeros(0)), max_seconds=30)


@pytest.mark.parametrize(
    ("seconds", "count"), [(2.9, 1), (3.1, 1), (6.1, 2), (29.9, 9), (31.0, 10)]
)
def test_whole_patches_of_three_seconds_are_made(seconds, count):
    # 187 frames of 256 samples are 2.992 s; 30 s hold ten of them.
    samples = decode_audio(wav(np.zeros(int(seconds * RATE_HZ))), max_seconds=30)
    assert len(patches(log_mel(samples))) == count


def test_an_hour_of_sound_costs_its_first_seconds_only():
    data = wav(np.zeros(3600 * RATE_HZ, np.int16))  # 115 MB
    decode_audio(wav(np.zeros(RATE_HZ)), max_seconds=1)  # what is imported is not counted
    tracemalloc.start()
    started = time.monotonic()
    samples = decode_audio(data, max_seconds=2)
    seconds, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(samples) == 2 * RATE_HZ
    assert seconds < 2
    assert peak < 2**20  # 2 s are 128 kB of floats, held twice while they are joined


@pytest.mark.parametrize("rate_hz", [1, 999, 1_000_001, 2**30])
def test_a_rate_that_no_recording_has_is_refused(rate_hz):
    # Brought to 16 kHz, a block of 4,096 samples of 1 Hz would be 65 million; the filter for a
    # billion a second would take a minute to design.
    started = time.monotonic()
    with pytest.raises(MediaError, match="a sample rate that no recording has"):
        decode_audio(wav(np.zeros(10_000), rate_hz), max_seconds=30)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("rate_hz", [1_000, 192_000])
def test_odd_rates_that_recordings_may_have_are_taken(rate_hz):
    assert len(decode_audio(wav(np.zeros(rate_hz), rate_hz), 30)) == pytest.approx(RATE_HZ, abs=50)


def test_noise_without_end_in_a_loud_sound_stays_in_bounds():
    samples = np.random.default_rng(1).choice([-32768, 32767], 4 * RATE_HZ)
    decoded = decode_audio(wav(samples), max_seconds=4)
    assert np.abs(decoded).max() <= 1.0 and np.isfinite(log_mel(decoded)).all()


@pytest.mark.parametrize("channels", [1, 2, 6, 7, 8, 9, 16, 24, 63])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_every_channel_counts_once(channels, rate_hz):
    # Channel c has the level 0.01 c: their mean is 0.01 (channels - 1) / 2.
    levels = np.round(0.01 * np.arange(channels) * 32768)
    samples = np.broadcast_to(levels, [rate_hz // 2, channels])
    decoded = decode_audio(wav(samples, rate_hz), max_seconds=1)
    assert abs(len(decoded) - 8_000) <= 2
    np.testing.assert_allclose(decoded[100:-100], 0.005 * (channels - 1), atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_film_of_next_to_no_time_gives_its_frames(tmp_path, frames):
    data = film_of(np.full([frames, 16, 16, 3], 128, np.uint8), tmp_path)
    shown = sample_video(data, 8, 16, 10**6)
    assert 1 <= len(shown) <= frames


def test_a_film_of_a_day_is_not_decoded_to_its_end(tmp_path):
    levels = np.arange(100, dtype=np.uint8) * 2
    data = film_of(
        np.broadcast_to(levels[:, None, None, None], [100, 16, 16, 3]).copy(), tmp_path, 1
    )
    started = time.monotonic()
    assert len(sample_video(data, 4, 16, 10**6)) == 4
    assert time.monotonic() - started < 5


def test_a_film_that_grows_behind_its_header_is_never_decoded_at_full_size():
    av = pytest.importorskip("av")
    file = io.BytesIO()
    # A raw stream has no header beside the frames' own: first small frames, then large ones.
    parts = []
    for side in (32, 640):
        file = io.BytesIO()
        with av.open(file, "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=4, options={"preset": "ultrafast"})
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            for position in range(8):
                pixels = np.full([side, side, 3], 99, np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = position
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append(file.getvalue())
    with pytest.raises(MediaError):
        sample_video(b"".join(parts[::-1]), 16, 16, max_pixels=32 * 32)
    try:
        shown = sample_video(b"".join(parts), 16, 16, max_pixels=32 * 32)
    except MediaError:
        return
    assert len(shown) <= 8  # the small ones


def test_a_picture_that_moves_is_a_film_as_well():
    from PIL import Image

    frames = [Image.new("RGB", (16, 16), (level, level, level)) for level in (0, 80, 160, 240)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=500)
    shown = sample_video(file.getvalue(), 4, 16, 10**6)
    np.testing.assert_allclose(shown.mean(axis=(1, 2, 3)), [0, 80, 160, 240], atol=6)


def test_an_animation_that_the_film_decoder_lacks_is_refused():
    from PIL import Image

    frames = [Image.new("RGB", (16, 16), (level, 0, 0)) for level in (0, 80, 160)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(MediaError):
        sample_video(file.getvalue(), 4, 16, 10**6)
