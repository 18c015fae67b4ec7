"""The papers' controls as formulas on waveforms and on unit latents.

Waveforms are (samples,) float, mono, full scale 1, and stay float64 unclipped until
:func:`clipped`. Sound2Scene's latents are directions: its loss leaves their length free, and so
what is combined has length 1 before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMS = ("none", "peak", "rms")
_LEAST_NORM = 1e-6
_LEAST_ANGLE = 1e-4  # in radians; below it the arc is its chord

Sound = NDArray[np.floating[Any]]
Latent = NDArray[np.float32]


def factor(gain_db: float) -> float:
    """Return what a gain multiplies a sound by, ``10^(gain_db / 20)``."""
    return float(10 ** (gain_db / 20))


def clipped(sound: Sound) -> tuple[NDArray[np.float32], float]:
    """Clip to [-1, 1]; returns the sound and the share of samples that lay beyond."""
    beyond = float(np.mean(np.abs(sound) > 1)) if len(sound) else 0.0
    return np.clip(sound, -1, 1).astype(np.float32), beyond


def tiled(sound: Sound, samples: int) -> Sound:
    """Repeat a sound up to ``samples``; a longer one is cut.

    Raises
    ------
    ValueError
        When there is nothing to repeat.
    """
    if not len(sound):
        raise ValueError("the sound is empty (0 samples)")
    return np.resize(sound, samples)


def levelled(sounds: Sequence[Sound], norm: str) -> list[NDArray[np.float64]]:
    """Bring all sounds to the first one's level before they are mixed.

    Parameters
    ----------
    norm : {"none", "peak", "rms"}
        What of them is made equal; silence stays silence, and is no level to bring others to.

    Raises
    ------
    ValueError
        When ``norm`` is another.
    """
    if norm not in NORMS:
        raise ValueError(f"norm {norm!r}; choose one of: {', '.join(NORMS)}")
    given = [sound.astype(np.float64) for sound in sounds]
    if norm == "none":
        return given
    levels = [float(np.abs(x).max() if norm == "peak" else np.sqrt(np.mean(x**2))) for x in given]
    wanted = levels[0]
    return [
        x * (wanted / own if wanted and own else 1) for x, own in zip(given, levels, strict=True)
    ]


def mixed(sounds: Sequence[Sound], factors: Sequence[float]) -> NDArray[np.float64]:
    """Return ``sum f_i x_i`` of sounds of one length, unclipped."""
    total = np.zeros(len(sounds[0]))
    for sound, each in zip(sounds, factors, strict=True):
        total += each * sound.astype(np.float64)
    return total


def seconds_in(samples: int, rate_hz: int) -> int:
    """Count the seconds of a sound that are drawn: the last if it is at least half there."""
    return max(1, int(samples / rate_hz + 0.5))


def loudest_second(sound: Sound, rate_hz: int) -> int:
    """Return the second with the most energy, from 0; the first of equals."""
    count = seconds_in(len(sound), rate_hz)
    energies = [
        float(np.sum(sound[k * rate_hz : (k + 1) * rate_hz].astype(np.float64) ** 2))
        for k in range(count)
    ]
    return int(np.argmax(energies))


def unit(latent: NDArray[np.floating]) -> Latent:
    """Bring (features,) to length 1; zeros, a silent ReLU's, stay zeros."""
    return (latent / max(float(np.linalg.norm(latent)), _LEAST_NORM)).astype(np.float32)


def interpolated(first: Latent, second: Latent, t: float) -> Latent:
    """Return ``(1 - t) z_1 + t z_2``, brought back to length 1; of ends of length 1."""
    return unit((1 - t) * first.astype(np.float64) + t * second.astype(np.float64))


def along_the_arc(first: Latent, second: Latent, t: float) -> Latent:
    """Interpolate on the sphere at constant angular speed (slerp); of ends of length 1."""
    angle = float(np.arccos(np.clip(np.dot(first.astype(np.float64), second), -1, 1)))
    if angle < _LEAST_ANGLE:
        return interpolated(first, second, t)
    weights = np.sin((1 - t) * angle) / np.sin(angle), np.sin(t * angle) / np.sin(angle)
    return unit(weights[0] * first.astype(np.float64) + weights[1] * second.astype(np.float64))


def blended(sound: Latent, picture: Latent, weight: float) -> Latent:
    """Return ``w z_V + (1 - w) z_A``: 0 is the sound alone, 1 the picture alone."""
    return interpolated(sound, picture, weight)


def edited(picture: Latent, louder: Latent, quieter: Latent, strength: float) -> Latent:
    """Return ``z_V + s (z_A1 - z_A2)`` brought to length 1: a photograph's latent, moved."""
    move = louder.astype(np.float64) - quieter.astype(np.float64)
    return unit(picture.astype(np.float64) + strength * move)
