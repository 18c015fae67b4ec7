"""Films and sounds that every current browser plays: H.264 in yuv420p, AAC, MP4.

A picture that is so already is copied, packet by packet; any other is encoded anew, upright, with
square pixels and an even number of them both ways.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from foleycli.files.atomic import atomic_path
from foleycli.media.audio import require_finite
from foleycli.media.clock import video_stream
from foleycli.media.container import EXACT_BYTES, codec_name, open_media
from foleycli.media.encode import add_sound, encoded
from foleycli.media.video import at_rate, probe, read_frames, write_video

RATE_HZ = 48_000
_MOST_FPS = 60.0


def plays_everywhere(path: str | os.PathLike[str]) -> bool:
    """Whether the picture of a film is H.264 in yuv420p.

    Raises
    ------
    MediaError
        When there is no picture.
    """
    with open_media(path) as container:
        stream = video_stream(container)
        return codec_name(stream) == "h264" and stream.codec_context.pix_fmt == "yuv420p"


@contextmanager
def browser_picture(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a film whose picture may be copied for browsers: itself, or a silent one for a while.

    Raises
    ------
    MediaError
        When there is no picture, or nothing in it decodes.
    """
    if plays_everywhere(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="foley-") as scratch:
        made = Path(scratch) / "picture.mp4"
        info = probe(path)
        width = _even(info.width * (1 if info.rotation_deg % 180 else _pixel_aspect(path)))
        height = _even(info.height * (_pixel_aspect(path) if info.rotation_deg % 180 else 1))
        fps = min(info.fps, _MOST_FPS)
        frames = at_rate(read_frames(path), fps)
        write_video(made, (frame.rgb(width, height) for _, _, frame in frames), fps)
        yield made


def write_sound(
    path: str | os.PathLike[str], waveform: NDArray[np.floating], rate_hz: int = RATE_HZ
) -> None:
    """Write a sound as AAC in an ``.m4a``, atomically, the same bytes on every run.

    Parameters
    ----------
    path : path
    waveform : (channels, samples) float
        One or two channels, full scale [-1, 1].
    rate_hz : int
        One that AAC has.
    """
    sound = require_finite(waveform).astype(np.float32)
    options = EXACT_BYTES | {"movflags": "+faststart", "movie_timescale": str(rate_hz)}
    with (
        atomic_path(path) as temporary,
        av.open(f"file:{temporary}", "w", format="mp4", container_options=options) as target,
    ):
        track = add_sound(target, "aac", rate_hz, len(sound))
        for packet in encoded(track, sound, "aac"):
            target.mux(packet)


def _pixel_aspect(path: str | os.PathLike[str]) -> Fraction:
    """Width of a stored pixel over its height."""
    with open_media(path) as container:
        return video_stream(container).sample_aspect_ratio or Fraction(1)


def _even(pixels: Fraction | int) -> int:
    return max(2, round(pixels / 2) * 2)
