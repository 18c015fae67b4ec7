"""AV-Align: whether peaks of sound and of motion come together.

Yariv et al., Diverse and aligned audio-to-video generation via text-to-video model adaptation,
AAAI 2024 (TempoTokens), as its code has been since February 2025. Before, one peak of motion could
serve many onsets and a score exceed 1, so earlier tables are not comparable. The peaks of motion
come from :mod:`foleycli.vision.motion`.

:func:`av_align` keeps the published definition: a window of one frame either way (33 ms at 30
frames a second, 125 ms at 8), nothing where both are empty, one figure for all kinds of error.
:func:`peak_agreement` is the corrected one. The published matching, greedy in order of time, needs
no correction: with one window for all it is a largest one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foleycli.metrics.librosa_onsets import LIBROSA_RATE_HZ, librosa_onsets
from foleycli.metrics.onset_matching import onset_score, sorted_times


def av_align_audio_peaks_s(waveform: NDArray[np.floating]) -> NDArray[np.float64]:
    """Find the peaks of sound of AV-Align: librosa's onsets at its default settings.

    Parameters
    ----------
    waveform : (samples,) float
        Mono at 22,050 Hz.

    Returns
    -------
    (peaks,) float64
        Seconds, ascending.

    Raises
    ------
    ValueError
        As :func:`foleycli.metrics.librosa_onsets.librosa_onsets`.
    """
    return librosa_onsets(waveform) / LIBROSA_RATE_HZ


def av_align(audio_peaks_s: ArrayLike, video_peaks_s: ArrayLike, fps: float) -> float | None:
    """AV-Align of one clip, exactly as published; a set of clips scores the mean.

    Each peak of sound, in order of time, takes the first unused peak of motion less than one frame
    away. The score is intersection over union, ``I / (A + V - I)``.

    Parameters
    ----------
    audio_peaks_s, video_peaks_s : (peaks,) float
        Seconds.
    fps : float
        Frames a second of the video, which is what sets the window.

    Returns
    -------
    float or None
        In [0, 1]. None without any peak, where the reference divides by zero.

    Raises
    ------
    ValueError
        When the times are not lists of finite numbers or fps is not positive.
    """
    audio, unused = sorted_times(audio_peaks_s).tolist(), sorted_times(video_peaks_s).tolist()
    if not 0 < fps < np.inf:
        raise ValueError(f"a video has more than 0 frames a second, got {fps}")
    peaks, matched = len(audio) + len(unused), 0
    for heard in audio:
        for seen in unused:
            if seen - 1 / fps < heard < seen + 1 / fps:
                unused.remove(seen)
                matched += 1
                break
    return matched / (peaks - matched) if peaks else None


@dataclass(frozen=True)
class PeakAgreement:
    """How peaks of sound and of motion agree within one window.

    Attributes
    ----------
    window_s : float
    audio_peaks, video_peaks, hits : int
        The hits are those of a maximum matching.
    precision : float or None
        Share of the peaks of sound that have one of motion; None without any of sound.
    recall : float or None
        Share of the peaks of motion that have one of sound; None without any of motion.
    iou : float or None
        Intersection over union; None without any peak.
    """

    window_s: float
    audio_peaks: int
    video_peaks: int
    hits: int
    precision: float | None
    recall: float | None
    iou: float | None


def peak_agreement(
    audio_peaks_s: ArrayLike, video_peaks_s: ArrayLike, window_s: float
) -> PeakAgreement:
    """AV-Align corrected: a window in seconds, its ends included, precision, recall and counts.

    Parameters
    ----------
    audio_peaks_s, video_peaks_s : (peaks,) float
        Seconds, in any order.
    window_s : float
        Seconds either way, its ends included;
        :data:`foleycli.metrics.onset_matching.WINDOWS_S` are the ones to report.

    Returns
    -------
    PeakAgreement

    Raises
    ------
    ValueError
        As :func:`foleycli.metrics.onset_matching.onset_score`.
    """
    score = onset_score(video_peaks_s, audio_peaks_s, window_s)
    union = score.predictions + score.references - score.hits
    return PeakAgreement(
        window_s,
        score.predictions,
        score.references,
        score.hits,
        score.precision if score.predictions else None,
        score.recall if score.references else None,
        score.hits / union if union else None,
    )
