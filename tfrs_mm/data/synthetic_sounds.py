"""Six kinds of sounds, told apart by timbre and tempo; each varies in pitch, rhythm, loudness."""

from collections.abc import Callable

import numpy as np

_SCALE = np.array([0, 2, 4, 7, 9, 12, 14, 16])  # semitones
_PEAK = 0.7
_HISS = 0.002  # real recordings are never digitally silent


def play_sound(
    rng: np.random.Generator, kind: int, seconds: float, sample_rate_hz: int
) -> np.ndarray:
    """A new sound of a kind.

    Args:
        rng: decides everything but the kind.
        kind: index into `SOUND_KINDS`.
        seconds: length of the sound.
        sample_rate_hz: samples a second.

    Returns:
        `[samples]` float32 from -1 to 1.
    """
    time = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    samples = _KINDS[SOUND_KINDS[kind]](rng, time)
    samples = samples / np.abs(samples).max() * _PEAK * rng.uniform(0.7, 1.0)
    return (samples + rng.normal(0.0, _HISS, len(time))).astype(np.float32)


def _organ(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Slow soft chords with few overtones."""
    samples, beat = np.zeros_like(time), rng.uniform(0.9, 1.3)
    root = rng.uniform(180.0, 300.0)
    for start in np.arange(0.0, time[-1], beat):
        span, since = _span(time, start, beat)
        rise = np.clip(since / 0.12, 0.0, 1.0) * np.clip((beat - since) / 0.12, 0.0, 1.0)
        for semitones in rng.choice(_SCALE[:5], 3, replace=False):
            pitch = root * 2.0 ** (semitones / 12.0)
            tone = sum(np.sin(2 * np.pi * pitch * n * since) / n**2 for n in (1, 2, 3))
            samples[span] += rise * tone
    return samples


def _drums(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Fast percussion: thuds on the beat, bursts of noise between."""
    samples, step = np.zeros_like(time), rng.uniform(0.11, 0.15)
    pattern = rng.random(8)
    for place, start in enumerate(np.arange(0.0, time[-1], step)):
        span, since = _span(time, start, 0.3)
        if place % 4 == 0:
            fall = np.exp(-since * 22)
            samples[span] += fall * np.sin(2 * np.pi * (55 * since + 5.0 * (1.0 - fall))) * 1.4
        if place % 4 == 2:
            samples[span] += np.exp(-since * 18) * rng.normal(size=len(since)) * 0.35
        elif pattern[place % 8] > 0.4:
            bright = np.diff(rng.normal(size=len(since)), prepend=0.0)
            samples[span] += np.exp(-since * 60) * bright * 0.35
    return samples


def _plucked(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """A melody of plucked strings: sharp attacks, overtones that die at different speeds."""
    samples, step = np.zeros_like(time), rng.uniform(0.22, 0.3)
    root = rng.uniform(190.0, 260.0)
    for start in np.arange(0.0, time[-1], step):
        span, since = _span(time, start, 0.6)
        pitch = root * 2.0 ** (rng.choice(_SCALE) / 12.0)
        for n in range(1, 9):
            fall = np.exp(-since * (4.0 + 2.5 * n)) / n**0.8
            samples[span] += np.sin(2 * np.pi * pitch * n * since) * fall
    return samples


def _drone(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """A low buzzing drone that swells, through a filter that opens and closes."""
    pitch, beating, sweep = rng.uniform(48.0, 80.0), rng.uniform(0.4, 1.5), rng.uniform(0.2, 0.5)
    softness = 1.5  # overtones over which the filter fades out
    cutoff = 9.0 + 6.0 * np.sin(2 * np.pi * sweep * time + rng.uniform(0.0, 6.3))
    closing = np.exp(-cutoff / softness)
    phase = 2 * np.pi * pitch * time
    turn, before, tone, samples = (
        2.0 * np.cos(phase),
        np.zeros_like(time),
        np.sin(phase),
        np.zeros_like(time),
    )
    for n in range(1, 19):
        # 1 / (1 + exp((n - cutoff) / softness)) is how far the filter lets overtone n through.
        samples += tone / ((1.0 + np.exp(n / softness) * closing) * n)
        # sin((n + 1) a) = 2 cos(a) sin(n a) - sin((n - 1) a)
        before, tone = tone, turn * tone - before
    return samples * (1.0 + 0.4 * np.sin(2 * np.pi * beating * time))


def _tremolo(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """A reedy tone of middle height that trembles."""
    pitch, rate = rng.uniform(620.0, 950.0), rng.uniform(7.0, 10.0)
    glide = pitch * 2.0 ** (rng.uniform(-0.1, 0.1) * time / time[-1])
    phase = 2 * np.pi * np.cumsum(glide) * (time[1] - time[0])
    tone = sum(np.sin(n * phase) / n for n in (1, 3, 5, 7))
    return tone * (0.5 + 0.5 * np.sin(2 * np.pi * rate * time)) ** 1.5


def _chirps(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Birds: short high whistles that sweep up or down, with pauses."""
    samples, start = np.zeros_like(time), rng.uniform(0.0, 0.15)
    low, high = rng.uniform(2000.0, 2800.0), rng.uniform(3600.0, 5200.0)
    while start < time[-1]:
        length = rng.uniform(0.07, 0.16)
        span, since = _span(time, start, length)
        share = since / length
        ends = (low, high) if rng.random() < 0.7 else (high, low)
        cycles = length * (ends[0] * share + (ends[1] - ends[0]) * share**2 / 2.0)
        samples[span] += np.sin(np.pi * share) ** 2 * np.sin(2 * np.pi * cycles)
        start += length + rng.uniform(0.03, 0.25)
    return samples


def _span(time: np.ndarray, start: float, seconds: float) -> tuple[slice, np.ndarray]:
    """The samples from `start` on for `seconds`, and the time since `start` at each."""
    first, last = np.searchsorted(time, [start, start + seconds])
    return slice(first, last), time[first:last] - start


_KINDS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "organ": _organ,
    "drums": _drums,
    "plucked": _plucked,
    "drone": _drone,
    "tremolo": _tremolo,
    "chirps": _chirps,
}
SOUND_KINDS = tuple(_KINDS)
