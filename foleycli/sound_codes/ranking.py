"""Which of several sounds fits a clip best: rejection by a classifier, or by synchrony."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.action import ActionSeries
from foleycli.dsp.onsets import ONSET_HOP_SAMPLES, onset_strength
from foleycli.media.audio import resample
from foleycli.sound_embedding import SoundEmbedder

_SMOOTHED_S = 0.1  # sound and picture this far apart still count as one event


class ClassRanking:
    """Log-probability that a classifier gives the wanted class."""

    def __init__(self, listener: SoundEmbedder, label: str) -> None:
        """Find the class.

        Raises
        ------
        ValueError
            When the classifier does not know it; the message lists those it does.
        """
        if label not in listener.classes:
            known = ", ".join(listener.classes)
            raise ValueError(f"--rank classifier: it does not know {label!r}, but: {known}")
        self._listener, self._index = listener, listener.classes.index(label)

    def score(self, waveform: NDArray[np.float32], rate_hz: int) -> float:
        """Score a sound (samples,); larger is better, 0 at most."""
        heard = resample(waveform, rate_hz, self._listener.view.front.rate_hz)
        logits = self._listener.embed(heard)[1].astype(np.float64)
        above = logits - logits.max()
        return float(above[self._index] - np.log(np.exp(above).sum()))


class SyncRanking:
    """Correlation of when something is seen to act with when the sound rises.

    Parameters
    ----------
    seen : ActionSeries
        Of the picture.
    """

    def __init__(self, seen: ActionSeries) -> None:
        self._times_s = np.arange(len(seen.values)) / seen.fps
        steps = max(1, round(_SMOOTHED_S * seen.fps))
        self._window = np.hanning(2 * steps + 1)
        self._seen = self._standardised(seen.values)

    def score(self, waveform: NDArray[np.float32], rate_hz: int) -> float:
        """Score a sound (samples,) in [-1, 1]; 0 where sound or picture never change."""
        strength = onset_strength(waveform, rate_hz)
        heard_s = np.arange(len(strength)) * ONSET_HOP_SAMPLES / rate_hz
        heard = self._standardised(np.interp(self._times_s, heard_s, strength))
        return float((self._seen * heard).mean()) if len(heard) else 0.0

    def _standardised(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        if not len(values):
            return np.zeros(0)
        smooth = np.convolve(values, self._window)[len(self._window) // 2 :][: len(values)]
        deviations = smooth - smooth.mean()
        spread = float(np.sqrt((deviations**2).mean()))
        return deviations / spread if spread > 1e-9 else np.zeros(len(values))
