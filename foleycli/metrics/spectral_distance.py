"""Log-spectral distance of two sounds on one grid of time and frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import require_sound
from foleycli.dsp.quality import log_spectral_distance_db
from foleycli.dsp.stft import Stft

GRID = Stft(1024, 256, before=512, after=512, padding="zeros")


def log_spectral_distance(
    reference: NDArray[np.floating], generated: NDArray[np.floating]
) -> float | None:
    """Log-spectral distance in dB; lower is better.

    Both sounds go through the same transform, Hann windows of 1024 samples every 256, and the
    longer one ends with the shorter: :mod:`foleycli.metrics.soundness` tells of durations. Levels
    count down to 80 dB under the reference's loudest cell.

    Parameters
    ----------
    reference, generated : (samples,) float
        Mono, at one rate.

    Returns
    -------
    float or None
        0 for equal sounds; None where the reference alone is silent, as there is no floor then.

    Raises
    ------
    ValueError
        When a waveform is not mono, is empty or is not finite.
    """
    require_sound(reference)
    require_sound(generated)
    samples = min(len(reference), len(generated))
    wanted, got = (
        np.abs(GRID.forward(waveform[:samples].astype(np.float64)))
        for waveform in (reference, generated)
    )
    distance = log_spectral_distance_db(wanted, got)
    return distance if np.isfinite(distance) else None
