"""Sounds to mono samples, and to the log-mel patches that MusiCNN was trained on.

The front end is that of librosa's `melspectrogram` with its Slaney mels (area-normalised triangles,
linear below 1 kHz), which TensorFlow's mel matrix is not (HTK).
"""

import functools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfrs_mm._runtime import import_optional
from tfrs_mm.media.containers import open_container
from tfrs_mm.media.errors import MediaError

SAMPLE_RATE_HZ = 16_000
PATCH_FRAMES = 187  # 3 s
NUM_MELS = 96
_FFT_SIZE = 512
_HOP = 256
# No recording has fewer or more. Brought to the wanted rate, one block of fewer could fill the
# memory, and the filter for more takes a minute to design.
_MIN_SAMPLE_RATE_HZ, _MAX_SAMPLE_RATE_HZ = 1_000, 1_000_000


def decode_audio(
    data: bytes | str | os.PathLike[str], max_seconds: float, sample_rate_hz: int = SAMPLE_RATE_HZ
) -> np.ndarray:
    """The first `max_seconds` of the sound, all channels mixed to one.

    Args:
        data: the file's bytes, or its path; a film gives its first sound track.
        max_seconds: what comes later is not decoded.
        sample_rate_hz: samples a second of the result.

    Returns:
        `[samples]` float32, full scale being 1.

    Raises:
        MediaError: no sound, damaged, without samples, or with less than a thousand or more than a
            million of them a second.
    """
    wanted = max(int(max_seconds * sample_rate_hz), 1)
    pieces: list[np.ndarray] = []
    length = 0
    with open_container(data, "audio") as (container, stream):
        for piece in _mono_pieces(container.decode(stream), sample_rate_hz):
            pieces.append(piece)
            length += len(piece)
            if length >= wanted:
                break
    samples = np.concatenate(pieces)[:wanted] if pieces else np.zeros(0)
    if len(samples) == 0:
        raise MediaError("sound has no samples")
    if not np.isfinite(samples).all():
        raise MediaError("sound holds samples that are no numbers")
    return samples.astype(np.float32)


def _mono_pieces(frames: Iterator[Any], sample_rate_hz: int) -> Iterator[np.ndarray]:
    """The mean over the channels of the resampled frames, piece by piece."""
    av = import_optional("av")
    resampler, form = None, None
    for frame in frames:
        if form != (frame.layout.name, frame.rate, frame.format.name):
            # Joined files may change their form on the way, which a resampler does not take.
            if resampler is not None:
                yield from map(_mean_of_channels, resampler.resample(None))
            form = (frame.layout.name, frame.rate, frame.format.name)
            if not _MIN_SAMPLE_RATE_HZ <= frame.rate <= _MAX_SAMPLE_RATE_HZ:
                raise MediaError("sound has a sample rate that no recording has")
            # Channels side by side: of eight or more behind each other PyAV reads beyond the last.
            resampler = av.AudioResampler(format="flt", rate=sample_rate_hz)
        yield from map(_mean_of_channels, resampler.resample(frame))
    if resampler is not None:
        yield from map(_mean_of_channels, resampler.resample(None))


def _mean_of_channels(frame: Any) -> np.ndarray:
    """`[samples]`; taken here, since FFmpeg's own mix of two channels is 1.4 times as loud."""
    return frame.to_ndarray().reshape(frame.samples, frame.layout.nb_channels).mean(axis=1)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """MusiCNN's front end: `log10(1e4 * power + 1)` in 96 mel bands, 62.5 frames a second.

    Args:
        samples: `[samples]` float32 at 16 kHz.

    Returns:
        `[1 + samples // 256, 96]` float32.
    """
    padded = np.pad(np.asarray(samples, np.float32), _FFT_SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SIZE)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_SIZE) / _FFT_SIZE)  # periodic Hann
    power = np.abs(np.fft.rfft(frames * window.astype(np.float32), axis=1)) ** 2
    mels = power.astype(np.float32) @ _mel_bands()
    return np.log10(1e4 * mels + 1).astype(np.float32)


def patches(frames: np.ndarray) -> np.ndarray:
    """Cuts log-mel frames into whole patches of 3 s; a shorter sound is repeated until it fills
    one.

    Args:
        frames: `[frames, 96]`, at least one.

    Returns:
        `[n, 187, 96]` float32 with n >= 1; what is left at the end is dropped.
    """
    if len(frames) < PATCH_FRAMES:
        repeats = -(-PATCH_FRAMES // len(frames))
        frames = np.tile(frames, (repeats, 1))[:PATCH_FRAMES]
    count = len(frames) // PATCH_FRAMES
    whole = frames[: count * PATCH_FRAMES]
    return whole.reshape(count, PATCH_FRAMES, frames.shape[1]).astype(np.float32)


def slaney_mel_bands(sample_rate_hz: int, fft_size: int, num_mels: int) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, from 0 Hz to half the sample rate.

    Slaney, Auditory Toolbox version 2, 1998: linear up to 1 kHz, logarithmic above.

    Returns:
        `[1 + fft_size // 2, num_mels]` float32, to be multiplied with a power spectrum.
    """
    top_mel = _hz_to_mel(sample_rate_hz / 2)
    edges = _mel_to_hz(np.linspace(0.0, top_mel, num_mels + 2))  # each triangle has three of these
    bins = np.linspace(0.0, sample_rate_hz / 2, 1 + fft_size // 2)[:, None]
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - low) / (peak - low)
    falling = (high - bins) / (high - peak)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (high - low))).astype(np.float32)


@functools.cache
def _mel_bands() -> np.ndarray:
    return slaney_mel_bands(SAMPLE_RATE_HZ, _FFT_SIZE, NUM_MELS)


# 3 mels to 200 Hz below 1 kHz (15 mels), then 27 mels to each factor of 6.4.
_HZ_PER_MEL = 200.0 / 3.0
_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
_MELS_PER_LOG = 27.0 / np.log(6.4)


def _hz_to_mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _HZ_PER_MEL
    return _KNEE_MEL + float(np.log(hz / _KNEE_HZ)) * _MELS_PER_LOG


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    above = _KNEE_HZ * np.exp((mels - _KNEE_MEL) / _MELS_PER_LOG)
    return np.where(mels < _KNEE_MEL, mels * _HZ_PER_MEL, above)
