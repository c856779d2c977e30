"""Bytes of pictures, sounds and films to canonical arrays; no TensorFlow, so workers start fast."""

from tfrs_mm.media.audio import decode_audio, log_mel, patches
from tfrs_mm.media.errors import MediaError
from tfrs_mm.media.paths import read_below, resolve_below
from tfrs_mm.media.visual import decode_image, sample_video

__all__ = [
    "MediaError",
    "decode_audio",
    "decode_image",
    "log_mel",
    "patches",
    "read_below",
    "resolve_below",
    "sample_video",
]
