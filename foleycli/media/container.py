"""Opening media files: one clear sentence for whatever cannot be read, and the choice of a stream.

libavformat opens far more than films: URLs, playlists that point elsewhere, text drawn as ANSI art.
Here a path is always a local file (``12:30 take.mp4`` included), and text is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import av
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream

EXACT_BYTES = {"fflags": "+bitexact"}  # write no dates, random ids or library versions

StreamT = TypeVar("StreamT", bound=Stream)

_NOT_A_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # libavformat "plays" text


class MediaError(ValueError):
    """A file that cannot be used as media, and why in one sentence; the caller names the file."""


@contextmanager
def open_media(path: str | os.PathLike[str]) -> Iterator[InputContainer]:
    """Open a local file for reading.

    Raises
    ------
    MediaError
        When the path is missing, a directory, unreadable, empty or not media.
    """
    try:
        if Path(path).is_dir():
            raise MediaError("is a directory")
        with Path(path).open("rb") as file:
            if not file.read(1):
                raise MediaError("empty file")
        container = av.open(f"file:{os.fspath(path)}", metadata_errors="replace")
    except FileNotFoundError:
        raise MediaError("no such file") from None
    except PermissionError:
        raise MediaError("permission denied") from None
    except av.InvalidDataError:
        raise MediaError("not a media file, or one whose header is damaged") from None
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"cannot be opened ({error.strerror})") from None
    with container:
        if container.format.name in _TEXT_FORMATS:
            raise MediaError("not a media file, but text")
        yield container


def choose_stream(container: InputContainer, kind: str) -> Stream | None:
    """Pick the stream that a player shows: the first marked as default, or the first of its kind.

    Cover art and thumbnails are no picture, and a stream that no decoder knows is none at all.
    """
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and stream.codec_context and not stream.disposition & _NOT_A_PICTURE
    ]
    return min(streams, key=lambda one: not one.disposition & Disposition.default, default=None)


def packets_of(container: InputContainer, stream: StreamT) -> Iterator[av.Packet[StreamT]]:
    """Yield the packets of one stream, the empty one that flushes a decoder last.

    The other streams are passed over unread. A file that breaks off ends there.
    """
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    packets = container.demux(stream)
    while True:
        try:
            yield cast("av.Packet[StreamT]", next(packets))
        except (StopIteration, av.FFmpegError):
            return


def describe_streams(container: InputContainer) -> str:
    """Name what a file holds, for error messages: ``audio/aac, video/cover art``."""
    return (
        ", ".join(f"{stream.type}/{codec_name(stream)}" for stream in container.streams)
        or "nothing"
    )


def codec_name(stream: Stream) -> str:
    """Name the coding of a stream (``av1``), not the library that decodes it (``libdav1d``)."""
    if stream.disposition & _NOT_A_PICTURE:
        return "cover art"
    return stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
