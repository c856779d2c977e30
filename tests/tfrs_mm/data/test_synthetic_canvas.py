import numpy as np
import pytest

from tfrs_mm.data.synthetic_canvas import (
    blend,
    disc,
    grid,
    paint,
    polygon,
    ring,
    stripes,
    to_pixels,
    vary,
)


def test_the_grid_holds_the_centres_of_the_pixels():
    y, x = grid(4)
    # Four pixels of width .5 between -1 and 1.
    np.testing.assert_array_equal(x[0], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_array_equal(y[:, 0], [-0.75, -0.25, 0.25, 0.75])


@pytest.mark.parametrize(
    ("coverage_of", "area"),
    [
        (lambda y, x: disc(y, x, (0.1, -0.2), 0.5), np.pi * 0.25),
        # Twice pi times the radius times the width of the pen.
        (lambda y, x: ring(y, x, (0.0, 0.0), 0.5, 0.1), 2 * np.pi * 0.5 * 0.1),
        (lambda y, x: stripes(x, 0.5, 0.3), 4 * 0.3),
    ],
)
def test_a_coverage_sums_up_to_the_area_of_its_shape(coverage_of, area):
    coverage = coverage_of(*grid(200))
    # The square is 2 by 2 and has 200 by 200 pixels.
    assert coverage.sum() * 4 / 200**2 == pytest.approx(area, rel=0.01)
    assert coverage.min() >= 0 and coverage.max() <= 1


def test_a_square_of_radius_one_half_has_sides_of_its_root():
    y, x = grid(200)
    within = polygon(y, x, (0.0, 0.0), 0.5, 4, 0.3) < 0
    # The diagonal is 1, so the area is 1/2, however it is turned.
    assert within.sum() * 4 / 200**2 == pytest.approx(0.5, rel=0.02)


def test_paint_mixes_by_coverage():
    canvas = paint(np.zeros((1, 2, 3)), np.array([[0.25, 1.0]]), np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(canvas[0], [[0.25, 0.125, 0.0], [1.0, 0.5, 0.0]])


def test_blend_keeps_the_ends_outside_of_zero_and_one():
    black, white = np.zeros(3), np.ones(3)
    shares = np.array([[-1.0, 0.25, 2.0]])
    np.testing.assert_allclose(blend(black, white, shares)[0, :, 0], [0.0, 0.25, 1.0])


def test_pixels_are_clipped_and_rounded():
    np.testing.assert_array_equal(to_pixels(np.array([-0.1, 0.5, 1.2])), [0, 128, 255])


def test_a_varied_palette_stays_near_its_colours():
    palette = vary(np.random.default_rng(0), ["#ff0000", "#000000"])
    assert palette.shape == (2, 3) and palette.dtype == np.float32
    assert palette[0, 0] > 0.8 and palette[0, 1:].max() < 0.3
    np.testing.assert_array_equal(palette[1], 0.0)
