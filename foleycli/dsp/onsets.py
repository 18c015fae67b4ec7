"""Audio onsets: when a recording sounds, by spectral flux.

``onset_strength`` is librosa's curve: log-power mel spectrogram (128 Slaney bands to Nyquist,
2048-sample window), first difference, negative part dropped, mean over bands, shifted by half a
window so that a rise stands where it begins. ``detect_onsets`` picks its peaks. Frame ``k`` stands
for ``k * hop / rate`` seconds.

S. Boeck and G. Widmer, Maximum filter vibrato suppression for onset detection, DAFx 2013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.mel import slaney_filters

ONSET_RATE_HZ = 22_050  # the rate for which the rule below was chosen
ONSET_HOP_SAMPLES = 256
_FFT_SAMPLES = 2048
_MELS = 128
_RANGE_DB = 80.0
_BLOCK_FRAMES = 2048  # transforms held at a time: memory does not grow with the recording

_RISE = 0.15  # a peak stands this much of the clip's highest above its surroundings
_WAIT_FRAMES = 8
_WEAKEST = 0.25  # of the 99.5th percentile of strength: what is under it is not heard as an event
_SILENCE = 1e-3  # dB a band: flux under this is rounding


def onset_strength(
    waveform: NDArray[np.floating], rate_hz: int, hop_samples: int = ONSET_HOP_SAMPLES
) -> NDArray[np.float32]:
    """Spectral flux of a recording.

    Parameters
    ----------
    waveform : (samples,) float
        Mono, nominally in [-1, 1].
    rate_hz, hop_samples : int
        Sample rate, and samples from one value to the next.

    Returns
    -------
    (1 + samples // hop_samples,) float32
        Mean rise over the mel bands in dB a hop, never negative.

    Raises
    ------
    ValueError
        When the waveform is not one-dimensional.
    """
    if waveform.ndim != 1:
        raise ValueError(
            f"onset strength takes (samples,), got shape {waveform.shape}; average the channels"
        )
    decibels = _mel_decibels(waveform.astype(np.float32), rate_hz, hop_samples)
    frames = decibels.shape[1]
    flux = np.maximum(np.diff(decibels, axis=1), 0).mean(axis=0)
    lead = 1 + _FFT_SAMPLES // (2 * hop_samples)  # the first difference, and half a window
    return np.pad(flux, (lead, 0))[:frames].astype(np.float32)


def detect_onsets(
    waveform: NDArray[np.floating], rate_hz: int, hop_samples: int = ONSET_HOP_SAMPLES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the onsets that one hears.

    A frame is an onset when it is the highest of the last 30 ms, stands ``0.15`` (of the clip's
    highest) above the mean of the 0.1 s around it, more than 8 frames after the one before, and no
    weaker than a quarter of the clip's 99.5th percentile.

    Returns
    -------
    times_s : (onsets,) float64
        Seconds, ascending.
    strengths : (onsets,) float64
        In (0, 1], relative to the strongest.
    """
    envelope = onset_strength(waveform, rate_hz, hop_samples)
    if envelope.max(initial=0) < _SILENCE:
        return np.zeros(0), np.zeros(0)
    frames_a_second = rate_hz / hop_samples
    before = int(0.03 * frames_a_second)
    around = int(0.10 * frames_a_second)
    peaks = pick_peaks(envelope / envelope.max(), before, around, _RISE, _WAIT_FRAMES)
    peaks = peaks[envelope[peaks] >= _WEAKEST * np.percentile(envelope, 99.5)]
    strengths = envelope[peaks].astype(np.float64)
    return peaks * hop_samples / rate_hz, strengths / strengths.max(initial=1e-12)


def pick_peaks(
    curve: NDArray[np.floating], before: int, around: int, rise: float, wait: int
) -> NDArray[np.intp]:
    """Find where a curve tops its last ``before`` values and its surroundings by ``rise``.

    Boeck's rule read from left to right: after a peak the next ``wait`` values are skipped.
    """
    peaks: list[int] = []
    index = 0
    while index < len(curve):
        highest = curve[max(0, index - before) : index + 1].max()
        mean = curve[max(0, index - around) : index + around + 1].mean()
        if curve[index] == highest and curve[index] >= mean + rise:
            peaks.append(index)
            index += wait
        index += 1
    return np.array(peaks, dtype=np.intp)


def _mel_decibels(waveform: NDArray[np.float32], rate_hz: int, hop: int) -> NDArray[np.float32]:
    """Power mel spectrogram in dB, centred, at most 80 dB under its highest; (mels, frames)."""
    filters = slaney_filters(rate_hz, _FFT_SAMPLES, _MELS).astype(np.float32)
    window = np.hanning(_FFT_SAMPLES + 1)[:-1].astype(np.float32)
    padded = np.pad(waveform, _FFT_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[::hop]
    power: NDArray[np.float32] = np.concatenate(
        [
            filters @ (np.abs(np.fft.rfft(frames[k : k + _BLOCK_FRAMES] * window)) ** 2).T
            for k in range(0, len(frames), _BLOCK_FRAMES)
        ],
        axis=1,
    )
    decibels: NDArray[np.float32] = (10 * np.log10(np.maximum(power, 1e-10))).astype(np.float32)
    floor_db = decibels.max() - _RANGE_DB
    return np.clip(decibels, floor_db, None)
