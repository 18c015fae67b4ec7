"""Clips with sound -> sounds and the frames that are seen with them, as the two systems take them.

Sound-to-Imagination's pairs are a second of sound and the frame at its middle, its centre square
brought to 96 x 96. All seconds are cut from one spectrogram, relative to the loudest cell of the
whole track, so that neighbours join. Sound2Scene's are ten seconds and the frame at their middle,
or the frames that were ranked best, squeezed to 224 x 224; what is shorter is repeated to ten
seconds. A rest under half a piece is left out, unless the clip has nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.s2i import S2I
from foleycli.files.growing import GrowingArrays
from foleycli.media.audio import quantize, stream_audio
from foleycli.media.clock import picture_clock
from foleycli.media.cutting import Screen, Window, Windows, finite, middle_s
from foleycli.training.hearing import SCENE, SEGMENT, Hearing
from foleycli.training.sound_pictures import fitted


@dataclass(frozen=True)
class PairKind:
    """How a system's pairs are cut.

    Attributes
    ----------
    name : str
    hearing : Hearing
    pixels : int
        Side of the pictures.
    fit : {"crop", "squash"}
        How a frame becomes a square, unless told.
    """

    name: str
    hearing: Hearing
    pixels: int
    fit: str


KINDS = {
    kind.name: kind
    for kind in (
        PairKind("s2i", SEGMENT, 96, "crop"),
        PairKind("sound2scene", SCENE, 224, "squash"),
    )
}


@dataclass(frozen=True)
class Cut:
    """What became of a clip.

    Attributes
    ----------
    sounds, pictures : int
        How many of each there are; a sound may have several pictures.
    silent, unseen : int
        Pieces left out: with nothing to hear, and after the picture's end.
    left_out_s : float
        Length of a rest under half a piece.
    filled_s : float
        Length of what the last piece was filled up by: silence (s2i), its repetition (sound2scene).
    clipped : int
        Samples beyond full scale, which Sound2Scene clips.
    measured : dict of str to float
        What the front end measured of the whole track.
    damage : tuple of str
        What is wrong with the picture.
    """

    sounds: int
    pictures: int
    silent: int
    unseen: int
    left_out_s: float
    filled_s: float
    clipped: int
    measured: dict[str, float]
    damage: tuple[str, ...]


def cut_pairs(
    path: str | os.PathLike[str],
    kind: PairKind,
    fit: str,
    arrays: GrowingArrays,
    moments: Sequence[float] | None = None,
) -> Cut:
    """Cut one clip.

    Parameters
    ----------
    arrays
        Receives, along axis 0, M sounds and N pictures:
        ``sounds``, (M, 128, 100) uint8 of log mel, or (M, 160000) int16 at 16 kHz;
        ``sound_start_s`` and ``sound_length_s``, (M,) float64, before any filling up;
        ``pictures``, (N, side, side, 3) uint8 RGB; ``picture_time_s``, (N,) float64; and
        ``picture_sound``, (N,) int64, the index of the sound that each belongs to.
    moments
        Seconds of the frames to take, each with the piece that it is in; None takes the middle of
        what is seen of every piece.

    Raises
    ------
    ValueError
        When the clip lacks sound or picture, or no pair comes of it.
    """
    picture_s = float(picture_clock(path).duration)
    screen, track = Screen(path), _Track(path, kind)
    sounds = pictures = silent = unseen = 0
    filled_s = 0.0
    for window, stored in track.pieces():
        length_s = len(window.wave) / kind.hearing.front.rate_hz
        if moments is None:
            middle = middle_s(window.start_s, length_s, picture_s)
            times_s = [] if middle is None else [middle]
        else:
            end_s = window.start_s + kind.hearing.piece_s
            times_s = sorted(t for t in moments if window.start_s <= t < end_s)
            if not times_s:
                continue
        if not (window.wave.any() and stored.any()):
            silent += 1
            continue
        seen = [(time_s, frame) for time_s in times_s if (frame := screen.at(time_s))]
        if not seen:
            unseen += 1
            continue
        arrays.append(
            {
                "sounds": stored[None],
                "sound_start_s": np.array([window.start_s]),
                "sound_length_s": np.array([length_s]),
                "pictures": np.stack([fitted(f.rgb(), kind.pixels, fit) for _, f in seen]),
                "picture_time_s": np.array([time_s for time_s, _ in seen]),
                "picture_sound": np.full(len(seen), sounds, np.int64),
            }
        )
        sounds, pictures = sounds + 1, pictures + len(seen)
        filled_s = kind.hearing.piece_s - length_s
    if not sounds:
        raise ValueError(_why_none(silent, unseen, moments))
    left_out_s = track.windows.left_out_s
    return Cut(
        *(sounds, pictures, silent, unseen, left_out_s, filled_s),
        *(track.clipped, track.measured, tuple(screen.damage)),
    )


class _Track:
    """A clip's sound, piece by piece, as it is heard and as it is stored."""

    def __init__(self, path: str | os.PathLike[str], kind: PairKind) -> None:
        self._path, self._hearing = path, kind.hearing
        self.clipped, self.measured = 0, dict[str, float]()
        self.windows = self._cut(())

    def pieces(self) -> Iterator[tuple[Window, NDArray[Any]]]:
        """Yield windows, and what is kept of each."""
        cut = self._segments if self._hearing is SEGMENT else self._waves
        return cut()

    def _segments(self) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        self.measured = S2I.measure(self._sound())
        heard, transformed = tee(self._sound())
        self.windows = self._cut(heard)
        for window, piece in zip(
            self.windows, S2I.encode(transformed, self.measured), strict=False
        ):
            yield window, piece["segments"][0]

    def _waves(self) -> Iterator[tuple[Window, NDArray[np.int16]]]:
        self.windows = self._cut(self._sound())
        samples = round(self._hearing.front.rate_hz * self._hearing.piece_s)
        for window in self.windows:
            wave, clipped = quantize(window.wave, 16)
            self.clipped += clipped
            yield window, np.resize(wave, samples).astype(np.int16)

    def _sound(self) -> Iterator[NDArray[np.float32]]:
        rate_hz = self._hearing.front.rate_hz
        return finite(stream_audio(self._path, rate_hz), rate_hz)

    def _cut(self, sound: Iterable[NDArray[np.float32]]) -> Windows:
        return Windows(sound, self._hearing.front.rate_hz, self._hearing.piece_s)


def _why_none(silent: int, unseen: int, moments: Sequence[float] | None) -> str:
    if moments is not None and not (silent or unseen):
        return f"no sound around its best frame, at {moments[0]:.1f} s"
    if unseen:
        return "the picture ends before any sound"
    return "silent throughout"
