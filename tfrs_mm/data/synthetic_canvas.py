"""Drawing with plain arrays: soft-edged shapes as coverages, painted over each other in colours.

Coordinates run from -1 to 1, x to the right and y down. A coverage is `[height, width]` from 0 to
1. All arrays are float32: NumPy's own scalars would widen them, so places and sizes become Python's
floats.
"""

import colorsys
from collections.abc import Sequence

import numpy as np


def grid(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The centres of a square's pixels: `(y, x)`, each `[size_px, size_px]`."""
    centres = ((np.arange(size_px) + 0.5) / size_px * 2.0 - 1.0).astype(np.float32)
    return tuple(np.meshgrid(centres, centres, indexing="ij"))


def inside(distance: np.ndarray) -> np.ndarray:
    """The coverage of a shape with this signed distance to its edge, negative within it."""
    return np.clip(0.5 - distance * distance.shape[0] / 2.0, 0.0, 1.0)


def disc(y: np.ndarray, x: np.ndarray, centre: Sequence[float], radius: float) -> np.ndarray:
    """The coverage of a disc; `centre` is `(y, x)`."""
    return inside(distance_from(y, x, centre) - float(radius))


def ring(
    y: np.ndarray, x: np.ndarray, centre: Sequence[float], radius: float, width: float
) -> np.ndarray:
    """The coverage of a circle drawn with a pen of `width`."""
    return inside(np.abs(distance_from(y, x, centre) - float(radius)) - width / 2.0)


def polygon(
    y: np.ndarray, x: np.ndarray, centre: Sequence[float], radius: float, corners: int, turn: float
) -> np.ndarray:
    """The signed distance to a regular polygon whose corners lie `radius` from the centre."""
    angles = turn + (np.arange(corners) + 0.5) * 2.0 * np.pi / corners
    down, right = y - float(centre[0]), x - float(centre[1])
    sides = [float(np.cos(a)) * right + float(np.sin(a)) * down for a in angles]
    return np.maximum.reduce(sides) - float(radius * np.cos(np.pi / corners))


def stripes(position: np.ndarray, period: float, share: float) -> np.ndarray:
    """The coverage of stripes across `position`, one every `period`, each `share` of it wide."""
    turns = position / float(period)
    within = np.abs(turns - np.floor(turns) - 0.5) * float(period)
    return inside(within - float(share * period / 2.0))


def blend(top: np.ndarray, bottom: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The colours `[height, width, 3]` between two colours: `top` where `share` is 0."""
    return top + (bottom - top) * np.clip(share, 0.0, 1.0)[..., None]


def paint(canvas: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """`canvas` `[height, width, 3]` with `colour` laid over it where `coverage` says."""
    return canvas + (colour - canvas) * coverage[..., None]


def to_pixels(canvas: np.ndarray) -> np.ndarray:
    """Colours from 0 to 1 as uint8."""
    return np.round(np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8)


def vary(rng: np.random.Generator, palette: Sequence[str]) -> np.ndarray:
    """A palette of `#rrggbb` as `[colours, 3]` from 0 to 1, each colour varied on its own."""
    varied = []
    for code in palette:
        red, green, blue = (int(code[start : start + 2], 16) / 255.0 for start in (1, 3, 5))
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        hue = (hue + rng.normal(0.0, 0.015)) % 1.0
        saturation = float(np.clip(saturation * rng.uniform(0.85, 1.1), 0.0, 1.0))
        value = float(np.clip(value * rng.uniform(0.88, 1.08), 0.0, 1.0))
        varied.append(colorsys.hsv_to_rgb(hue, saturation, value))
    return np.array(varied, np.float32)


def distance_from(y: np.ndarray, x: np.ndarray, centre: Sequence[float]) -> np.ndarray:
    """The distance from `centre`, `(y, x)`."""
    return np.hypot(y - float(centre[0]), x - float(centre[1]))
