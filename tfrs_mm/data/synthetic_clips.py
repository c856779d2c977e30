"""Short silent films of six scenes, each with a motion and a palette of its own."""

from collections.abc import Callable

import numpy as np

from tfrs_mm.data.synthetic_canvas import (
    blend,
    distance_from,
    grid,
    inside,
    paint,
    polygon,
    stripes,
    to_pixels,
    vary,
)


def film_clip(rng: np.random.Generator, scene: int, num_frames: int, size_px: int) -> np.ndarray:
    """A new film of a scene.

    Args:
        rng: decides everything but the scene.
        scene: index into `CLIP_SCENES`.
        num_frames: frames of the film.
        size_px: side of the square.

    Returns:
        `[num_frames, size_px, size_px, 3]` uint8.
    """
    y, x = grid(size_px)
    frame_at = _SCENES[CLIP_SCENES[scene]](rng, y, x)
    return np.stack(
        [to_pixels(frame_at(time)) for time in map(float, np.arange(num_frames) / num_frames)]
    )


# What a scene returns: the colours [height, width, 3] at a time from 0 to 1.
_Frames = Callable[[float], np.ndarray]


def _bars(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> _Frames:
    """Upright bars that march sideways."""
    ground, *colours = vary(rng, ["#0d3b45", "#1fa39a", "#ff8a1f", "#f4d35e"])
    period, speed = rng.uniform(0.7, 1.0), rng.uniform(0.6, 1.4) * _either_way(rng)

    def frame_at(time: float) -> np.ndarray:
        canvas = np.broadcast_to(ground, (*y.shape, 3))
        for place, colour in enumerate(colours):
            canvas = paint(
                canvas, stripes(x + speed * time + place * period / 3.0, period, 0.22), colour
            )
        return canvas

    return frame_at


def _tunnel(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> _Frames:
    """Round waves that grow out of a centre."""
    dark, light = vary(rng, ["#3b0f70", "#ffe14d"])
    centre, period = rng.uniform(-0.35, 0.35, 2), rng.uniform(0.35, 0.55)
    speed = rng.uniform(0.5, 1.2) * _either_way(rng)
    far = distance_from(y, x, centre)
    return lambda time: paint(
        np.broadcast_to(dark, (*y.shape, 3)), stripes(far - speed * time, period, 0.45), light
    )


def _chequers(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> _Frames:
    """A chessboard that slides."""
    light, dark = vary(rng, ["#fff4ec", "#d7263d"])
    cell, turn, move = rng.uniform(0.28, 0.45), rng.uniform(-0.3, 0.3), rng.uniform(-1.2, 1.2, 2)
    along, aside = float(np.cos(turn)), float(np.sin(turn))
    places = along * y + aside * x, along * x - aside * y

    def frame_at(time: float) -> np.ndarray:
        odd = [
            stripes(place + float(speed) * time, 2.0 * cell, 0.5)
            for place, speed in zip(places, move, strict=True)
        ]
        both = odd[0] + odd[1] - 2.0 * odd[0] * odd[1]
        return paint(np.broadcast_to(light, (*y.shape, 3)), both, dark)

    return frame_at


def _static(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> _Frames:
    """The flicker of a television without a programme, with a rolling dark band."""
    grain, speed = int(rng.integers(3, 6)), rng.uniform(0.6, 1.6)
    tint = vary(rng, ["#b8bcc4"])[0]
    source = np.random.default_rng(rng.integers(2**32))
    cells = -(-y.shape[0] // grain)

    def frame_at(time: float) -> np.ndarray:
        coarse = source.random((cells, cells), np.float32)
        noise = coarse.repeat(grain, axis=0).repeat(grain, axis=1)[: y.shape[0], : y.shape[1]]
        band = 1.0 - 0.5 * np.exp(-(((y - speed * time + 1.0) % 2.0 - 1.0) ** 2) / 0.05)
        return (noise * band)[..., None] * tint * 1.3

    return frame_at


def _sky(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> _Frames:
    """A soft gradient over which the camera pans, without any edge."""
    deep, bright, cloud = vary(rng, ["#1746a2", "#66d0ff", "#f2fbff"])
    slope, pan = rng.uniform(-0.6, 0.6), rng.uniform(0.8, 1.6) * _either_way(rng)
    puffs = rng.uniform([-0.6, -1.5, 0.2], [0.6, 1.5, 0.4], (4, 3)).astype(np.float32)

    def frame_at(time: float) -> np.ndarray:
        canvas = blend(deep, bright, (y + slope * (x + pan * time) + 1.2) / 2.2)
        for down, right, size in puffs:
            # A puff is a product of two bells, and these need one row and one column only.
            shifted = (x[:1] + pan * time - right + 1.5) % 3.0 - 1.5
            bell = np.exp(-(((y[:, :1] - down) / size) ** 2))
            puff = bell * np.exp(-((shifted / (2.0 * size)) ** 2))
            canvas = paint(canvas, 0.8 * puff, cloud)
        return canvas

    return frame_at


def _bounce(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> _Frames:
    """Squares and diamonds that bounce off the walls, each with a dark rim."""
    ground, rim, *colours = vary(rng, ["#f3ecd8", "#2b2b2b", "#3a9d3f", "#8bc34a", "#1d6b52"])
    num_shapes = int(rng.integers(3, 6))
    starts, speeds = rng.uniform(0.0, 4.0, (num_shapes, 2)), rng.uniform(0.8, 2.2, (num_shapes, 2))
    sizes, spins = rng.uniform(0.2, 0.38, num_shapes), rng.uniform(-3.0, 3.0, num_shapes)

    def frame_at(time: float) -> np.ndarray:
        canvas = np.broadcast_to(ground, (*y.shape, 3))
        canvas = paint(canvas, inside(0.95 - np.maximum(np.abs(y), np.abs(x))), rim)
        for shape in range(num_shapes):
            # A triangle wave between the walls.
            centre = np.abs((starts[shape] + speeds[shape] * time) % 4.0 - 2.0) * 0.7 - 0.7
            edge = polygon(y, x, centre, float(sizes[shape]), 4, float(spins[shape]) * time)
            canvas = paint(canvas, inside(edge - 0.04), rim)
            canvas = paint(canvas, inside(edge), colours[shape % 3])
        return canvas

    return frame_at


def _either_way(rng: np.random.Generator) -> float:
    """1 or -1."""
    return 1.0 if rng.random() < 0.5 else -1.0


_SCENES: dict[str, Callable[[np.random.Generator, np.ndarray, np.ndarray], _Frames]] = {
    "bars": _bars,
    "tunnel": _tunnel,
    "chequers": _chequers,
    "static": _static,
    "sky": _sky,
    "bounce": _bounce,
}
CLIP_SCENES = tuple(_SCENES)
