"""Envelope correlation: whether the sound swells when the picture moves.

A definition of our own, which needs neither a network nor a reference sound: a curve of motion and
one of sound (:func:`foleycli.dsp.onsets.onset_strength`) are read at 100 Hz, z-scored, and
correlated at every circular lag,

    r(lag) = 1/N sum_k x[k] y[(k + lag) mod N].

The peak within 0.25 s says how strongly and how late; that r is the highest of 51 is allowed for by
comparing it with the highest of 51 around every other lag, which cannot mean synchrony.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

GRID_HZ = 100
LONGEST_LAG_S = 0.25
_LAGS = int(LONGEST_LAG_S * GRID_HZ)
_ROUNDING = 1e-9

Curve = NDArray[np.floating]


@dataclass(frozen=True)
class EnvelopeCorrelation:
    """How two curves go together.

    Attributes
    ----------
    r_zero : float
        Correlation as they are, in [-1, 1].
    r_peak, lag_s : float
        The highest within 0.25 s, and where: positive when the sound is late.
    p : float
        Share of the circular shifts by more than 0.5 s, this one counted in, whose highest r
        within 0.25 s is as high: small when the curves belong together. Never 0.
    """

    r_zero: float
    r_peak: float
    lag_s: float
    p: float


def envelope_correlation(
    motion_times_s: Curve, motion: Curve, sound_times_s: Curve, sound: Curve
) -> EnvelopeCorrelation | None:
    """Correlate a curve of motion with one of sound.

    Parameters
    ----------
    motion_times_s, motion : (N,) float
        Times in seconds, ascending, and values in any unit.
    sound_times_s, sound : (M,) float
        The same of the sound. What both cover counts; between values they are linear.

    Returns
    -------
    EnvelopeCorrelation or None
        None where a curve is constant, as with silence or a still picture.

    Raises
    ------
    ValueError
        When a curve is malformed, or both together cover 2 s or less.
    """
    for times, values in ((motion_times_s, motion), (sound_times_s, sound)):
        if times.shape != values.shape or values.ndim != 1 or len(values) < 2:
            raise ValueError(
                f"need one value a time, two or more, got {values.shape} and {times.shape}"
            )
        if not np.isfinite(values).all() or not (np.diff(times) > 0).all():
            raise ValueError("need finite values at ascending times")
    start_s = max(motion_times_s[0], sound_times_s[0])
    stop_s = min(motion_times_s[-1], sound_times_s[-1])
    if stop_s - start_s <= 8 * LONGEST_LAG_S:
        raise ValueError(
            f"need {8 * LONGEST_LAG_S:g} s that both curves cover, got {stop_s - start_s:.2f} s"
        )
    grid_s = start_s + np.arange(int((stop_s - start_s) * GRID_HZ)) / GRID_HZ
    seen = _z_score(np.interp(grid_s, motion_times_s, motion))
    heard = _z_score(np.interp(grid_s, sound_times_s, sound))
    if seen is None or heard is None:
        return None
    spectrum = np.conj(np.fft.rfft(seen)) * np.fft.rfft(heard)
    r = np.fft.irfft(spectrum, len(grid_s)) / len(grid_s)
    lags = np.array(sorted(range(-_LAGS, _LAGS + 1), key=abs))
    lag = int(lags[np.argmax(r[lags])])
    highest = maximum_filter1d(r, 2 * _LAGS + 1, mode="wrap")
    others = highest[2 * _LAGS + 1 : len(r) - 2 * _LAGS]
    as_high = np.count_nonzero(others >= r[lag] - _ROUNDING)
    return EnvelopeCorrelation(
        float(r[0]), float(r[lag]), lag / GRID_HZ, (1 + as_high) / (1 + len(others))
    )


def _z_score(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    deviations = values - values.mean()
    spread = float(np.sqrt((deviations**2).mean()))
    if spread <= _ROUNDING * float(np.abs(values).max()):
        return None
    return np.asarray(deviations / spread, np.float64)
