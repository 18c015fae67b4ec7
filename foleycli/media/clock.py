"""When each picture is shown, and where all of them lie on their file's time axis.

Everything is exact: integers in the stream's time base, fractions of a second. Timestamps come from
the packets, after edit lists. A picture lasts until the next one begins, the last one for its own
packet's duration, and where a packet has none for one period of the stream's rate.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.buffer import Buffer
from av.container import InputContainer
from av.video.stream import VideoStream

from foleycli.media.container import (
    MediaError,
    choose_stream,
    describe_streams,
    open_media,
    packets_of,
)

_RESTART_S = 1  # a clock that falls back further than this has been restarted
_MISSING_S = 1  # a picture that ends this much before the header says has lost its end
_UNKNOWN_FPS = 25


@dataclass(frozen=True)
class PictureClock:
    """Where a picture lies on its file's own time axis (exact seconds), and its upright size."""

    start: Fraction
    duration: Fraction
    frames: int
    width: int
    height: int
    rotation_deg: int


def picture_clock(path: str | os.PathLike[str]) -> PictureClock:
    """Measure a picture by decoding its first frame and reading the times of its packets.

    All of it is decoded where packets do not tell: raw streams without times, clocks that restart,
    files that lost their end. The duration is then that of the frames :func:`decoded` yields in
    every case but one: damage inside a file that swallows its very last frames.

    Raises
    ------
    MediaError
        When there is no video stream, or no frame of it decodes.
    """
    with open_media(path) as container:
        stream = video_stream(container)
        first = _first(container, stream)
        if first is None:
            raise MediaError(f"no frame decodes (found: {describe_streams(container)})")
        start, tick = _timestamp(first) or 0, _tick(stream)
    with open_media(path) as container:
        lengths = _packet_lengths(container, start)
    if lengths:
        last = max(lengths)
        duration, frames = (last - start + lengths[last]) * tick, len(lengths)
    else:
        with open_media(path) as container:
            stream = video_stream(container)
            spans = [(s, n) for s, n, _ in timed(decoded(container, stream), stream)]
        duration, frames = spans[-1][0] + spans[-1][1], len(spans)
    turned, _, flipped = orientation(first)
    return PictureClock(
        start=start * tick,
        duration=duration,
        frames=frames,
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        rotation_deg=90 * turned + 180 * flipped,
    )


def picture_start(path: str | os.PathLike[str]) -> Fraction | None:
    """Time in seconds of the first picture on its file's own time axis; None without a picture."""
    with open_media(path) as container:
        if choose_stream(container, "video") is None:
            return None
        stream = video_stream(container)
        first = _first(container, stream)
        return None if first is None else (_timestamp(first) or 0) * _tick(stream)


def _first(container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    stream.thread_type = "SLICE"  # frame threads decode one frame each before the first comes out
    return next(decoded(container, stream), None)


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream with the picture, set to decode on all cores, or raise MediaError."""
    stream = choose_stream(container, "video")
    if stream is None:
        raise MediaError(f"no video stream (found: {describe_streams(container)})")
    video = cast(VideoStream, stream)
    video.thread_type = "AUTO"
    return video


def decoded(
    container: InputContainer, stream: VideoStream, warnings: list[str] | None = None
) -> Iterator[av.VideoFrame]:
    """Yield every frame that decodes, in display order; ``warnings`` receives what was damaged."""
    lost = flawed = 0
    end = Fraction(0)
    for packet in packets_of(container, stream):
        try:
            pictures = packet.decode()
        except av.FFmpegError:
            lost += 1
            continue
        for picture in pictures:
            flawed += picture.is_corrupt
            end = max(end, (_timestamp(picture) or 0) + _length(picture, stream))
            yield picture
    if warnings is None:
        return
    if lost:
        warnings.append(f"{lost} damaged frames left out")
    if flawed:
        warnings.append(f"{flawed} frames damaged")
    if _ends_early(stream, end):
        warnings.append(f"the picture ends early, at {float(end * _tick(stream)):.2f} s")


def timed(
    pictures: Iterable[av.VideoFrame], stream: VideoStream
) -> Iterator[tuple[Fraction, Fraction, av.VideoFrame]]:
    """Yield start and length in seconds of each picture, counted from the first one's start.

    A picture without a time follows the one before it. One whose time has passed is dropped, unless
    the clock fell back by more than a second: then it was restarted, and runs on from here.
    """
    tick = _tick(stream)
    origin = begin = Fraction(0)
    held: av.VideoFrame | None = None
    for picture in pictures:
        timestamp = _timestamp(picture)
        if held is None:
            origin = Fraction(timestamp or 0)
        else:
            following = begin + _length(held, stream)
            time = following if timestamp is None else timestamp - origin
            if timestamp is not None and time < begin - _RESTART_S / tick:
                time, origin = following, timestamp - following
            if time <= begin:
                continue
            yield begin * tick, (time - begin) * tick, held
            begin = time
        held = picture
    if held is None:
        raise MediaError(f"no frame decodes (found: video/{stream.codec_context.name})")
    yield begin * tick, _length(held, stream) * tick, held


def orientation(picture: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Whether to transpose, then to mirror x, then to mirror y, so that a picture stands upright.

    The display matrix ``[a b u; c d v; x y w]`` puts pixel (p, q) at ``(a p + c q, b p + d q)``.
    Cameras write right angles and mirrors; anything between is taken to the nearest of those.
    """
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = struct.unpack("=5i", bytes(cast(Buffer, matrix))[:20])
    return (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)


def _packet_lengths(container: InputContainer, start: int) -> dict[int, Fraction] | None:
    """Time -> duration, in ticks, of the packets that are shown; None when they do not tell."""
    stream = video_stream(container)
    lengths: dict[int, Fraction] = {}
    latest = start
    end = Fraction(start)
    for packet in packets_of(container, stream):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.pts is None or packet.pts < latest - _RESTART_S / _tick(stream):
            return None
        latest = max(latest, packet.pts)
        end = max(end, packet.pts + _length(packet, stream))
        if packet.pts >= start:  # what leads up to the first decodable picture is not shown
            lengths.setdefault(packet.pts, _length(packet, stream))
    return None if _ends_early(stream, end) else lengths


def _ends_early(stream: VideoStream, end: Fraction) -> bool:
    promised = (stream.start_time or 0) + (stream.duration or 0)
    return (promised - end) * _tick(stream) > _MISSING_S


def _length(timed: av.VideoFrame | av.Packet[VideoStream], stream: VideoStream) -> Fraction:
    """Duration in ticks that a frame or packet carries, or one period of the stream's rate."""
    if timed.duration:
        return Fraction(timed.duration)
    fps = stream.guessed_rate or stream.average_rate or _UNKNOWN_FPS
    return 1 / (fps * _tick(stream))


def _timestamp(picture: av.VideoFrame) -> int | None:
    return picture.dts if picture.pts is None else picture.pts


def _tick(stream: VideoStream) -> Fraction:
    return cast(Fraction, stream.time_base)
