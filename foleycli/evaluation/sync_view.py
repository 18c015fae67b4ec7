"""What synchrony is measured on: a sound and a picture, each analysed once however often used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.onsets import ONSET_HOP_SAMPLES, ONSET_RATE_HZ, detect_onsets, onset_strength
from foleycli.media.audio import fit, read_audio, require_finite, resample
from foleycli.media.video import read_frames
from foleycli.metrics.envelope_l1 import VIDEO_FOLEY_RATE_HZ
from foleycli.metrics.librosa_onsets import CONDFOLEYGEN_DELTA, librosa_onsets
from foleycli.metrics.phase_coherence import PhaseCoherence, phase_coherence
from foleycli.metrics.sync_controls import delayed_waveform
from foleycli.vision.flow import MotionAnalyser, MotionFeatures
from foleycli.vision.motion import av_align_magnitudes, av_align_video_peaks_s

FINE_RATE_HZ = ONSET_RATE_HZ  # of all onsets, ours and librosa's, and of T-Foley
COARSE_RATE_HZ = VIDEO_FOLEY_RATE_HZ  # of Video-Foley and of phase coherence


@dataclass(frozen=True, eq=False)
class HeardSound:
    """A sound at the two rates that the metrics ask for.

    What is derived from it is computed when first asked for, and raises ValueError where the sound
    is too short for it.

    Attributes
    ----------
    fine : (samples,) float32
        Mono at 22,050 Hz.
    coarse : (samples,) float32
        The same at 16 kHz.
    """

    fine: NDArray[np.floating]
    coarse: NDArray[np.floating]

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return len(self.fine) / FINE_RATE_HZ

    @cached_property
    def onsets(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Our onsets, :func:`foleycli.dsp.onsets.detect_onsets`: seconds and strengths."""
        return detect_onsets(self.fine, FINE_RATE_HZ)

    @cached_property
    def strength(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Seconds, and onset strength there."""
        curve = onset_strength(self.fine, FINE_RATE_HZ)
        return np.arange(len(curve)) * ONSET_HOP_SAMPLES / FINE_RATE_HZ, curve

    @cached_property
    def librosa_onsets(self) -> NDArray[np.int64]:
        """Librosa's onsets at its default settings, in samples of ``fine``."""
        return librosa_onsets(self.fine)

    @cached_property
    def clear_onsets(self) -> NDArray[np.int64]:
        """Librosa's onsets at CondFoleyGen's threshold, in samples of ``fine``."""
        return librosa_onsets(self.fine, CONDFOLEYGEN_DELTA)

    @cached_property
    def phase_coherence(self) -> PhaseCoherence | None:
        """None where nothing is bright."""
        return phase_coherence(self.coarse)

    @cached_property
    def whole_seconds(self) -> HeardSound:
        """The sound cut to whole seconds, as CondFoleyGen has it."""
        seconds = len(self.fine) // FINE_RATE_HZ
        return self._lasting(seconds * FINE_RATE_HZ, seconds * COARSE_RATE_HZ)

    def as_long_as(self, other: HeardSound) -> HeardSound:
        """Cut the end, or put silence there, so that both last as long."""
        return self._lasting(len(other.fine), len(other.coarse))

    def late(self, shift_s: float) -> HeardSound:
        """Return the sound later by ``shift_s``, turned round the clip."""
        return HeardSound(
            delayed_waveform(self.fine, FINE_RATE_HZ, shift_s),
            delayed_waveform(self.coarse, COARSE_RATE_HZ, shift_s),
        )

    def _lasting(self, fine: int, coarse: int) -> HeardSound:
        if (fine, coarse) == (len(self.fine), len(self.coarse)):
            return self  # with what is known of it
        return HeardSound(fit(self.fine, fine), fit(self.coarse, coarse))


def hear(path: str | os.PathLike[str]) -> HeardSound:
    """Decode the sound of a file, film or not, once.

    Raises
    ------
    ValueError
        When there is no sound in it, or samples are not finite.
    """
    waveform, rate_hz = read_audio(path)
    require_finite(waveform)
    if not len(waveform):
        raise ValueError("no samples")
    return HeardSound(*(resample(waveform, rate_hz, r) for r in (FINE_RATE_HZ, COARSE_RATE_HZ)))


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """Motion of a film.

    Attributes
    ----------
    av_align_peaks_s : (peaks,) float64 or None
        AV-Align's peaks of motion; None when they were not looked for.
    fps : float
        Frames a second, on average.
    motion : MotionFeatures
    """

    av_align_peaks_s: NDArray[np.float64] | None
    fps: float
    motion: MotionFeatures


def see(path: str | os.PathLike[str], *, av_align: bool = True) -> SeenPicture:
    """Look at a film once; a number a frame is kept, not the frames.

    Parameters
    ----------
    path : path
    av_align : bool
        Whether to look for AV-Align's peaks, which need optical flow at the picture's own size:
        most of the time goes there.

    Raises
    ------
    ValueError
        When there is no picture in it.
    """
    analyser = MotionAnalyser()
    count, end_s = 0, 0.0

    def pictures() -> Iterator[NDArray[np.uint8]]:
        nonlocal count, end_s
        for frame in read_frames(path):
            analyser.add(frame)
            count, end_s = count + 1, frame.time_s + frame.duration_s
            if av_align:
                yield frame.rgb()

    magnitudes = av_align_magnitudes(pictures())
    if end_s <= 0:
        raise ValueError("a picture without duration")
    fps = count / end_s
    peaks_s = av_align_video_peaks_s(magnitudes, fps) if av_align else None
    return SeenPicture(peaks_s, fps, analyser.finish())
