"""Pieces of a clip, one after the other: windows of its sound, and what is on screen with them.

Both are read once and forwards, so that an hour needs no more memory than a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.media.container import MediaError
from foleycli.media.video import Frame, read_frames

_EARLY_S = 0.001  # as at_rate: containers round times, a frame may be shown that much early


@dataclass(frozen=True)
class Window:
    """A piece of sound: (samples,) float32, and the second at which it begins."""

    start_s: float
    wave: NDArray[np.float32]


class Windows:
    """A sound cut into windows of equal length, the last of which may be shorter.

    A rest under half a window is left out, unless it is all there is.

    Parameters
    ----------
    sound : iterable of (samples,) float32
        The sound in blocks, as :func:`foleycli.media.audio.stream_audio` yields them.
    rate_hz : int
    window_s : float
        Length of a window in seconds.

    Attributes
    ----------
    left_out_s : float
        Length of the rest that was left out, once all windows have been taken.
    """

    def __init__(self, sound: Iterable[NDArray[np.float32]], rate_hz: int, window_s: float) -> None:
        self._sound, self._rate_hz = sound, rate_hz
        self._size = round(window_s * rate_hz)
        self.left_out_s = 0.0

    def __iter__(self) -> Iterator[Window]:
        """Yield the windows; none of an empty sound."""
        held, start = np.zeros(0, np.float32), 0
        for block in self._sound:
            held = np.concatenate([held, block])
            while len(held) >= self._size:
                yield Window(start / self._rate_hz, held[: self._size])
                held, start = held[self._size :], start + self._size
        if len(held) and (not start or len(held) >= self._size / 2):
            yield Window(start / self._rate_hz, held)
        else:
            self.left_out_s = len(held) / self._rate_hz


def finite(sound: Iterable[NDArray[np.float32]], rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Hand a sound on; MediaError when it is empty, or holds NaN or infinity."""
    samples = 0
    for block in sound:
        if not np.isfinite(block).all():
            raise MediaError(f"the sound near {samples / rate_hz:.1f} s holds NaN or infinity")
        samples += len(block)
        yield block
    if not samples:
        raise MediaError("the sound is empty (0 samples)")


def middle_s(start_s: float, length_s: float, picture_s: float) -> float | None:
    """Return the middle of what is seen of a piece of sound; None when the picture ends before."""
    seen_s = min(start_s + length_s, picture_s) - start_s
    return start_s + seen_s / 2 if seen_s > 0 else None


class Screen:
    """The picture of a clip, asked for what is on screen at times that do not fall.

    Parameters
    ----------
    path : path
        Anything libavformat reads.

    Attributes
    ----------
    damage : list of str
        What was wrong with the picture, one phrase each, once it has been read to its end.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.damage: list[str] = []
        self._frames = read_frames(path, warnings=self.damage)
        self._now: Frame | None = None

    def at(self, time_s: float) -> Frame | None:
        """Return the frame on screen, None after the end.

        Raises
        ------
        MediaError
            The first time, when there is no video stream or nothing in it decodes.
        """
        while self._now is None or 0 < time_s >= _end_s(self._now):
            following = next(self._frames, None)
            if following is None:
                return None
            self._now = following
        return self._now


def _end_s(frame: Frame) -> float:
    return frame.time_s + frame.duration_s - _EARLY_S
