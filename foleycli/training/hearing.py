"""What the two sound-to-image systems hear: pieces of a clip, and views of them to train on.

Sound2Scene hears ten seconds as a log power spectrogram, Sound-to-Imagination one second as bytes
of log mel. A piece is kept as levels, without the loop to ten seconds or the z-score, so that a
view costs no second transform: a gain adds to levels, and so do the powers of two sounds. What is
altered differs between recordings of one thing and says nothing of it, as in ``windows.py``.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import FrontEnd, encode_whole
from foleycli.dsp.front_ends.s2i import S2I, to_model
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.media.audio import read_audio
from foleycli.training.scene_levels import scene_levels

_NEPERS_PER_DB = np.log(10) / 10  # natural logarithm of power
_QUIETER_DB, _LOUDER_DB = -12.0, 6.0
_KNOTS = 6  # of the random curve over frequency
_CURVE_DB = 3.0
_MIX_CHANCE = 0.3
_MIXED_DB = (-20.0, -6.0)  # level of the sound that is mixed in, relative to the one heard
_MASKS = 2
_MASKED_SHARE = 0.12  # of the bands, and of the frames, at most


@dataclass(frozen=True)
class Piece:
    """A piece of a clip's sound, where it begins, and how long it is before any filling up."""

    levels: NDArray[Any]
    start_s: float
    length_s: float


class Hearing(ABC):
    """How a system hears.

    Attributes
    ----------
    front : FrontEnd
        The published front end; its constants go into the model file.
    piece_s : float
        Length of a piece in seconds.
    """

    front: ClassVar[FrontEnd]
    piece_s: ClassVar[float]

    @abstractmethod
    def listen(self, path: str | os.PathLike[str]) -> list[Piece]:
        """Cut a clip's sound into pieces that say something.

        Raises
        ------
        ValueError
            When there is no sound, or it is silent throughout.
        """

    @abstractmethod
    def view(
        self,
        levels: NDArray[Any],
        rng: np.random.Generator | None = None,
        other: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Return what the network takes, (rows, frames) float32.

        Parameters
        ----------
        levels
            A piece's.
        rng
            Alters the view; None gives the piece as it is.
        other
            Another piece's levels, which may be mixed in.
        """


class SceneHearing(Hearing):
    """Sound2Scene: (257, 1 to 1004) float16 log power density -> (257, 1004) z-scores."""

    front = SOUND2SCENE
    piece_s = SOUND2SCENE.clip_s

    def listen(self, path: str | os.PathLike[str]) -> list[Piece]:
        """See :meth:`Hearing.listen`; under a second is repeated to one."""
        rate = self.front.rate_hz
        wave, _ = read_audio(path, rate_hz=rate)
        pieces = []
        for start_s, sound in _cut(wave, rate, self.piece_s):
            if not sound.any():
                continue
            pieces.append(Piece(scene_levels(sound), start_s, len(sound) / rate))
        return _any(pieces)

    def view(
        self,
        levels: NDArray[Any],
        rng: np.random.Generator | None = None,
        other: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`Hearing.view`; the sound starts anywhere in its loop."""
        frames = SOUND2SCENE.frames
        if rng is None:
            return _z_score(np.exp(_looped(levels, frames)))
        power = np.exp(_looped(levels, frames, rng) + _microphone(len(levels), rng)[:, None])
        if other is not None and rng.random() < _MIX_CHANCE:
            added = np.exp(_looped(other, frames, rng))
            share = 10 ** (rng.uniform(*_MIXED_DB) / 10) * power.mean() / added.mean()
            power += np.float32(share) * added
        return _masked(_z_score(power), rng)

    def at_gain(self, levels: NDArray[Any], gain_db: float) -> NDArray[np.float32]:
        """Return what the network takes of a piece made louder or quieter, unclipped.

        Of the gain only what the front end's floor swallows is heard; the z-score cancels the rest.
        """
        return self.view(levels.astype(np.float32) + np.float32(gain_db * _NEPERS_PER_DB))


class SegmentHearing(Hearing):
    """Sound-to-Imagination: (128, 100) uint8 of a second -> the same in [-1, 1]."""

    front = S2I
    piece_s = 1.0

    def listen(self, path: str | os.PathLike[str]) -> list[Piece]:
        """See :meth:`Hearing.listen`; levels are relative to the whole clip's loudest."""
        wave, rate = read_audio(path, rate_hz=self.front.rate_hz)
        arrays, _ = encode_whole(self.front, wave)
        pieces = [
            Piece(segment, start_s, len(sound) / rate)
            for segment, (start_s, sound) in zip(
                arrays["segments"], _cut(wave, rate, self.piece_s), strict=False
            )
            if sound.any() and segment.any()
        ]
        return _any(pieces)

    def view(
        self,
        levels: NDArray[Any],
        rng: np.random.Generator | None = None,
        other: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`Hearing.view`; of two sounds each cell keeps the louder."""
        if rng is None:
            return to_model(levels)
        per_db = -255 / S2I.floor_db
        curve = _microphone(len(levels), rng) / _NEPERS_PER_DB * per_db
        heard = np.where(levels > 0, levels + curve[::-1, None], 0)
        if other is not None and rng.random() < _MIX_CHANCE:
            heard = np.maximum(heard, other + rng.uniform(*_MIXED_DB) * per_db)
        return to_model(_masked(np.clip(np.rint(heard), 0, 255).astype(np.uint8), rng))


def _cut(
    wave: NDArray[np.float32], rate_hz: int, piece_s: float
) -> list[tuple[float, NDArray[np.float32]]]:
    """Cut into pieces; a rest under half a piece is left out unless it is all there is."""
    size = round(piece_s * rate_hz)
    starts = range(0, len(wave), size)
    return [
        (start / rate_hz, wave[start : start + size])
        for start in starts
        if start == 0 or len(wave) - start >= size / 2
    ]


def _any(pieces: list[Piece]) -> list[Piece]:
    if not pieces:
        raise ValueError("silent throughout; leave the clip out")
    return pieces


def _looped(
    levels: NDArray[Any], frames: int, rng: np.random.Generator | None = None
) -> NDArray[np.float32]:
    own = levels.shape[1]
    turns = -(-frames // own) + (rng is not None)
    start = int(rng.integers(own)) if rng is not None else 0
    return np.tile(levels.astype(np.float32), (1, turns))[:, start : start + frames]


def _microphone(bands: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gain of every band, the lowest first, in nepers of power."""
    knots = rng.uniform(_QUIETER_DB, _LOUDER_DB) + rng.normal(0, _CURVE_DB, _KNOTS)
    gain_db = np.interp(np.linspace(0, 1, bands), np.linspace(0, 1, _KNOTS), knots)
    return (gain_db * _NEPERS_PER_DB).astype(np.float32)


def _z_score(power: NDArray[np.float32]) -> NDArray[np.float32]:
    log = np.log(power + np.float32(SOUND2SCENE.power_floor))
    z: NDArray[np.float32] = (log - log.mean()) / (log.std() + SOUND2SCENE.least_std)
    return z.astype(np.float32)


def _masked(view: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Set some bands and some frames to zero (SpecAugment, Park et al. 2019)."""
    for axis, size in enumerate(view.shape):
        for _ in range(_MASKS):
            width = int(rng.integers(int(size * _MASKED_SHARE) + 1))
            start = int(rng.integers(size - width + 1))
            np.moveaxis(view, axis, 0)[start : start + width] = 0
    return view


SCENE, SEGMENT = SceneHearing(), SegmentHearing()
