"""Onsets as the published synchrony metrics detect them: by librosa, at 22,050 Hz.

AV-Align, CondFoleyGen and the metrics copied from it all call ``librosa.onset.onset_detect`` with a
hop of 512 samples (23 ms) and differ in its peak threshold alone. Their figures depend on the
details of that detector, so theirs is used, and only for them: our own measures take
:func:`foleycli.dsp.onsets.detect_onsets`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import require_sound

LIBROSA_RATE_HZ = 22_050
LIBROSA_DELTA = 0.07  # librosa's own threshold
CONDFOLEYGEN_DELTA = 0.3
_FFT_SAMPLES = 2048


def librosa_onsets(
    waveform: NDArray[np.floating], delta: float = LIBROSA_DELTA
) -> NDArray[np.int64]:
    """Detect onsets.

    Parameters
    ----------
    waveform : (samples,) float
        Mono at 22,050 Hz.
    delta : float
        How far a peak of the normalised onset strength must stand above the mean around it.

    Returns
    -------
    (onsets,) int64
        Samples, ascending, multiples of 512. None in silence.

    Raises
    ------
    ValueError
        When the waveform is not mono, not finite, or shorter than one window of 2048 samples.
    """
    import librosa

    require_sound(waveform)
    if len(waveform) < _FFT_SAMPLES:
        raise ValueError(
            f"librosa's onsets need {_FFT_SAMPLES} samples at {LIBROSA_RATE_HZ} Hz, "
            f"got {len(waveform)}"
        )
    found = librosa.onset.onset_detect(y=waveform, sr=LIBROSA_RATE_HZ, units="samples", delta=delta)
    return np.asarray(found, np.int64)
