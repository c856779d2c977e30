"""Every form of pixels that a picture may come in gives the colours that a viewer would show."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfrs_mm.media import MediaError, decode_image

MANY_PIXELS = 10**6


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def decoded(data, size_px=8):
    return decode_image(data, size_px, MANY_PIXELS)


def png(width, height, bits, colour_type, rows=b"", chunks=()):
    """A PNG file put together by hand, since Pillow does not write every form."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def quarters():
    """40 x 40: red and green above, blue and white below."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:20, :20, 0] = pixels[:20, 20:, 1] = pixels[20:, :20, 2] = 255
    pixels[20:, 20:] = 255
    return pixels


# How the stored picture is to be turned so that orientation n shows it upright again.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, k=1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, k=-1),
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", sorted(STORED))
def test_every_orientation_is_shown_upright(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](quarters())))
    options = {"lossless": True} if form == "WEBP" else {}
    options |= {"quality": 95, "subsampling": 0} if form == "JPEG" else {}
    options |= {"quality": 95} if form == "AVIF" else {}
    pixels = decoded(encoded(stored, form, exif=exif, **options), 16)
    corners = [pixels[2, 2], pixels[2, -3], pixels[-3, 2], pixels[-3, -3]]
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    np.testing.assert_allclose(corners, expected, atol=12)


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_is_none_turns_nothing(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decoded(encoded(Image.fromarray(quarters()), "PNG", exif=exif))
    np.testing.assert_array_equal(pixels[0, 0], [255, 0, 0])


@pytest.mark.parametrize(
    ("mode", "colour", "form", "expected"),
    [
        ("1", 1, "PNG", [255, 255, 255]),
        ("L", 77, "JPEG", [77, 77, 77]),
        ("LA", (77, 255), "PNG", [77, 77, 77]),
        ("LA", (0, 0), "PNG", [255, 255, 255]),  # nothing of it shows
        ("RGBA", (10, 20, 30, 255), "WEBP", [10, 20, 30]),
        ("RGBA", (0, 0, 0, 0), "WEBP", [255, 255, 255]),
        ("RGBA", (0, 0, 0, 51), "TIFF", [204, 204, 204]),  # 255 * (1 - 51 / 255)
        ("CMYK", (255, 0, 0, 0), "TIFF", [0, 255, 255]),
        ("CMYK", (0, 0, 0, 255), "JPEG", [0, 0, 0]),
        ("CMYK", (255, 0, 0, 0), "JPEG", [0, 255, 255]),  # stored inverted, as Adobe does
        ("RGBA", (0, 0, 0, 51), "AVIF", [204, 204, 204]),
        ("YCbCr", (128, 128, 128), "JPEG", [128, 128, 128]),
        ("LAB", (255, 128, 128), "TIFF", [255, 255, 255]),
        ("I;16", 0x8080, "TIFF", [128, 128, 128]),
        ("I", 0xFFFF, "TIFF", [255, 255, 255]),
        ("I", 10_000_000, "TIFF", [255, 255, 255]),  # brighter than white is white
    ],
)
def test_every_mode_becomes_red_green_and_blue(mode, colour, form, expected):
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    pixels = decoded(encoded(Image.new(mode, (20, 20), colour), form, **options))
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, [8, 8, 3]), atol=3)


@pytest.mark.parametrize(
    ("bits", "colour_type", "pixel", "expected"),
    [
        (1, 0, None, [255, 255, 255]),
        (2, 0, None, [255, 255, 255]),
        (4, 0, None, [255, 255, 255]),
        (16, 0, [0x8080], [128, 128, 128]),
        (16, 2, [0xFFFF, 0x8080, 0], [255, 128, 0]),
        (16, 4, [0x8080, 0xFFFF], [128, 128, 128]),
        (16, 4, [0, 0], [255, 255, 255]),
        (16, 6, [0xFFFF, 0, 0, 0xFFFF], [255, 0, 0]),
        (16, 6, [0, 0, 0, 0], [255, 255, 255]),
    ],
)
def test_every_depth_of_a_png_is_scaled_to_eight_bits(bits, colour_type, pixel, expected):
    row = b"\xff" * 8 * bits if pixel is None else struct.pack(f">{len(pixel)}H", *pixel) * 8
    width = 64 if pixel is None else 8
    pixels = decoded(png(width, 8, bits, colour_type, (b"\0" + row) * 8))
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, [8, 8, 3]), atol=1)


def test_each_colour_of_a_palette_has_its_own_transparency():
    palette = (b"PLTE", bytes([255, 0, 0, 0, 0, 255]))
    transparency = (b"tRNS", bytes([255, 0]))  # red stays, blue goes
    rows = (b"\0" + bytes([0] * 8 + [1] * 8)) * 16
    pixels = decoded(png(16, 16, 8, 3, rows, [palette, transparency]), 16)
    np.testing.assert_array_equal(pixels[8, 2], [255, 0, 0])
    np.testing.assert_array_equal(pixels[8, -3], [255, 255, 255])


def test_the_one_transparent_colour_of_a_gif_shows_white():
    picture = Image.new("P", (16, 16), 0)
    picture.putpalette([0, 0, 0, 9, 9, 9])
    assert decoded(encoded(picture, "GIF", transparency=0)).min() == 255


def test_pixels_that_are_fractions_are_refused():
    with pytest.raises(MediaError, match="floating-point"):
        decoded(encoded(Image.new("F", (8, 8), 0.5), "TIFF"))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_a_long_animation_costs_its_first_frame_only(form):
    frames = [Image.new("RGB", (16, 16), (0, 4 * n, 255 - n)) for n in range(60)]
    data = encoded(
        Image.new("RGB", (16, 16), (255, 0, 0)), form, save_all=True, append_images=frames
    )
    np.testing.assert_allclose(decoded(data)[4, 4], [255, 0, 0], atol=4)
    if form in ("GIF", "PNG"):
        # What is cut off behind the first frame is never looked at.
        np.testing.assert_allclose(decoded(data[: 2 * len(data) // 3])[4, 4], [255, 0, 0], atol=4)


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (2**31 - 1, 1), (1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_bursts(width, height):
    # Some hundred bytes that claim up to gigabytes of pixels.
    data = png(width, height, 8, 2, b"\0" * 1_000)
    with pytest.raises(MediaError, match="picture has too many pixels"):
        decode_image(data, 8, 50_000_000)


def test_a_bomb_among_the_comments_is_refused():
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 80_000_000, 9))
    with pytest.raises(MediaError, match="picture is damaged"):
        decoded(png(8, 8, 8, 0, (b"\0" + b"\x80" * 8) * 8, [text]))


def test_a_picture_of_one_pixel_fills_the_square():
    assert (decoded(encoded(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG")) == [9, 8, 7]).all()
