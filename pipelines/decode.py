"""From a cell of the catalogue to its bytes, and from these to what an encoder takes.

A picture is one square of pixels, a text is one string, a sound is a list of log-mel patches, a
film a list of frames. How the bytes are decoded is the business of `tfrs_mm.media`; what is read,
and what makes an item's text, is decided here.
"""

import dataclasses
import functools
import html
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.media_files import MediaFiles
from tfrs_mm.artefacts import fingerprint_of
from tfrs_mm.config import EncoderConfig
from tfrs_mm.errors import UserError
from tfrs_mm.media import (
    MediaError,
    decode_audio,
    decode_image,
    log_mel,
    patches,
    sample_video,
)
from tfrs_mm.media.audio import NUM_MELS, PATCH_FRAMES
from tfrs_mm.schema import Modality

if TYPE_CHECKING:
    import pyarrow as pa

# To be raised when the same bytes and settings come to give other arrays.
_DECODING = 1

_MARKUP = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")
_ENDS_A_SENTENCE = (".", "!", "?", "…")


@dataclasses.dataclass(frozen=True)
class Decoder:
    """What turns a cell into the inputs of an encoder, in two steps; it can be pickled.

    Attributes:
        read: a cell to the medium's bytes, or MediaError.
        arrays: these bytes to `[n, ...]` with n >= 1, or MediaError.
        fingerprint: equal where the same bytes give the same arrays.
    """

    read: Callable[[str], bytes]
    arrays: Callable[[bytes], np.ndarray]
    fingerprint: str

    def __call__(self, cell: str) -> np.ndarray:
        """Both steps."""
        return self.arrays(self.read(cell))


def decoder_of(
    modality: Modality,
    input_shape: Sequence[int | None],
    files: MediaFiles,
    config: EncoderConfig,
) -> Decoder:
    """What turns a cell into the inputs of this encoder.

    Args:
        modality: of the cell: a path of a file, or the text itself.
        input_shape: what the encoder takes, the first axis being the batch.
        files: where paths lead to.
        config: limits of a file, frames of a film, seconds of a sound.

    Raises:
        UserError: no such inputs are made of this modality.
    """
    shape = tuple(input_shape)[1:]
    read = functools.partial(files.read, max_bytes=config.max_bytes)
    if modality is Modality.TEXT and shape == ():
        read = functools.partial(read_text, max_bytes=config.max_bytes)
        return _decoder(read, text_arrays, {})
    if modality is Modality.AUDIO and shape == (PATCH_FRAMES, NUM_MELS):
        return _decoder(read, audio_arrays, {"max_seconds": config.max_seconds})
    if (
        modality in (Modality.IMAGE, Modality.VIDEO)
        and len(shape) == 3
        and shape == (shape[0], shape[0], 3)
    ):
        # A limit is one of the settings: it decides what is rejected.
        pixels = {"size_px": shape[0], "max_pixels": config.max_pixels}
        if modality is Modality.IMAGE:
            return _decoder(read, image_arrays, pixels)
        return _decoder(read, video_arrays, {"frames": config.frames, **pixels})
    raise UserError(
        f"the encoder of {modality} must take a batch of "
        f"{_INPUTS[modality]}, but its inputs have the shape {list(input_shape)}. "
        "Give another encoder."
    )


_INPUTS = {
    Modality.IMAGE: "[size, size, 3] pixels",
    Modality.TEXT: "strings",
    Modality.AUDIO: f"[{PATCH_FRAMES}, {NUM_MELS}] patches",
    Modality.VIDEO: "[size, size, 3] frames",
}


def _decoder(
    read: Callable[[str], bytes], arrays: Callable[..., np.ndarray], settings: dict[str, Any]
) -> Decoder:
    fingerprint = fingerprint_of([arrays.__name__, settings, _DECODING])
    return Decoder(read, functools.partial(arrays, **settings), fingerprint)


def read_text(text: str, max_bytes: int) -> bytes:
    """The text itself, UTF-8."""
    encoded = text.encode("utf-8")
    if len(encoded) > max_bytes:
        raise MediaError("text is too large")
    return encoded


def image_arrays(data: bytes, size_px: int, max_pixels: int) -> np.ndarray:
    """`[1, size_px, size_px, 3]` uint8."""
    return decode_image(data, size_px, max_pixels)[np.newaxis]


def video_arrays(data: bytes, frames: int, size_px: int, max_pixels: int) -> np.ndarray:
    """`[n, size_px, size_px, 3]` uint8, at most `frames` of them."""
    return sample_video(data, frames, size_px, max_pixels)


def audio_arrays(data: bytes, max_seconds: float) -> np.ndarray:
    """`[n, 187, 96]` float32, log-mel patches of 3 s."""
    return patches(log_mel(decode_audio(data, max_seconds)))


def text_arrays(data: bytes) -> np.ndarray:
    """`[1]`, an object array that holds the UTF-8 bytes."""
    array = np.empty(1, dtype=object)
    array[0] = data
    return array


def item_text(title: str, description: str) -> str:
    """Title and description as one text without markup; empty where both are."""
    title, description = clean_text(title), clean_text(description)
    if title and description and not title.endswith(_ENDS_A_SENTENCE):
        title += "."
    return f"{title} {description}".strip()


def clean_text(text: str) -> str:
    """The text without HTML tags, entities and control characters, each run of blanks made one."""
    plain = html.unescape(_MARKUP.sub(" ", text))
    return " ".join(plain.translate(_CONTROLS).split())


def cells_of(items: "pa.RecordBatch", modality: Modality) -> list[str]:
    """What the catalogue says of one modality, for each item; empty where it says nothing.

    Args:
        items: rows of the catalogue, all columns strings; a column may be absent and a cell null.
    """
    if modality is Modality.TEXT:
        titles, descriptions = _strings(items, "title"), _strings(items, "description")
        return [item_text(*pair) for pair in zip(titles, descriptions, strict=True)]
    return [cell.strip() for cell in _strings(items, f"{modality.value}_path")]


def _strings(items: "pa.RecordBatch", column: str) -> list[str]:
    if column not in items.schema.names:
        return [""] * items.num_rows
    return [cell or "" for cell in items.column(column).to_pylist()]
