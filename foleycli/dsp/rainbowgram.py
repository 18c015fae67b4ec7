"""Rainbowgrams (Engel et al. 2017): loudness as brightness, instantaneous frequency as colour.

A steady tone is a line of one colour, since its phase advances by the same angle from frame to
frame; noise is of all colours. The constants are those of the authors' published notebook, which
heard sound at 16 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.cqt import ConstantQ
from foleycli.dsp.front_ends.front_end import require_sound

RAINBOWGRAM_RATE_HZ = 16_000
_HOP_SAMPLES = 256
_OCTAVES = 6
_BINS_PER_OCTAVE = 10 * 4
_LOWEST_HZ = 440 * 2 ** (-33 / 12)  # C2
_FILTER_SCALE = 0.8
_RANGE_DB = 70.0


@dataclass(frozen=True, eq=False)
class Rainbowgram:
    """What is drawn; the first column is centred on the sound's first sample.

    Attributes
    ----------
    brightness : (bins, frames) float32
        0 is 70 dB under the loudest or less, 1 the loudest; low frequencies first.
    steps : (bins, frames) float32
        Phase step from the frame before, in half turns, -1 to 1; the first column is the phase
        itself.
    edges_hz : (bins + 1,) float64
        Where the bins meet.
    hop_s : float
        Seconds from column to column.
    """

    brightness: NDArray[np.float32]
    steps: NDArray[np.float32]
    edges_hz: NDArray[np.float64]
    hop_s: float


def rainbowgram(waveform: NDArray[np.floating], rate_hz: int = RAINBOWGRAM_RATE_HZ) -> Rainbowgram:
    """Analyse a sound for drawing.

    Parameters
    ----------
    waveform : (samples,) float
        Mono. Colours of sounds can be compared only at the same rate.

    Returns
    -------
    Rainbowgram
        240 bins, 6 octaves from C2 (65 Hz) up; a frame every 256 samples.

    Raises
    ------
    ValueError
        When the waveform is not mono, is empty or not finite, or its rate is too low.
    """
    require_sound(waveform)
    transform = ConstantQ(
        rate_hz, _HOP_SAMPLES, _OCTAVES, _BINS_PER_OCTAVE, _LOWEST_HZ, _FILTER_SCALE
    )
    if rate_hz < 2 * _LOWEST_HZ * 2**_OCTAVES:
        raise ValueError(f"a rainbowgram needs {RAINBOWGRAM_RATE_HZ} Hz, not {rate_hz}: resample")
    spectrum = transform.forward(waveform.astype(np.float32))
    magnitude = np.abs(spectrum)
    relative = magnitude / max(float(magnitude.max()), np.finfo(np.float32).tiny)
    decibels = 20 * np.log10(np.maximum(relative, 10 ** (-_RANGE_DB / 20)))
    steps = np.diff(np.unwrap(np.angle(spectrum), axis=1), axis=1, prepend=0) / np.pi
    return Rainbowgram(
        (1 + decibels / _RANGE_DB).astype(np.float32),
        np.clip(steps, -1, 1).astype(np.float32),
        transform.edges_hz,
        _HOP_SAMPLES / rate_hz,
    )
