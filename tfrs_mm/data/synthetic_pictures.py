"""Pictures in six styles, each with its own palette and motif; no two of a style are alike."""

from collections.abc import Callable

import numpy as np

from tfrs_mm.data.synthetic_canvas import (
    blend,
    disc,
    distance_from,
    grid,
    inside,
    paint,
    ring,
    stripes,
    to_pixels,
    vary,
)


def draw_picture(rng: np.random.Generator, style: int, size_px: int) -> np.ndarray:
    """A new picture of a style.

    Args:
        rng: decides everything but the style.
        style: index into `PICTURE_STYLES`.
        size_px: side of the square.

    Returns:
        `[size_px, size_px, 3]` uint8.
    """
    y, x = grid(size_px)
    return to_pixels(_STYLES[PICTURE_STYLES[style]](rng, y, x))


def _sunset(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One big sun over a warm sky, and hills."""
    top, low, sun, *hills = vary(rng, ["#7a1f3d", "#ff8c42", "#ffd166", "#a4243b", "#5c1a2e"])
    canvas = blend(top, low, (y + 1.0) / 1.6)
    canvas = paint(
        canvas, disc(y, x, rng.uniform([-0.4, -0.6], [0.3, 0.6]), rng.uniform(0.25, 0.5)), sun
    )
    for depth, colour in enumerate(hills):
        waves, phase = rng.uniform(1.5, 4.0), rng.uniform(0.0, 6.3)
        ridge = 0.35 + 0.3 * depth + rng.uniform(0.05, 0.15) * np.sin(waves * x + phase)
        canvas = paint(canvas, inside(ridge - y), colour)
    return canvas


def _blueprint(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Fine white lines on blue: a square grid, outlines of boxes and circles."""
    paper, line, bold = vary(rng, ["#12408a", "#5d8fdc", "#eaf2ff"])
    canvas = np.broadcast_to(paper, (*y.shape, 3))
    period = rng.uniform(0.18, 0.3)
    for axis in (y, x):
        canvas = paint(canvas, stripes(axis + rng.uniform(0.0, period), period, 0.08), line)
    for _ in range(rng.integers(3, 6)):
        centre, half = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.15, 0.45, 2)
        box = np.maximum(np.abs(y - centre[0]) - half[0], np.abs(x - centre[1]) - half[1])
        canvas = paint(canvas, inside(np.abs(box) - 0.018), bold)
    for _ in range(rng.integers(1, 3)):
        canvas = paint(
            canvas, ring(y, x, rng.uniform(-0.5, 0.5, 2), rng.uniform(0.2, 0.5), 0.035), bold
        )
    return canvas


def _forest(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rows of green fir trees under a pale sky."""
    sky, mist, *greens = vary(rng, ["#cfe8d5", "#9ccfa3", "#4f9d5b", "#2f7a44", "#17512e"])
    canvas = blend(sky, mist, (y + 1.0) / 2.0)
    for depth, colour in enumerate(greens):
        foot, storeys = 0.1 + 0.4 * depth, int(rng.integers(3, 5))
        for at in rng.uniform(-1.0, 1.0, 9 - 2 * depth).tolist():
            height = (0.55 + 0.25 * depth) * rng.uniform(0.8, 1.2)
            down = (y - foot + height) / height
            # Each storey is wider at its foot than the next one at its top.
            width = 0.36 * height * down * (0.55 + 0.45 * ((storeys * down) % 1.0))
            tree = np.maximum(np.abs(x - at) - width, -down * height)
            canvas = paint(canvas, inside(np.where(down < 1.0, tree, 1.0)), colour)
        canvas = paint(canvas, inside(foot - 0.05 - y), colour)
    return canvas


def _ink(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bold slanted stripes in black and white."""
    white, black, grey = vary(rng, ["#f7f7f5", "#141414", "#8f8f8f"])
    angle, period = rng.uniform(0.4, 1.2), rng.uniform(0.16, 0.26)
    slant = 1.0 if rng.random() < 0.5 else -1.0
    across = float(np.cos(angle)) * x + slant * float(np.sin(angle)) * y + rng.uniform(0.0, period)
    bold = stripes(across, period, rng.uniform(0.4, 0.6))
    canvas = paint(np.broadcast_to(white, (*y.shape, 3)), bold, black)
    beside = across + rng.uniform(0.0, period)
    return paint(canvas, stripes(beside, period * rng.integers(2, 4), 0.12), grey)


def _pastel(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A lattice of polka dots in sweet colours."""
    ground, *dots = vary(rng, ["#fbe4f0", "#f4a6c6", "#b9a7e8", "#a8e0d1"])
    step, turn, shift = rng.uniform(0.34, 0.5), rng.uniform(-0.4, 0.4), rng.uniform(0.0, 0.3, 2)
    down = (np.cos(turn) * y + np.sin(turn) * x) / step + shift[0]
    row = np.round(down)
    right = (np.cos(turn) * x - np.sin(turn) * y) / step + shift[1] + 0.5 * (row % 2)
    column = np.round(right)
    coverage = inside((np.hypot(down - row, right - column) - rng.uniform(0.28, 0.4)) * step)
    table = rng.integers(len(dots), size=(20, 20))
    colours = np.stack(dots)[table[row.astype(int) % 20, column.astype(int) % 20]]
    return paint(np.broadcast_to(ground, (*y.shape, 3)), coverage, colours)


def _neon(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Glowing rings around a few centres in the dark."""
    night, *lights = vary(rng, ["#0a0614", "#ff2fd6", "#27f5ff", "#7dff3a"])
    canvas = np.broadcast_to(night, (*y.shape, 3))
    for colour in rng.permutation(lights):
        centre = rng.uniform(-0.7, 0.7, 2)
        step, away = rng.uniform(0.13, 0.2), distance_from(y, x, centre)
        for radius in np.arange(1, rng.integers(4, 7)) * step:
            far = np.abs(away - float(radius))
            canvas = canvas + 0.35 * np.exp(-far / 0.06)[..., None] * colour
            canvas = paint(canvas, inside(far - 0.018), colour)
    return canvas


_STYLES: dict[str, Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]] = {
    "sunset": _sunset,
    "blueprint": _blueprint,
    "forest": _forest,
    "ink": _ink,
    "pastel": _pastel,
    "neon": _neon,
}
PICTURE_STYLES = tuple(_STYLES)
