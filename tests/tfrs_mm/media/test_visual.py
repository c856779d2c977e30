import io

import numpy as np
import pytest
from PIL import Image

from tfrs_mm.media import MediaError, decode_image, sample_video

MANY_PIXELS = 10**6


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def plain(colour=(200, 100, 50), size=(40, 30), mode="RGB"):
    return Image.new(mode, size, colour)


def film(form="mp4", codec="libx264", frames=50, rate=25, duration_known=True):
    """Frame i is grey of level 5 i."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    options = {} if duration_known else {"live": "1"}
    with av.open(file, "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=rate, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            pixels = np.full((48, 64, 3), 5 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_each_format_gives_the_colour_that_was_written(form):
    pixels = decode_image(encoded(plain(), form), 32, MANY_PIXELS)
    assert pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels.reshape(-1, 3), [[200, 100, 50]] * 1024, atol=4)


def test_the_square_is_the_centre_224_of_256():
    # 256 x 512, resized to itself: the crop takes columns 144..367 and rows 16..239.
    columns = np.tile(np.arange(512) // 2, (256, 1)).astype(np.uint8)
    pixels = decode_image(encoded(Image.fromarray(columns), "PNG"), 224, MANY_PIXELS)
    np.testing.assert_array_equal(pixels[:, :, 0], columns[16:240, 144:368])


def test_the_square_agrees_with_resizing_first_and_cropping_then():
    noise = np.random.default_rng(1).integers(0, 255, (320, 512, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    # Short side 320 -> 256, long side 512 -> 409.6; the crop's left edge is off by at most half a
    # pixel, so only a smooth picture can be compared: blur the noise first.
    picture = picture.resize((16, 10)).resize((512, 320), Image.Resampling.BICUBIC)
    resized = picture.resize((410, 256), Image.Resampling.BICUBIC)
    expected = np.asarray(resized.crop((93, 16, 93 + 224, 16 + 224)), np.int32)
    pixels = decode_image(encoded(picture, "PNG"), 224, MANY_PIXELS).astype(np.int32)
    assert np.abs(pixels - expected).max() <= 6


def test_a_picture_one_pixel_high_stays_small():
    assert decode_image(encoded(plain(size=(5000, 1)), "PNG"), 32, MANY_PIXELS).shape == (32, 32, 3)


def test_exif_rotation_is_applied():
    upright = np.zeros((40, 40, 3), np.uint8)
    upright[:20] = 255  # white above, black below
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees: shown after a quarter turn clockwise
    stored = Image.fromarray(np.rot90(upright, k=1).copy())
    pixels = decode_image(encoded(stored, "JPEG", exif=exif, quality=95), 32, MANY_PIXELS)
    assert pixels[:10].min() > 240 and pixels[-10:].max() < 15


def test_transparent_places_show_white():
    picture = plain((255, 0, 0, 0), mode="RGBA")
    assert decode_image(encoded(picture, "PNG"), 8, MANY_PIXELS).min() == 255
    half = plain((0, 0, 0, 128), mode="RGBA")
    # 255 * (1 - 128 / 255) = 127
    np.testing.assert_allclose(decode_image(encoded(half, "PNG"), 8, MANY_PIXELS), 127, atol=1)


def test_a_transparent_palette_colour_shows_white():
    picture = plain(0, mode="P")
    picture.putpalette([10, 20, 30])
    data = encoded(picture, "PNG", transparency=0)
    assert decode_image(data, 8, MANY_PIXELS).min() == 255


def test_grey_becomes_three_equal_channels():
    pixels = decode_image(encoded(plain(77, mode="L"), "PNG"), 8, MANY_PIXELS)
    np.testing.assert_array_equal(pixels, np.full((8, 8, 3), 77))


def test_sixteen_bits_are_scaled_down():
    picture = Image.fromarray(np.full((20, 20), 0x8080, np.uint16))
    # 0x8080 = 32896 = 128 * 257
    np.testing.assert_array_equal(
        decode_image(encoded(picture, "PNG"), 8, MANY_PIXELS), np.full((8, 8, 3), 128)
    )


def test_cmyk_is_converted():
    pixels = decode_image(encoded(plain((0, 255, 255, 0), mode="CMYK"), "JPEG"), 8, MANY_PIXELS)
    assert pixels[..., 0].min() > 200 and pixels[..., 1:].max() < 60


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(form):
    data = encoded(plain((255, 0, 0)), form, save_all=True, append_images=[plain((0, 0, 255))])
    pixels = decode_image(data, 8, MANY_PIXELS)
    assert pixels[..., 0].min() > 240 and pixels[..., 2].max() < 15


def test_too_many_pixels_are_refused_by_the_header_alone():
    data = encoded(plain(size=(100, 100)), "PNG")
    with pytest.raises(MediaError, match="picture has too many pixels"):
        decode_image(data[:60], 8, max_pixels=9_999)
    with pytest.raises(MediaError, match="picture is damaged"):
        decode_image(data[:60], 8, max_pixels=10_000)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_cut_short_is_damaged(form):
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, form)
    with pytest.raises(MediaError, match="damaged"):
        decode_image(data[: len(data) // 2], 8, MANY_PIXELS)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(MediaError, match=r"not a picture|empty"):
        decode_image(data, 8, MANY_PIXELS)


@pytest.mark.parametrize(
    ("form", "codec"),
    [("mp4", "libx264"), ("webm", "libvpx"), ("matroska", "mpeg4"), ("avi", "mpeg4")],
)
def test_frames_come_from_the_middles_of_equal_spans(form, codec):
    # 50 frames in 2 s; the middles of four spans are 0.25, 0.75, 1.25, 1.75 s: frames 6, 18, 31,
    # 43.
    shown = sample_video(film(form, codec), 4, 32, MANY_PIXELS)
    assert shown.shape == (4, 32, 32, 3) and shown.dtype == np.uint8
    np.testing.assert_allclose(shown.mean(axis=(1, 2, 3)), [30, 90, 155, 215], atol=8)


def test_a_film_that_does_not_say_its_length_is_looked_through():
    data = film("webm", "libvpx", duration_known=False)
    shown = sample_video(data, 4, 32, MANY_PIXELS)
    np.testing.assert_allclose(shown.mean(axis=(1, 2, 3)), [30, 90, 155, 215], atol=8)


def test_far_frames_are_reached_by_seeking():
    # One frame a second, 50 s; spans of 25 s: their middles are 12.5 and 37.5 s.
    shown = sample_video(film(rate=1), 2, 32, MANY_PIXELS)
    np.testing.assert_allclose(shown.mean(axis=(1, 2, 3)), [60, 185], atol=8)


def test_a_film_with_fewer_frames_gives_each_once():
    assert sample_video(film(frames=3), 8, 32, MANY_PIXELS).shape == (3, 32, 32, 3)
    assert sample_video(film(frames=1), 8, 32, MANY_PIXELS).shape == (1, 32, 32, 3)


def test_bytes_and_path_give_the_same(tmp_path):
    data = film()
    (tmp_path / "film.mp4").write_bytes(data)
    np.testing.assert_array_equal(
        sample_video(data, 2, 16, MANY_PIXELS),
        sample_video(tmp_path / "film.mp4", 2, 16, MANY_PIXELS),
    )


def test_a_broken_film_is_refused(tmp_path):
    data = film()
    for broken in (b"", b"no film at all", data[: len(data) // 2], encoded(plain(), "JPEG")[:200]):
        with pytest.raises(MediaError):
            sample_video(broken, 2, 16, MANY_PIXELS)
    with pytest.raises(MediaError, match="film has too many pixels"):
        sample_video(data, 2, 16, max_pixels=64 * 48 - 1)
    with pytest.raises(MediaError, match="does not exist"):
        sample_video(tmp_path / "none.mp4", 2, 16, MANY_PIXELS)
