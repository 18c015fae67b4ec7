"""Whether a sound has events, so that it can be heard to be early or late.

Half a second does not change rain, nor a clock that ticks twice a second. Two numbers of the level
curve (RMS in decibels, every 20 ms) tell: how far its highest value stands above its median, also
in what is left of the sound when it is shifted, and how like itself it is then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HOP_S = 0.02
_FLOOR_DB = -60.0  # under the highest: silence has no shape
_LEAST_RISE_DB = 15.0
_MOST_ALIKE = 0.5
_TOLERANCE_S = 0.06  # a rhythm need not be exact to hide a shift


def is_eventful(waveform: NDArray[np.floating], rate_hz: int, shift_ms: int) -> bool:
    """Tell whether a sound is heard to be shifted.

    Parameters
    ----------
    waveform : (samples,) float
        Mono.
    rate_hz : int
    shift_ms : int
        How far either way.
    """
    level = _level_db(waveform, rate_hz)
    lag = round(abs(shift_ms) / 1000 / _HOP_S)
    around = round(_TOLERANCE_S / _HOP_S)
    if len(level) <= lag + around + 1 or np.ptp(level) == 0:
        return False
    highest = min(level[lag:].max(), level[:-lag].max())
    if highest - np.median(level) < _LEAST_RISE_DB:
        return False
    return max(_alike(level, lag + k) for k in range(-around, around + 1)) < _MOST_ALIKE


def _level_db(waveform: NDArray[np.floating], rate_hz: int) -> NDArray[np.float64]:
    hop = max(1, round(_HOP_S * rate_hz))
    whole = waveform[: len(waveform) // hop * hop].astype(np.float64).reshape(-1, hop)
    power = (whole**2).mean(1)
    if not power.max(initial=0):
        return np.zeros(len(power))
    level: NDArray[np.float64] = 10 * np.log10(power / power.max() + 10 ** (_FLOOR_DB / 10))
    return level


def _alike(level: NDArray[np.float64], lag: int) -> float:
    """Correlation of a curve with itself, moved."""
    left, right = level[lag:], level[: len(level) - lag]
    if not np.ptp(left) or not np.ptp(right):
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])
