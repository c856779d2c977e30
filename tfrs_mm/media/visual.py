"""Pictures and films to squares of RGB pixels.

The square is the one that the pretrained image encoder was trained on: the short side becomes
256/224 of the wanted size (bicubic), and the centre is cut out. Pictures go through Pillow, films
through PyAV; both see only formats that open no other file and start no other program.
"""

import io
import os
from typing import Any

import numpy as np

from tfrs_mm._runtime import import_optional
from tfrs_mm.media.containers import open_container, stream_seconds
from tfrs_mm.media.errors import MediaError

# Pillow also reads formats that call external programs (EPS) or that have no place in a catalogue.
_PICTURE_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF", "TIFF")
_SHORT_SIDE_OVER_CROP = 256 / 224
# A frame further ahead than this is reached by seeking to a key frame, a nearer one by decoding on.
_SEEK_AHEAD_S = 8.0


def decode_image(data: bytes, size_px: int, max_pixels: int) -> np.ndarray:
    """The picture's centre square, upright, opaque over white; of an animation the first frame.

    Args:
        data: a JPEG, PNG, GIF, BMP, WebP, AVIF or TIFF file.
        size_px: side of the square.
        max_pixels: width times height above which the picture is refused before it is decoded.

    Returns:
        `[size_px, size_px, 3]` uint8.

    Raises:
        MediaError: no picture, damaged, or too large.
    """
    image_module = import_optional("PIL.Image")
    operations = import_optional("PIL.ImageOps")
    if not data:
        raise MediaError("file is empty")
    try:
        image = image_module.open(io.BytesIO(data), formats=_PICTURE_FORMATS)
    except image_module.DecompressionBombError as error:
        raise MediaError("picture has too many pixels") from error
    except image_module.UnidentifiedImageError as error:
        raise MediaError("not a picture of a known format") from error
    except Exception as error:  # Pillow's readers raise any type on damaged headers
        raise MediaError("picture is damaged") from error
    _check_pixels(image.width, image.height, max_pixels, "picture")
    try:
        image.load()
        upright = operations.exif_transpose(image)
        return _centre_square(_to_rgb(upright), size_px)
    except MediaError:
        raise
    except Exception as error:  # likewise for damaged contents
        raise MediaError("picture is damaged") from error


def sample_video(
    data: bytes | str | os.PathLike[str], frames: int, size_px: int, max_pixels: int
) -> np.ndarray:
    """Frames at the middles of equal spans of time, upright, cut to their centre squares.

    Timestamps choose them, since WebM does not say how many frames it has.

    Args:
        data: the file's bytes, or its path.
        frames: how many to take; a film with fewer, or one cut short, gives what it has, each once.
        size_px: side of the squares.
        max_pixels: width times height above which the film is refused before it is decoded.

    Returns:
        `[n, size_px, size_px, 3]` uint8 with 1 <= n <= `frames`.

    Raises:
        MediaError: no film, damaged, or too large.
    """
    image_module = import_optional("PIL.Image")
    squares = []
    with open_container(data, "video", max_pixels) as (container, stream):
        _check_pixels(stream.codec_context.width, stream.codec_context.height, max_pixels, "film")
        start_s, seconds = stream_seconds(container, stream)
        wanted_s = [start_s + seconds * (index + 0.5) / frames for index in range(frames)]
        for frame in _frames_at(container, stream, wanted_s):
            _check_pixels(frame.width, frame.height, max_pixels, "film")
            square = _centre_square(
                image_module.fromarray(frame.to_ndarray(format="rgb24")), size_px
            )
            squares.append(np.rot90(square, k=round(frame.rotation / 90) % 4))
    if not squares:
        raise MediaError("film has no frames")
    return np.stack(squares)


def _frames_at(container: Any, stream: Any, wanted_s: list[float]) -> list[Any]:
    """For each time the frame shown then; none twice."""
    shown: list[Any] = []
    decoded = container.decode(stream)
    current = following = next(decoded, None)
    for time_s in wanted_s:
        if following is None:
            break
        if time_s - _time_of(following) > _SEEK_AHEAD_S:
            container.seek(int(time_s / stream.time_base), stream=stream)
            decoded = container.decode(stream)
            sought = next(decoded, None)
            current = following = sought if sought is not None else following
        while following is not None and _time_of(following) <= time_s:
            current, following = following, next(decoded, None)
        if not shown or shown[-1] is not current:
            shown.append(current)
    return shown


def _time_of(frame: Any) -> float:
    if frame.time is None:
        raise MediaError("film has no timestamps")
    return frame.time


def _check_pixels(width: int, height: int, max_pixels: int, what: str) -> None:
    if width < 1 or height < 1:
        raise MediaError(f"{what} has no pixels")
    if width * height > max_pixels:
        raise MediaError(f"{what} has too many pixels")


def _to_rgb(image: Any) -> Any:
    """Any of Pillow's modes as RGB: alpha over white, 16 bits scaled down to 8."""
    image_module = import_optional("PIL.Image")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        levels = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return image_module.fromarray((levels // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise MediaError("picture holds floating-point pixels")
    if image.has_transparency_data:
        opaque = image_module.new("RGBA", image.size, (255, 255, 255, 255))
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def _centre_square(image: Any, size_px: int) -> np.ndarray:
    """Resize and centre crop in one step, so that a very long picture never becomes a huge one."""
    image_module = import_optional("PIL.Image")
    resized_side = round(size_px * _SHORT_SIDE_OVER_CROP)
    side = min(image.size) * size_px / resized_side
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = image.resize(
        (size_px, size_px),
        resample=image_module.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
    )
    return np.array(square, dtype=np.uint8)
