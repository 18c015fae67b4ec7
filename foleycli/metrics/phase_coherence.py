"""Phase coherence: whether the bright lines of a rainbowgram keep their colour.

In a rainbowgram (:mod:`foleycli.dsp.rainbowgram`) colour is the step of phase from frame to frame,
an instantaneous frequency. With phases ``phi`` of bin ``b`` and frame ``t``,

    C = mean over bright cells of cos(phi[b, t+1] - 2 phi[b, t] + phi[b, t-1]),

which is 1 where instantaneous frequency stays constant and 0 where steps are independent. A cell is
bright when it and its neighbours in time lie within 40 dB of the sound's loudest.

Filters overlap in time, the more so the lower they are, and keep even the phase of noise coherent
for a while: in the lowest octave white noise has 0.98, in the highest 0. So C stands beside
``chance``, the mean over the same cells of what white noise has in their bins. A tone is near 1
wherever it lies, noise near its chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.rainbowgram import RAINBOWGRAM_RATE_HZ, rainbowgram

BRIGHT_DB = 40.0
OCTAVES = 6
_RANGE_DB = 70.0  # what brightness from 0 to 1 spans
_NOISE_S = 10


@dataclass(frozen=True)
class PhaseCoherence:
    """Phase coherence of one sound.

    Attributes
    ----------
    value : float
        Mean cosine, in [-1, 1].
    chance : float
        What white noise would have in the same bins.
    bright_share : tuple of float
        By octave from 65 Hz up: share of the bright cells; the sum is 1.
    by_octave : tuple of float
        Mean cosine in each octave; 0 where nothing is bright.
    """

    value: float
    chance: float
    bright_share: tuple[float, ...]
    by_octave: tuple[float, ...]


def phase_coherence(waveform: NDArray[np.floating]) -> PhaseCoherence | None:
    """Measure one sound.

    Parameters
    ----------
    waveform : (samples,) float
        Mono at 16 kHz: steps of phase are comparable at one rate only.

    Returns
    -------
    PhaseCoherence or None
        None when no cell is bright: the sound is silent, or lasts one hop (16 ms) or less.

    Raises
    ------
    ValueError
        When the waveform is not mono, is empty or is not finite.
    """
    cosines, bright = _second_differences(waveform)
    cells = bright.sum(axis=1)
    if not cells.sum():
        return None
    coherent = (cosines * bright).sum(axis=1)
    by_octave = [
        float(part.sum() / max(count.sum(), 1))
        for part, count in zip(np.split(coherent, OCTAVES), np.split(cells, OCTAVES), strict=True)
    ]
    share = np.add.reduceat(cells, np.arange(0, len(cells), len(cells) // OCTAVES)) / cells.sum()
    return PhaseCoherence(
        float(coherent.sum() / cells.sum()),
        float((_noise_coherence() * cells).sum() / cells.sum()),
        tuple(share.tolist()),
        tuple(by_octave),
    )


def phase_coherence_distance(one: PhaseCoherence, two: PhaseCoherence) -> float | None:
    """How differently two sounds keep their phases where both are bright.

        sum_o sqrt(s_o s'_o) |C_o - C'_o| / sum_o sqrt(s_o s'_o)

    over octaves ``o`` with shares ``s`` of the bright cells: spectra may differ, level plays no
    part.

    Returns
    -------
    float or None
        In [0, 2], the same either way round; None when they have no octave in common.
    """
    weights = np.sqrt(np.multiply(one.bright_share, two.bright_share))
    if not weights.sum():
        return None
    differences = np.abs(np.subtract(one.by_octave, two.by_octave))
    return float((weights * differences).sum() / weights.sum())


def _second_differences(
    waveform: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cosines of second differences of phase, and which count; (bins, frames - 2) both."""
    drawn = rainbowgram(waveform, RAINBOWGRAM_RATE_HZ)
    steps = np.pi * drawn.steps[:, 1:].astype(np.float64)
    loud = drawn.brightness >= 1 - BRIGHT_DB / _RANGE_DB
    bright = loud[:, :-2] & loud[:, 1:-1] & loud[:, 2:]
    return np.cos(np.diff(steps, axis=1)), bright


@lru_cache
def _noise_coherence() -> NDArray[np.float64]:
    """(bins,) mean cosine of ten seconds of white noise."""
    noise = np.random.default_rng(0).standard_normal(_NOISE_S * RAINBOWGRAM_RATE_HZ)
    cosines, bright = _second_differences(noise)
    mean = (cosines * bright).sum(axis=1) / np.maximum(bright.sum(axis=1), 1)
    return np.asarray(mean, np.float64)
