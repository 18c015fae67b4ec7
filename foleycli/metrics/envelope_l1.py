"""E-L1: how far the loudness curve of a generated sound lies from that of the reference.

The envelope is the root mean square over windows of 512 samples every 128. Two published figures
bear the name and cannot be compared, as their rates, paddings and normalisations differ:

- T-Foley (Chung et al., ICASSP 2024; ``inference.py`` and ``utils.py``), at 22,050 Hz.
- Video-Foley (Lee et al. 2024; ``evaluate_v2s.py``), at 16 kHz.

Both fall when a sound is merely quieter. :func:`envelope_distance` is the corrected measure: equal
energies, and the lag at which the curves agree best told apart from their shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import ellip, filtfilt

from foleycli.dsp.front_ends.front_end import require_sound

TFOLEY_RATE_HZ = 22_050
VIDEO_FOLEY_RATE_HZ = 16_000
LONGEST_LAG_S = 0.25
_WINDOW = 512
_HOP = 128
_TFOLEY_BLOCKS = 490

Waveform = NDArray[np.floating]
Envelope = NDArray[np.float64]


def tfoley_e_l1(reference: Waveform, generated: Waveform) -> float:
    """E-L1 of T-Foley.

    Both sounds are divided by their peaks, the envelopes are smoothed by a zero-phase elliptic
    filter and, from 980 frames (5.7 s) on, reduced to the maxima of ``frames // 490`` neighbours.

    Parameters
    ----------
    reference, generated : (samples,) float
        Mono at 22,050 Hz, of one length.

    Returns
    -------
    float
        Mean absolute difference. Silence has an envelope of zeros, where the reference divides by
        zero.

    Raises
    ------
    ValueError
        When the sounds are malformed, differ in length or are shorter than 0.1 s.
    """
    _require_alike(reference, generated)
    if len(reference) < 0.1 * TFOLEY_RATE_HZ:
        raise ValueError(f"T-Foley's E-L1 needs 0.1 s of sound, got {len(reference)} samples")
    return _mean_distance(_tfoley_envelope(reference), _tfoley_envelope(generated))


def video_foley_e_l1(reference: Waveform, generated: Waveform) -> float:
    """E-L1 of Video-Foley: raw envelopes, so that level counts.

    Parameters
    ----------
    reference, generated : (samples,) float
        Mono at 16 kHz, of one length.

    Returns
    -------
    float
        Mean absolute difference.

    Raises
    ------
    ValueError
        When the sounds are malformed, differ in length or are shorter than one window.
    """
    _require_alike(reference, generated)
    return _mean_distance(_video_foley_envelope(reference), _video_foley_envelope(generated))


@dataclass(frozen=True)
class EnvelopeDistance:
    """Distance of two envelopes of equal energy.

    Attributes
    ----------
    distance : float
        Mean absolute difference of envelopes whose mean square is 1: 0 to sqrt 2, whatever the
        levels. Silence keeps its zeros.
    best_distance : float
        The least over lags of at most 0.25 s, over the frames that then face each other.
    lag_s : float
        Where that is: positive when the generated sound is late. Of equals the smallest, then the
        negative one.
    """

    distance: float
    best_distance: float
    lag_s: float


def envelope_distance(reference: Waveform, generated: Waveform) -> EnvelopeDistance:
    """Compare loudness curves by shape and lag.

    The envelopes are Video-Foley's.

    Parameters
    ----------
    reference, generated : (samples,) float
        Mono at 16 kHz, of one length, 0.5 s or more.

    Returns
    -------
    EnvelopeDistance

    Raises
    ------
    ValueError
        When the sounds are malformed, differ in length or are too short for the lags.
    """
    _require_alike(reference, generated)
    wanted, got = (_unit_energy(_video_foley_envelope(w)) for w in (reference, generated))
    longest = int(LONGEST_LAG_S * VIDEO_FOLEY_RATE_HZ / _HOP)
    if len(wanted) < 2 * longest:
        raise ValueError(f"envelopes of {len(wanted)} frames are too short for {longest} of lag")
    distances = {
        lag: _mean_distance(wanted[max(0, -lag) :], got[max(0, lag) :])
        for lag in sorted(range(-longest, longest + 1), key=abs)
    }
    best = min(distances, key=distances.__getitem__)
    return EnvelopeDistance(distances[0], distances[best], best * _HOP / VIDEO_FOLEY_RATE_HZ)


def _tfoley_envelope(waveform: Waveform) -> Envelope:
    peak = np.abs(waveform).max()
    normal = waveform.astype(np.float64) / peak if peak else waveform.astype(np.float64)
    envelope = _rms(np.pad(normal, _WINDOW // 2))
    numerator, denominator = ellip(4, 0.01, 120, 0.125)
    smooth = filtfilt(numerator, denominator, envelope, method="gust")
    block = max(1, len(smooth) // _TFOLEY_BLOCKS)  # under 490 frames the reference fails
    whole = len(smooth) // block * block
    return np.asarray(smooth[:whole].reshape(-1, block).max(axis=1), np.float64)


def _video_foley_envelope(waveform: Waveform) -> Envelope:
    return _rms(np.pad(waveform.astype(np.float64), (_WINDOW - _HOP) // 2, "reflect"))


def _rms(padded: NDArray[np.float64]) -> Envelope:
    """Root mean square of each window: (samples,) to (frames,)."""
    windows = np.lib.stride_tricks.sliding_window_view(padded**2, _WINDOW)[::_HOP]
    return np.asarray(np.sqrt(windows.mean(axis=1)), np.float64)


def _unit_energy(envelope: Envelope) -> Envelope:
    rms = float(np.sqrt((envelope**2).mean()))
    return envelope / rms if rms else envelope


def _mean_distance(one: Envelope, two: Envelope) -> float:
    shared = min(len(one), len(two))
    return float(np.abs(one[:shared] - two[:shared]).mean())


def _require_alike(reference: Waveform, generated: Waveform) -> None:
    for waveform in (reference, generated):
        require_sound(waveform)
        if len(waveform) < _WINDOW:
            raise ValueError(f"envelopes need {_WINDOW} samples, got {len(waveform)}")
    if len(reference) != len(generated):
        raise ValueError(
            f"envelopes need sounds of one length, got {len(reference)} and {len(generated)} "
            "samples: cut or pad the generated one"
        )
