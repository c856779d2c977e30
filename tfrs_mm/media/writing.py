"""Writes arrays as media files: JPEG through Pillow, MP3 and MP4 through PyAV.

The same array gives the same bytes on one machine: no wall-clock metadata, one encoding thread. A
file appears whole or not at all: it is written under a temporary name and renamed.
"""

import os
from fractions import Fraction

import numpy as np

from tfrs_mm._runtime import import_optional
from tfrs_mm.artefacts import whole_file

_JPEG_QUALITY = 88
_MP3_BIT_RATE = 48_000
_MP3_SPEED = {"compression_level": "8"}  # LAME's own quality 8 of 9: the fastest but one
_MP4_QUALITY = {"crf": "23", "preset": "veryfast"}
_MP3_SAMPLE_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def write_jpeg(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Writes a picture.

    Args:
        path: where to; its folder exists.
        array: `[height, width, 3]` uint8, RGB.
    """
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"`array` must be uint8 [height, width, 3]. Received: {_form(array)}.")
    image = import_optional("PIL.Image")
    with whole_file(path) as temporary:
        image.fromarray(array).save(temporary, format="JPEG", quality=_JPEG_QUALITY)


def write_mp3(path: str | os.PathLike[str], samples: np.ndarray, sample_rate_hz: int) -> None:
    """Writes a mono sound.

    Args:
        path: where to; its folder exists.
        samples: `[samples]` floats from -1 to 1; what lies outside is clipped.
        sample_rate_hz: one of the rates that MP3 knows.
    """
    if samples.ndim != 1 or not len(samples) or not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(
            f"`samples` must be floats [samples], one at least. Received: {_form(samples)}."
        )
    if not np.isfinite(samples).all():
        raise ValueError("`samples` must be finite. Received: NaN or infinity among them.")
    if sample_rate_hz not in _MP3_SAMPLE_RATES_HZ:
        raise ValueError(
            f"`sample_rate_hz` must be one of {_MP3_SAMPLE_RATES_HZ}. Received: {sample_rate_hz}."
        )
    av = import_optional("av")
    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    with whole_file(path) as temporary, av.open(str(temporary), "w", format="mp3") as container:
        stream = container.add_stream(
            "libmp3lame", rate=sample_rate_hz, layout="mono", options=_MP3_SPEED
        )
        stream.bit_rate = _MP3_BIT_RATE
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16p", layout="mono")
        frame.sample_rate = sample_rate_hz
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_mp4(path: str | os.PathLike[str], frames: np.ndarray, fps: int) -> None:
    """Writes a film without sound, as H.264.

    Args:
        path: where to; its folder exists.
        frames: `[frames, height, width, 3]` uint8, RGB; height and width are even.
        fps: frames a second, 1 at least.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise ValueError(
            f"`frames` must be uint8 [frames, height, width, 3]. Received: {_form(frames)}."
        )
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        raise ValueError(f"`frames` must have an even height and width. Received: {_form(frames)}.")
    if fps < 1:
        raise ValueError(f"`fps` must be at least 1. Received: {fps}.")
    av = import_optional("av")
    with whole_file(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=_MP4_QUALITY)
        stream.height, stream.width = frames.shape[1], frames.shape[2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        stream.codec_context.thread_count = 1
        for position, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
            frame.pts, frame.time_base = position, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _form(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"
