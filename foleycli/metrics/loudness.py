"""Loudness: EBU R 128 integrated loudness, peaks and RMS.

Integrated loudness is that of ITU-R BS.1770-4 as pyloudnorm computes it: K-weighted mean square
over blocks of 0.4 s every 0.1 s, blocks under -70 LUFS left out, then those 10 LU under the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from foleycli.dsp.front_ends.front_end import require_sound

GATE_S = 0.4
_STEPS_A_GATE = 4
_OVERSAMPLING = 4
_BLOCK = 1 << 17  # samples oversampled at a time
_SURROUND = 6
_LFE = 3  # among the channels of 5.1
_MARGIN = 64  # further than the interpolator reaches


@dataclass(frozen=True)
class Loudness:
    """Levels of one sound; None where it is silent, or too quiet for the gate.

    Attributes
    ----------
    integrated_lufs : float or None
        None when no block reaches -70 LUFS: the standard then defines none.
    true_peak_dbtp : float or None
        Peak at four times the rate, dB relative to full scale.
    peak_dbfs, rms_dbfs : float or None
        Highest sample and root mean square, dB relative to 1.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float | None
    peak_dbfs: float | None
    rms_dbfs: float | None


def loudness(waveform: NDArray[np.floating], rate_hz: int) -> Loudness:
    """Measure a sound.

    Parameters
    ----------
    waveform : (samples,) or (channels, samples) float
        Full scale 1; channels in the order left, right, centre, left and right surround, whose
        energies the standard adds up, and of six the fourth is taken for the LFE and left out.
        Shorter than 0.4 s it is measured with silence after it up to 0.4 s, which is what a
        momentary meter shows at most.
    rate_hz : int

    Returns
    -------
    Loudness

    Raises
    ------
    ValueError
        When there are no channels or more than six, a channel is empty or not finite.
    """
    channels = np.atleast_2d(waveform)
    if channels.ndim != 2 or not 1 <= len(channels) <= _SURROUND:
        raise ValueError(f"loudness is of 1 to {_SURROUND} channels, not of {waveform.shape}")
    for channel in channels:
        require_sound(channel)
    if len(channels) == _SURROUND:
        channels = np.delete(channels, _LFE, axis=0)
    sound = channels.astype(np.float64)
    return Loudness(
        _integrated_lufs(sound, rate_hz),
        _decibels(max(map(_true_peak, sound))),
        _decibels(float(np.abs(sound).max())),
        _decibels(float(np.sqrt((sound**2).mean()))),
    )


def _integrated_lufs(sound: NDArray[np.float64], rate_hz: int) -> float | None:
    import pyloudnorm

    gate = int(np.ceil(GATE_S * rate_hz))
    # The standard leaves an unfinished last block out; pyloudnorm would count it as a quiet one.
    samples = sound.shape[1]
    steps = samples * _STEPS_A_GATE // gate
    whole = -(-steps * gate // _STEPS_A_GATE)
    kept = np.pad(sound, ((0, 0), (0, max(0, gate - samples))))[:, : max(whole, gate)]
    lufs = float(pyloudnorm.Meter(rate_hz).integrated_loudness(kept.T))
    return lufs if np.isfinite(lufs) else None


def _true_peak(sound: NDArray[np.float64]) -> float:
    highest = float(np.abs(sound).max())
    for start in range(0, len(sound), _BLOCK):
        first = max(0, start - _MARGIN)
        piece = sound[first : start + _BLOCK + _MARGIN]
        finer = resample_poly(piece, _OVERSAMPLING, 1)
        inside = slice(_OVERSAMPLING * (start - first), _OVERSAMPLING * (start - first + _BLOCK))
        highest = max(highest, float(np.abs(finer[inside]).max()))
    return highest


def _decibels(amplitude: float) -> float | None:
    return 20 * float(np.log10(amplitude)) if amplitude else None
