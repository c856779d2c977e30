"""One opened sound or film, with every fault of the decoder turned into a `MediaError`."""

import contextlib
import io
import os
import pathlib
from collections.abc import Iterator
from typing import Any, Literal

from tfrs_mm._runtime import import_optional
from tfrs_mm.media.errors import MediaError

# FFmpeg also reads playlists, which would open other files and addresses; these formats do not.
_FORMATS = (
    "mp3,wav,w64,ogg,flac,aac,aiff,au,caf,amr,ac3,mov,mp4,m4a,3gp,matroska,webm,"
    "avi,mpegts,mpeg,flv,asf,gif,h264,hevc,ivf,mjpeg"
)


@contextlib.contextmanager
def open_container(
    data: bytes | str | os.PathLike[str],
    kind: Literal["audio", "video"],
    max_pixels: int | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Yields `(container, stream)`, the stream being the file's first of this kind.

    Args:
        data: the file's bytes, or its path.
        kind: of the stream.
        max_pixels: of a frame; none that is larger is decoded, whatever the file's header says.

    Raises:
        MediaError: there is no such file or stream, or it is damaged; also for what PyAV raises
            inside the block.
    """
    av = import_optional("av")
    what = {"audio": "sound", "video": "film"}[kind]
    # Opening alone decodes some frames, to learn their form; so it is told as well.
    limits = {} if max_pixels is None else {"max_pixels": str(max_pixels)}
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(data, bytes):
                file = stack.enter_context(io.BytesIO(data))
            else:
                # A file object, never the name: FFmpeg would take a name for an address.
                file = stack.enter_context(pathlib.Path(data).open("rb"))
            if not file.read(1):
                raise MediaError("file is empty")
            file.seek(0)
            try:
                # Tags are often in some old encoding; nobody reads them here.
                container = stack.enter_context(
                    av.open(
                        file,
                        options={"format_whitelist": _FORMATS, **limits},
                        metadata_errors="replace",
                    )
                )
            except av.error.FFmpegError as error:
                raise MediaError(f"not a {what} of a known format") from error
            stream = next((stream for stream in container.streams if stream.type == kind), None)
            if stream is None:
                raise MediaError(f"file holds no {what}")
            if stream.codec_context is None:
                raise MediaError(f"{what} is coded in an unknown way")
            stream.codec_context.options = limits
            yield container, stream
    except FileNotFoundError as error:
        raise MediaError("file does not exist") from error
    except av.error.FFmpegError as error:
        raise MediaError(f"{what} is damaged") from error
    except OSError as error:
        raise MediaError("file cannot be read") from error


def stream_seconds(container: Any, stream: Any) -> tuple[float, float]:
    """Where the stream starts and how long it lasts, in seconds.

    A recording made in a browser does not say how long it is: then its packets are looked through,
    which decodes nothing, and the container is set back to its start.
    """
    start_s = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
    if stream.duration:
        return start_s, float(stream.duration * stream.time_base)
    if container.duration:
        return start_s, container.duration / 1_000_000  # FFmpeg's AV_TIME_BASE
    ends = [
        packet.pts + (packet.duration or 0)
        for packet in container.demux(stream)
        if packet.pts is not None
    ]
    container.seek(0)
    return start_s, max(float(max(ends) * stream.time_base) - start_s, 0.0) if ends else 0.0
