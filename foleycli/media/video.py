"""Decoding pictures: frames at their true times, upright, in constant memory.

Times are seconds from the first displayed frame (see ``clock.py`` for where they come from). Sizes
are those of the upright picture, rotation metadata applied, in the pixels of the file: non-square
pixels are not stretched. Colours follow the file's matrix and range into full-range RGB.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from foleycli.files.atomic import atomic_path
from foleycli.media.clock import decoded, orientation, picture_clock, timed, video_stream
from foleycli.media.container import (
    EXACT_BYTES,
    MediaError,
    choose_stream,
    codec_name,
    describe_streams,
    open_media,
    packets_of,
)

__all__ = ["Frame", "MediaError", "MediaInfo", "at_rate", "probe", "read_frames", "write_video"]

_EARLY_S = 0.001  # Matroska rounds times to the millisecond: a frame may be shown that much early


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds; durations in seconds, sizes in pixels of the upright picture.

    ``rotation_deg`` is how far the stored picture is turned clockwise (then perhaps mirrored) to
    stand upright. Without a picture ``video_codec`` is None and its numbers are 0; without sound
    ``audio_...`` are None.
    """

    path: str
    duration_s: float
    width: int
    height: int
    rotation_deg: int
    fps: float
    video_codec: str | None
    audio_codec: str | None
    audio_rate_hz: int | None
    audio_channels: int | None
    audio_duration_s: float | None


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture on screen from ``time_s`` for ``duration_s`` seconds, converted when asked for."""

    time_s: float
    duration_s: float
    picture: av.VideoFrame = field(repr=False)
    upright: Upright = field(repr=False)

    def rgb(self, width: int | None = None, height: int | None = None) -> NDArray[np.uint8]:
        """Upright (height, width, 3) uint8 picture; area-averaged to the size asked for."""
        return self.upright.array(self.picture, "rgb24", width, height)

    def gray(self, width: int | None = None, height: int | None = None) -> NDArray[np.uint8]:
        """Upright (height, width) uint8 luma, 0 black and 255 white; area-averaged likewise."""
        return self.upright.array(self.picture, "gray", width, height)


class Upright:
    """Turns and scales the pictures of one film.

    The turn is that of the first picture: reading it off each would tie every frame into a
    reference cycle of libav's binding, and hundreds would wait for the garbage collector.
    """

    def __init__(self, first: av.VideoFrame) -> None:
        self.turned, flip_x, flip_y = orientation(first)
        self._flip = slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1)
        self._scalers: defaultdict[object, VideoReformatter] = defaultdict(VideoReformatter)

    def array(
        self, picture: av.VideoFrame, pixels: str, width: int | None, height: int | None
    ) -> NDArray[np.uint8]:
        """Return (height, width, ...) uint8; each size keeps its scaler, which is dear to make."""
        if self.turned:
            width, height = height, width
        scaled = self._scalers[pixels, width, height].reformat(
            picture, width, height, pixels, interpolation=Interpolation.AREA, threads=1
        )
        array = cast("NDArray[np.uint8]", scaled.to_ndarray())
        if self.turned:
            array = array.swapaxes(0, 1)
        return np.ascontiguousarray(array[self._flip])


def read_frames(
    path: str | os.PathLike[str], *, warnings: list[str] | None = None
) -> Iterator[Frame]:
    """Decode the picture of a file, one frame at a time.

    Parameters
    ----------
    path : path
        Anything libavformat reads.
    warnings : list of str, optional
        Receives, when decoding ends, one phrase for each kind of damage met. A frame that does not
        decode is left out, and the one before it stays on screen.

    Yields
    ------
    Frame
        In display order, the first at 0 s. Each keeps its native picture in memory: hold few.

    Raises
    ------
    MediaError
        At the first frame, when there is no video stream or nothing in it decodes.
    """
    with open_media(path) as container:
        stream = video_stream(container)
        upright = None
        for start, length, picture in timed(decoded(container, stream, warnings), stream):
            upright = upright or Upright(picture)
            yield Frame(float(start), float(length), picture, upright)


def at_rate(frames: Iterable[Frame], fps: float) -> Iterator[tuple[int, float, Frame]]:
    """Sample a picture at a constant rate: the frame on screen at each multiple of ``1 / fps``.

    A frame counts as on screen from 1 ms before its time until 1 ms before the next one's, because
    containers round times.

    Yields
    ------
    k, k / fps, frame
        For k = 0 ... ``max(1, ceil((duration - 0.001) * fps)) - 1``: times within the picture.
    """
    if not 0 < fps < math.inf:
        raise ValueError(f"fps must be positive and finite, got {fps}")
    k = 0
    for frame in frames:
        end = frame.time_s + frame.duration_s - _EARLY_S
        while k == 0 or k / fps < end:
            yield k, k / fps, frame
            k += 1


def probe(path: str | os.PathLike[str]) -> MediaInfo:
    """Describe a file without decoding more than its first frame.

    The picture's duration is exactly what :func:`read_frames` yields: the end of the last frame
    less the time of the first. It is read off the packets, not off the header, which is often
    wrong; ``clock.picture_clock`` says which files must be decoded. ``audio_duration_s`` is the
    header's, or else the packets', and may be a codec delay off; ``read_audio`` is exact.

    Raises
    ------
    MediaError
        When the file holds neither picture nor sound, or a picture of which no frame decodes.
    """
    with open_media(path) as container:
        video, audio = choose_stream(container, "video"), choose_stream(container, "audio")
        if video is None and audio is None:
            raise MediaError(f"neither picture nor sound (found: {describe_streams(container)})")
        picture = picture_clock(path) if video else None
        sound = cast(AudioStream, audio).codec_context if audio else None
        return MediaInfo(
            path=os.fspath(path),
            duration_s=float(picture.duration) if picture else 0.0,
            width=picture.width if picture else 0,
            height=picture.height if picture else 0,
            rotation_deg=picture.rotation_deg if picture else 0,
            fps=float(picture.frames / picture.duration) if picture else 0.0,
            video_codec=codec_name(video) if video else None,
            audio_codec=codec_name(audio) if audio else None,
            audio_rate_hz=sound.rate if sound else None,
            audio_channels=sound.channels if sound else None,
            audio_duration_s=_sound_duration_s(container, audio) if audio else None,
        )


def write_video(
    path: str | os.PathLike[str], frames: Iterable[NDArray[np.uint8]], fps: float | Fraction
) -> None:
    """Encode a silent H.264 clip (yuv420p, crf 20), atomically and byte-identical on every run.

    Parameters
    ----------
    path : path
        ``.mp4``, ``.mov`` or ``.mkv``.
    frames : iterable of (height, width, 3) uint8
        RGB, all of one size, which is even both ways.
    fps : float or Fraction
        Frames a second; a float is taken as the nearest fraction of denominator 1001 or less.
    """
    rate = Fraction(fps).limit_denominator(1001)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError("a clip needs at least one frame, got none")
    height, width, _ = first.shape
    if width % 2 or height % 2:
        raise ValueError(f"width and height must be even, got {width}x{height}; pad or crop a line")
    with (
        atomic_path(path) as temporary,
        av.open(f"file:{temporary}", "w", container_options=EXACT_BYTES) as container,
    ):
        stream = container.add_stream("libx264", rate=rate, options={"crf": "20", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for k, pixels in enumerate(chain([first], pictures)):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = k, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _sound_duration_s(container: InputContainer, stream: Stream) -> float:
    tick = cast(Fraction, stream.time_base)
    if stream.duration:
        return float(stream.duration * tick)
    packets = [packet for packet in packets_of(container, stream) if packet.pts is not None]
    ends = [cast(int, packet.pts) + (packet.duration or 0) for packet in packets]
    return float((max(ends) - cast(int, packets[0].pts)) * tick) if packets else 0.0
