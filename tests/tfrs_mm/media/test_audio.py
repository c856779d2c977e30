import io
import math

import numpy as np
import pytest

from tfrs_mm.media import MediaError, decode_audio, log_mel, patches, sample_video
from tfrs_mm.media.audio import _mono_pieces, slaney_mel_bands


def sound(samples, rate, form="wav", codec="pcm_s16le"):
    """`samples`: `[channels, n]` float in -1..1."""
    av = pytest.importorskip("av")
    samples = np.atleast_2d(samples)
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(
            (samples.T.reshape(1, -1) * 32767).astype(np.int16), format="s16", layout=layout
        )
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, layout, rate, stream.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode())
    return file.getvalue()


def tone(hz, seconds, rate, level=0.5):
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def test_wav_at_the_wanted_rate_comes_back_as_it_was():
    samples = tone(440, 0.5, 16_000)
    decoded = decode_audio(sound(samples, 16_000), max_seconds=10)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, samples, atol=1e-4)


def test_channels_are_mixed_and_the_rate_is_changed():
    stereo = np.stack([tone(1000, 1.0, 44_100), np.zeros(44_100)])
    decoded = decode_audio(sound(stereo, 44_100), max_seconds=10)
    assert abs(len(decoded) - 16_000) <= 1
    # Half the amplitude, 0.25, still 1000 Hz: the strongest of one-second bins is number 1000.
    spectrum = np.abs(np.fft.rfft(decoded[:16_000], 16_000)) / 8_000
    assert spectrum.argmax() == 1000
    assert spectrum[1000] == pytest.approx(0.25, rel=0.02)


def test_no_more_than_the_wanted_seconds_are_given():
    assert len(decode_audio(sound(tone(440, 1.0, 16_000), 16_000), max_seconds=0.25)) == 4_000


@pytest.mark.parametrize(
    ("form", "codec"), [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac")]
)
def test_compressed_sounds_keep_their_pitch(form, codec):
    decoded = decode_audio(sound(tone(1000, 1.0, 48_000), 48_000, form, codec), max_seconds=0.9)
    spectrum = np.abs(np.fft.rfft(decoded[1_600:], 16_000))
    assert abs(int(spectrum.argmax()) - 1000) <= 2


def test_a_sound_that_changes_its_form_on_the_way_is_heard_to_its_end():
    av = pytest.importorskip("av")

    def frame(channels, rate, layout):
        pcm = np.full((1, channels * rate // 10), 3277, np.int16)  # 0.1 s of level 0.1
        made = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
        made.sample_rate = rate
        return made

    frames = [frame(2, 44_100, "stereo"), frame(1, 44_100, "mono"), frame(1, 48_000, "mono")]
    samples = np.concatenate(list(_mono_pieces(iter(frames), 16_000)))
    assert len(samples) == pytest.approx(4_800, abs=3)  # 3 times 0.1 s
    assert samples[2_400] == pytest.approx(0.1, abs=1e-3)


def test_a_tag_in_an_old_encoding_does_no_harm():
    data = sound(tone(440, 0.5, 44_100), 44_100, "mp3", "libmp3lame")
    title = b"\x00Caf\xe9\xff\xfe"
    frame = b"TIT2" + len(title).to_bytes(4, "big") + b"\0\0" + title
    tagged = b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame + data
    assert len(decode_audio(tagged, 10)) > 4_000


def test_a_broken_sound_is_refused(tmp_path):
    samples = tone(440, 0.2, 16_000)
    for broken in (b"", b"no sound at all", sound(samples, 16_000)[:30]):
        with pytest.raises(MediaError):
            decode_audio(broken, 1)
    with pytest.raises(MediaError, match="does not exist"):
        decode_audio(tmp_path / "none.mp3", 1)
    with pytest.raises(MediaError, match="holds no film"):
        sample_video(sound(samples, 16_000), 1, 8, 10**6)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{path}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{path}'\n",
    ],
)
def test_a_playlist_opens_no_other_file(playlist, tmp_path):
    path = tmp_path / "other.wav"
    path.write_bytes(sound(tone(440, 0.2, 16_000), 16_000))
    with pytest.raises(MediaError, match="not a sound of a known format"):
        decode_audio(playlist.format(path=path).encode(), 1)


def test_samples_that_are_no_numbers_are_refused():
    header = b"RIFF\xff\0\0\0WAVEfmt " + (16).to_bytes(4, "little") + (3).to_bytes(2, "little")
    header += (
        (1).to_bytes(2, "little") + (16_000).to_bytes(4, "little") + (64_000).to_bytes(4, "little")
    )
    header += (4).to_bytes(2, "little") + (32).to_bytes(2, "little")
    values = np.full(4_000, np.nan, np.float32).tobytes()
    with pytest.raises(MediaError, match="no numbers"):
        decode_audio(header + b"data" + len(values).to_bytes(4, "little") + values, 1)


def test_slaney_edges_are_linear_to_1_khz_and_logarithmic_above():
    # With 38 mels to 8 kHz: top = 15 + 27 ln 8 / ln 6.4 = 45.2455 mel; the step is top / 39 =
    # 1.16014 mel. Triangle 0 peaks at 1.16014 * 200 / 3 = 77.34 Hz, triangle 37 at 38 * 1.16014
    # mel.
    bands = slaney_mel_bands(16_000, 16_000, 38)  # bins 1 Hz apart
    assert abs(int(bands[:, 0].argmax()) - 77.34) <= 0.5
    assert abs(int(bands[:, 37].argmax()) - 1000 * 6.4 ** ((38 * 1.160142 - 15) / 27)) <= 1.0


def test_every_triangle_has_area_one():
    # 1 Hz bins: the sum is the area. Half the base is the inverse of the height.
    bands = slaney_mel_bands(16_000, 16_000, 96)
    np.testing.assert_allclose(bands.sum(axis=0), 1.0, atol=2e-3)


def mel_of(hz):
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def hz_of(mel):
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def slow_log_mel(samples):
    """The same by its definition: sums over samples, one band and frame at a time."""
    padded = [0.0] * 256 + list(samples) + [0.0] * 256
    edges = [hz_of(mel_of(8000) * index / 97) for index in range(98)]
    frames = []
    for start in range(0, len(samples) + 1, 256):
        window = [0.5 * (1 - math.cos(2 * math.pi * n / 512)) for n in range(512)]
        piece = np.array([window[n] * padded[start + n] for n in range(512)])
        power = [
            abs(sum(piece * np.exp(-2j * np.pi * k * np.arange(512) / 512))) ** 2
            for k in range(257)
        ]
        frame = []
        for low, peak, high in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for k in range(257):
                hz = k * 16_000 / 512
                weight = min((hz - low) / (peak - low), (high - hz) / (high - peak))
                total += max(weight, 0.0) * 2 / (high - low) * power[k]
            frame.append(math.log10(1e4 * total + 1))
        frames.append(frame)
    return np.array(frames)


def test_log_mel_agrees_with_its_definition():
    samples = np.random.default_rng(3).normal(0, 0.2, 700).astype(np.float32)
    np.testing.assert_allclose(log_mel(samples), slow_log_mel(samples), atol=1e-4)


def test_one_sample_and_silence_have_frames():
    assert log_mel(np.zeros(1, np.float32)).shape == (1, 96)
    np.testing.assert_array_equal(
        log_mel(np.zeros(1000, np.float32)), np.zeros((4, 96))
    )  # 1 + 1000 // 256


def test_patches_are_whole_and_in_order():
    frames = np.arange(400, dtype=np.float32)[:, None] * np.ones(96, np.float32)
    cut = patches(frames)
    assert cut.shape == (2, 187, 96)  # 400 = 2 * 187 + 26
    np.testing.assert_array_equal(cut[:, 0, 0], [0, 187])
    np.testing.assert_array_equal(cut[1, -1], np.full(96, 373))


def test_a_short_sound_is_repeated():
    cut = patches(np.arange(100, dtype=np.float32)[:, None] * np.ones(96, np.float32))
    assert cut.shape == (1, 187, 96)
    np.testing.assert_array_equal(cut[0, [0, 99, 100, 186], 0], [0, 99, 0, 86])
