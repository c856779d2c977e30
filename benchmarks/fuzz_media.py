"""Feeds damaged media to the decoders and counts what becomes of them.

Small real files of every kind are changed by seeded mutations and decoded in a process of their
own. An array or a `MediaError` is right; any other error, a process that dies, one that needs more
memory than allowed or does not come back is a crash. Run it by hand:
`python benchmarks/fuzz_media.py`.
"""

import argparse
import collections
import concurrent.futures
import functools
import io
import multiprocessing
import pathlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from tfrs_mm.media import MediaError, decode_audio, decode_image, log_mel, patches, sample_video
from tfrs_mm.media.writing import write_mp3, write_mp4

MAX_PIXELS, SIZE_PX, FRAMES, MAX_SECONDS = 4_000_000, 16, 3, 4.0
_HEADER_BYTES = 256  # where damage is most telling; every second mutation strikes there
_CHUNK = 200  # media of one task
_SECONDS_OF_A_MEDIUM = 10.0  # a decoder that needs longer hangs
_SECONDS_OF_A_TASK = 120.0
_MEMORY_BYTES = 3 * 2**30  # of the decoding process, its libraries included

Decode = Callable[[bytes], np.ndarray]


def picture(data: bytes) -> np.ndarray:
    """`[1, size, size, 3]`, as the media job decodes a picture."""
    return decode_image(data, SIZE_PX, MAX_PIXELS)[np.newaxis]


def sound(data: bytes) -> np.ndarray:
    """`[n, 187, 96]`, as the media job decodes a sound."""
    return patches(log_mel(decode_audio(data, MAX_SECONDS)))


def film(data: bytes) -> np.ndarray:
    """`[n, size, size, 3]`, as the media job decodes a film."""
    return sample_video(data, FRAMES, SIZE_PX, MAX_PIXELS)


@functools.cache
def seeds() -> tuple[tuple[str, Decode, bytes], ...]:
    """Name, decoder and bytes of every whole file that mutations start from."""
    return (*_pictures(), *_sounds_and_films())


def _pictures() -> list[tuple[str, Decode, bytes]]:
    from PIL import Image

    noise = np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    forms = {
        "jpeg": (image, "JPEG", {"exif": exif}), "png": (image, "PNG", {}),
        "palette png": (image.quantize(16), "PNG", {"transparency": 0}),
        "gif": (image, "GIF", {"save_all": True, "append_images": [image.rotate(90)]}),
        "webp": (image, "WEBP", {}), "bmp": (image, "BMP", {}),
        "tiff": (image, "TIFF", {"compression": "tiff_lzw"}), "avif": (image, "AVIF", {}),
    }  # fmt: skip
    files = []
    for name, (picture_, form, options) in forms.items():
        buffer = io.BytesIO()
        picture_.save(buffer, form, **options)
        files.append((name, picture, buffer.getvalue()))
    return files


def _sounds_and_films() -> list[tuple[str, Decode, bytes]]:
    import av

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 16_000)
    frames = np.random.default_rng(2).integers(0, 255, (8, 32, 32, 3), dtype=np.uint8)
    files: list[tuple[str, Decode, bytes]] = []
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        write_mp3(folder / "a.mp3", tone, 16_000)
        write_mp4(folder / "a.mp4", frames, fps=4)
        files.append(("mp3", sound, (folder / "a.mp3").read_bytes()))
        files.append(("mp4", film, (folder / "a.mp4").read_bytes()))
    for name, form, codec in (
        ("wav", "wav", "pcm_s16le"), ("flac", "flac", "flac"), ("opus", "ogg", "libopus"),
        ("m4a", "ipod", "aac"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=form) as container:
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            pcm = (np.repeat(tone, 3) * 32767).astype(np.int16)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate = 48_000
            resampler = av.AudioResampler(stream.format, "mono", 48_000, stream.frame_size)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        files.append((name, sound, buffer.getvalue()))
    for name, form, codec in (("webm", "webm", "libvpx"), ("avi", "avi", "mpeg4")):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=form) as container:
            stream = container.add_stream(codec, rate=4)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for position, array in enumerate(frames):
                made = av.VideoFrame.from_ndarray(array, format="rgb24")
                made.pts = position
                container.mux(stream.encode(made))
            container.mux(stream.encode(None))
        files.append((name, film, buffer.getvalue()))
    return files


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """The bytes with one to four faults: flipped, cut off, put in, doubled or overwritten."""
    changed = bytearray(data)
    for _ in range(int(generator.integers(1, 5))):
        if not changed:
            break
        reach = min(len(changed), _HEADER_BYTES) if generator.random() < 0.5 else len(changed)
        start = int(generator.integers(reach))
        length = int(generator.integers(1, 65))
        match int(generator.integers(5)):
            case 0:
                for place in generator.integers(reach, size=length % 8 + 1):
                    changed[place] ^= 1 << int(generator.integers(8))
            case 1:
                del changed[start + length :]
            case 2:
                changed[start:start] = generator.bytes(length)
            case 3:
                changed[start:start] = changed[start : start + length]
            case 4:
                filling = bytes([int(generator.choice([0x00, 0x7F, 0x80, 0xFF]))])
                changed[start : start + length] = filling * len(changed[start : start + length])
    return bytes(changed)


def medium(number: int, seed: int) -> tuple[str, Decode, bytes]:
    """The damaged file of this number; the same for the same seed."""
    name, decode, data = seeds()[number % len(seeds())]
    return name, decode, mutated(data, np.random.default_rng([seed, number]))


def outcome(decode: Decode, data: bytes) -> str:
    """What a decoder makes of these bytes: "decoded", a reason, or "crash" and the error."""
    try:
        arrays = decode(data)
    except MediaError as error:
        return f"rejected: {error}"
    except Exception as error:
        return f"crash: {type(error).__name__}: {error}"
    if len(arrays) == 0 or not np.isfinite(arrays).all():
        return "crash: no arrays, or no numbers in them"
    return "decoded"


def _outcomes(numbers: range, seed: int) -> list[tuple[int, str, str, float]]:
    """Number, kind, outcome and seconds of each; runs in the decoding process."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    answers = []
    for number in numbers:
        name, decode, data = medium(number, seed)
        started = time.monotonic()
        result, seconds = outcome(decode, data), time.monotonic() - started
        if seconds > _SECONDS_OF_A_MEDIUM:
            result = f"crash: it took {seconds:.0f} s"
        answers.append((number, name, result, seconds))
    return answers


def _run(numbers: range, seed: int) -> list[tuple[int, str, str, float]]:
    """As `_outcomes`, in another process; one that dies or hangs is narrowed down to its medium."""
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
    try:
        future = pool.submit(_outcomes, numbers, seed)
        return future.result(timeout=_SECONDS_OF_A_TASK)
    except (BrokenProcessPool, TimeoutError) as error:
        if len(numbers) == 1:
            name = medium(numbers[0], seed)[0]
            return [(numbers[0], name, f"crash: {type(error).__name__}", 0.0)]
        middle = numbers.start + len(numbers) // 2
    finally:
        for process in list((pool._processes or {}).values()):
            process.kill()  # one that hangs would be waited for
        pool.shutdown(wait=False, cancel_futures=True)
    return _run(range(numbers.start, middle), seed) + _run(range(middle, numbers.stop), seed)


def main() -> int:
    """Prints counts by kind of file, and the one figure."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--media", type=int, default=10_000, metavar="N")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="number of the first one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="takes what crashed")
    arguments = parser.parse_args()
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    crashes, slowest = [], (0.0, -1)
    stop = arguments.start + arguments.media
    for first in range(arguments.start, stop, _CHUNK):
        for number, name, result, seconds in _run(
            range(first, min(first + _CHUNK, stop)), arguments.seed
        ):
            counts[name, result.split(":")[0]] += 1
            slowest = max(slowest, (seconds, number))
            if result.startswith("crash"):
                crashes.append((number, name, result))
        print(f"{first}: {len(crashes)} crashes", file=sys.stderr, flush=True)
    print(f"{'kind':>12} {'decoded':>8} {'rejected':>8} {'crash':>8}")
    for name, _, _ in seeds():
        row = [counts[name, column] for column in ("decoded", "rejected", "crash")]
        print(f"{name:>12} " + " ".join(f"{value:>8}" for value in row))
    print(f"slowest: number {slowest[1]}, {slowest[0]:.2f} s")
    for number, name, result in crashes:
        print(f"number {number} ({name}): {result}")
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / f"{number}.{name}").write_bytes(medium(number, arguments.seed)[2])
    print(f"media_fuzz_crashes {len(crashes)} 0 {'short' if crashes else 'met'}")
    return bool(crashes)


if __name__ == "__main__":
    sys.exit(main())
